//! What is drawn where.

use super::*;

/// A curve that falls around 1e-3 and bursts behind 1e-1.
fn curve() -> LrCurve {
    let point = |at: i32| {
        let rate = 1e-6 * 10f64.powf(f64::from(at) / 16.);
        let smooth = 0.4 + 1.9 / (1. + (rate / 1e-3).powi(2)) + (rate / 0.15).powi(2);
        LrPoint { rate, loss: smooth + 0.2 * f64::from(at).sin(), smooth }
    };
    LrCurve {
        points: (0..89).map(point).collect(),
        end: SweepEnd::Diverged,
        steepest: Some(8e-4),
        tenth_of_least: Some(1.7e-3),
    }
}

/// Values of an attribute of all elements that begin so.
fn values(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
    let value = |piece: &str| {
        let (_, rest) = piece.split_once(&format!(" {attribute}=\""))?;
        rest.split_once('"')?.0.parse().ok()
    };
    svg.split(element).skip(1).filter_map(value).collect()
}

#[test]
fn rates_lie_on_a_logarithmic_axis_and_are_named() {
    let svg = plot(&curve());
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let xs = values(&svg, "<circle class=\"step\"", "cx");
    assert_eq!(xs.len(), 89);
    assert!((xs[0] - LEFT).abs() < 0.1 && (xs[88] - RIGHT).abs() < 0.1);
    assert!(xs.windows(3).all(|x| (x[2] - 2. * x[1] + x[0]).abs() < 0.21), "even steps");
    for rate in ["1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1"] {
        assert!(svg.contains(&format!(">{rate}</text>")), "{rate}");
    }
    assert!(svg.contains(">falls fastest: 8.0e-4</text>"));
    assert!(svg.contains(">a tenth of the best: 1.7e-3</text>"));
    assert!(svg.contains("ends where it bursts"));
    // The mark is where the step of that rate is: 2.9 decades in of 5.5.
    let mark = svg.split_once("class=\"mark steepest\" d=\"M").unwrap().1;
    let x: f64 = mark.split_once(' ').unwrap().0.parse().unwrap();
    assert!((x - (LEFT + 2.903 / 5.5 * (RIGHT - LEFT))).abs() < 0.5, "{x}");
}

#[test]
fn the_line_is_seen_whole_and_points_stay_outside_if_they_are() {
    let mut curve = curve();
    curve.points[40].loss = 1e30;
    let svg = plot(&curve);
    let (_, line) = svg.split_once("class=\"smooth\" d=\"M").unwrap();
    let line = line.split_once('"').unwrap().0;
    for point in line.split('L') {
        let y: f64 = point.split_once(' ').unwrap().1.parse().unwrap();
        assert!((TOP..=BOTTOM).contains(&y), "{y}");
    }
    let ys = values(&svg, "<circle class=\"step\"", "cy");
    assert!(ys[40] < TOP && ys[40] > TOP - SIZE.1, "{}", ys[40]);
}

#[test]
fn a_curve_that_does_not_fall_is_drawn_without_marks() {
    let point = |at: i32| LrPoint { rate: 1e-3 * f64::from(at), loss: 2., smooth: 2. };
    let points = (1..5).map(point).collect();
    let flat = LrCurve { points, end: SweepEnd::Last, steepest: None, tenth_of_least: None };
    let svg = plot(&flat);
    assert!(!svg.contains("class=\"mark") && svg.contains("it never falls"), "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert!(svg.contains(">2e-3</text>"), "few powers of ten have labels between");
    let none = LrCurve { points: vec![], ..flat };
    assert!(!plot(&none).contains("NaN"));
}

#[test]
fn steps_of_labels_are_round() {
    for (least, step) in [(0.03, 0.05), (0.2, 0.2), (0.6, 1.), (7., 10.), (1., 1.)] {
        assert!((round_step(least) - step).abs() < 1e-9, "{least}: {}", round_step(least));
    }
}
