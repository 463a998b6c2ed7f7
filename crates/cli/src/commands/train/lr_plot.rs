//! The plot of a learning-rate range test.

use std::fmt::Write;

use crosstune_core::{LrCurve, LrPoint, SweepEnd};
use crosstune_report::axes::{Area, Axes, Range, round_step};

/// The size of the picture.
const SIZE: (f64, f64) = (640., 400.);
/// The sides of the plot's area.
const LEFT: f64 = 64.;
const RIGHT: f64 = 616.;
const TOP: f64 = 76.;
const BOTTOM: f64 = 340.;
/// The width of the name of a marked rate.
const NAME: f64 = 190.;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}\
                     .title{font-size:16px;font-weight:600}\
                     .tick{font-size:12px;fill:#57606a}\
                     .grid{stroke:#d8dee4}.axis{stroke:#57606a}\
                     .step{fill:#8c959f}.smooth{fill:none;stroke:#0550ae;stroke-width:2}\
                     .mark{stroke-width:1.5;stroke-dasharray:5 3}\
                     .steepest{stroke:#a40e26}text.steepest{fill:#a40e26;stroke:none}\
                     .tenth{stroke:#116329}text.tenth{fill:#116329;stroke:none}";

/// The loss over the learning rate as an SVG file: a logarithmic axis of rates, a point for the
/// loss of each step, a line for the smoothed loss, and marks at the suggested rates.
pub(crate) fn plot(curve: &LrCurve) -> String {
    let axes = axes(&curve.points);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" \
         height=\"{1}\" role=\"img\" aria-label=\"{2}\">\
         <style>{STYLE}</style><rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\
         <clipPath id=\"area\"><rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{3}\" height=\"{4}\"/>\
         </clipPath><text class=\"title\" x=\"{LEFT}\" y=\"24\">Loss over the learning rate</text>",
        SIZE.0,
        SIZE.1,
        said(curve),
        RIGHT - LEFT,
        BOTTOM - TOP,
    );
    grid(&mut svg, &axes);
    svg += "<g clip-path=\"url(#area)\">";
    for point in &curve.points {
        let (x, y) = (axes.x(point.rate), axes.y(point.loss));
        let _ = write!(svg, "<circle class=\"step\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>");
    }
    let at = |point: &LrPoint| format!("{:.1} {:.1}", axes.x(point.rate), axes.y(point.smooth));
    let line: Vec<_> = curve.points.iter().map(at).collect();
    let _ = write!(svg, "<path class=\"smooth\" d=\"M{}\"/></g>", line.join("L"));
    marks(&mut svg, &axes, curve);
    let middle = f64::midpoint(LEFT, RIGHT);
    let below = format!("learning rate · points: each step · line: smoothed · {}", ended(curve));
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{below}</text>\
         <text transform=\"translate(18 {}) rotate(-90)\" text-anchor=\"middle\">loss</text></svg>",
        SIZE.1 - 14.,
        f64::midpoint(TOP, BOTTOM),
    );
    svg
}

/// The plot in words, for people who cannot see it.
fn said(curve: &LrCurve) -> String {
    match (curve.steepest, curve.tenth_of_least) {
        (Some(steepest), Some(tenth)) => format!(
            "The loss falls fastest at a learning rate of {steepest:.1e}; a tenth of the rate at \
             which it is least is {tenth:.1e}"
        ),
        _ => "The loss does not fall at any of these learning rates".into(),
    }
}

fn ended(curve: &LrCurve) -> &'static str {
    match (curve.steepest, curve.end) {
        (None, _) => "it never falls",
        (Some(_), SweepEnd::Diverged) => "ends where it bursts",
        (Some(_), SweepEnd::Last) => "ends at the last rate",
    }
}

/// The axes: all of the line is visible, and as many of the points as fit.
fn axes(points: &[LrPoint]) -> Axes {
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
    };
    let wide = |(low, high): (f64, f64), by: f64| match (low.is_finite(), low < high) {
        (false, _) => (1., 1. + by),
        (true, false) => (low, low + by * low.abs().max(1e-6)),
        (true, true) => (low, high),
    };
    let rates = wide(ends(&mut points.iter().map(|point| point.rate)), 1.);
    let least = ends(&mut points.iter().flat_map(|point| [point.loss, point.smooth])).0;
    let most = ends(&mut points.iter().map(|point| point.smooth)).1;
    let (low, high) = wide((least, most), 0.1);
    let step = round_step((high - low) / 5.);
    Axes {
        across: rates,
        logarithmic: true,
        up: Range { low: (low / step).floor() * step, high: (high / step).ceil() * step, step },
        area: Area { left: LEFT, right: RIGHT, top: TOP, bottom: BOTTOM },
    }
}

/// Rates with a label: powers of ten, with others between them if there are few.
fn rate_ticks((low, high): (f64, f64)) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let ticks = |digits: &[f64]| -> Vec<f64> {
        let all = powers.clone().flat_map(|p| digits.iter().map(move |d| d * 10f64.powi(p)));
        all.filter(|tick| (low * 0.999..=high * 1.001).contains(tick)).collect()
    };
    let tens = ticks(&[1.]);
    if tens.len() > 2 { tens } else { ticks(&[1., 2., 5.]) }
}

fn grid(svg: &mut String, axes: &Axes) {
    for rate in rate_ticks(axes.across) {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{0:.1} {TOP}V{BOTTOM}\"/>\
             <text class=\"tick\" x=\"{0:.1}\" y=\"{1}\" text-anchor=\"middle\">{rate:e}</text>",
            axes.x(rate),
            BOTTOM + 18.,
        );
    }
    let digits = (-axes.up.step.log10().floor()).max(0.) as usize;
    for loss in axes.up.ticks() {
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {0:.1}H{RIGHT}\"/>\
             <text class=\"tick\" x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{loss:.digits$}</text>",
            axes.y(loss),
            LEFT - 8.,
            axes.y(loss) + 4.,
        );
    }
    let _ = write!(svg, "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>");
}

/// A line at each suggested rate, with its name above, at two heights so that no line crosses a
/// name.
fn marks(svg: &mut String, axes: &Axes, curve: &LrCurve) {
    let suggested = [
        ("steepest", "falls fastest", curve.steepest),
        ("tenth", "a tenth of the best", curve.tenth_of_least),
    ];
    let mut marks: Vec<_> = suggested
        .into_iter()
        .filter_map(|(class, name, rate)| {
            Some((axes.x(rate?).clamp(LEFT, RIGHT), class, name, rate?))
        })
        .collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    // If the last has no room on its right, the names are on the left.
    let crowded = marks.last().is_some_and(|mark| mark.0 + NAME > SIZE.0);
    let mut heights = [TOP - 27., TOP - 10.];
    if crowded {
        heights.reverse();
    }
    for ((x, class, name, rate), y) in marks.into_iter().zip(heights) {
        let left = crowded && x >= NAME;
        let (anchor, off) = if left { ("end", -5.) } else { ("start", 5.) };
        let _ = write!(
            svg,
            "<path class=\"mark {class}\" d=\"M{x:.1} {}V{BOTTOM}\"/>\
             <text class=\"{class}\" x=\"{:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">\
             {name}: {rate:.1e}</text>",
            y - 12.,
            x + off,
        );
    }
}
#[cfg(test)]
mod tests;
