//! Curves over epochs, as SVG.

use std::fmt::Write;

use crosstune_report::Escaped;
use crosstune_report::axes::{Area, Axes, Range, round_step};

/// The width of the picture, and the height of a panel.
const WIDTH: f64 = 760.;
const PANEL: f64 = 260.;
/// The sides of a panel's area.
const LEFT: f64 = 64.;
const RIGHT: f64 = 736.;
const TOP: f64 = 40.;
const BOTTOM: f64 = 216.;
/// The height of a line of the legend, and what stands above and below it.
const ROW: f64 = 20.;
const ABOVE: f64 = 28.;
const BELOW: f64 = 12.;
/// The most letters of a run's name.
const NAME: usize = 80;

/// Colours that people who do not tell some of them apart tell apart (Okabe and Ito 2008).
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#24292f"];

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}\
                     .title{font-size:15px;font-weight:600}\
                     .tick{font-size:12px;fill:#57606a}\
                     .grid{stroke:#d8dee4}.axis{stroke:#57606a}\
                     .line{fill:none;stroke-width:2}.training{stroke-dasharray:5 4;stroke-width:1.5}";

/// Values over epochs, of some runs.
#[derive(Debug)]
pub(super) struct Curve {
    pub(super) title: String,
    /// Whether they are shares of a whole, which are written in percent.
    pub(super) is_share: bool,
    pub(super) lines: Vec<Line>,
}

/// Those of one run, each with its epoch.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) validation: Vec<(usize, f64)>,
    pub(super) training: Vec<(usize, f64)>,
    /// The epoch that was kept.
    pub(super) best: Option<usize>,
}

impl Line {
    fn points(&self) -> impl Iterator<Item = &(usize, f64)> {
        self.validation.iter().chain(&self.training)
    }
}

/// A panel for the losses, one for the scores if there are any, and a legend.
pub(super) fn svg(losses: &Curve, scores: &Curve) -> String {
    let panels: Vec<&Curve> = [losses, scores]
        .into_iter()
        .filter(|curve| curve.lines.iter().any(|line| line.points().next().is_some()))
        .collect();
    let legend = ABOVE + ROW * losses.lines.len() as f64 + BELOW;
    let height = legend + PANEL * panels.len() as f64;
    let names: Vec<&str> = losses.lines.iter().map(|line| line.name.as_str()).collect();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Curves over epochs of {}\"><style>{STYLE}</style>\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>",
        Escaped(&names.join(", "))
    );
    keys(&mut svg, &names);
    for (at, panel) in panels.iter().enumerate() {
        let _ = write!(svg, "<g transform=\"translate(0 {})\">", legend + PANEL * at as f64);
        panel.draw(&mut svg);
        svg += "</g>";
    }
    svg + "</svg>\n"
}

/// A page with a picture.
pub(super) fn html(svg: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Curves</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <style>body{{margin:1em;background:#fff}}svg{{max-width:100%;height:auto}}</style>\n{svg}</html>\n"
    )
}

/// What the lines are of.
fn keys(svg: &mut String, names: &[&str]) {
    for (class, x, name) in
        [("line", LEFT, "validation"), ("line training", LEFT + 130., "training")]
    {
        let _ = write!(
            svg,
            "<path class=\"{class}\" stroke=\"#57606a\" d=\"M{x} 16h28\"/>\
             <text class=\"tick\" x=\"{}\" y=\"20\">{name}</text>",
            x + 36.
        );
    }
    let _ = write!(
        svg,
        "<circle cx=\"{}\" cy=\"16\" r=\"4\" fill=\"#57606a\"/>\
         <text class=\"tick\" x=\"{}\" y=\"20\">best epoch, which was kept</text>",
        LEFT + 268.,
        LEFT + 280.
    );
    for (at, name) in names.iter().enumerate() {
        let y = ABOVE + ROW * (at as f64 + 0.5);
        let mut short: String = name.chars().take(NAME).collect();
        if short.len() < name.len() {
            short.push('…');
        }
        let _ = write!(
            svg,
            "<path class=\"line\" stroke=\"{}\" d=\"M{LEFT} {y}h28\"/>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            colour(at),
            LEFT + 36.,
            y + 4.,
            Escaped(&short)
        );
    }
}

fn colour(run: usize) -> &'static str {
    COLOURS[run % COLOURS.len()]
}

impl Curve {
    fn draw(&self, svg: &mut String) {
        let points = || self.lines.iter().flat_map(Line::points);
        let Some(axes) = axes(points(), self.is_share) else { return };
        let title = Escaped(&self.title);
        let _ = write!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>");
        self.grid(svg, &axes);
        for (at, line) in self.lines.iter().enumerate() {
            for (class, points) in [("line training", &line.training), ("line", &line.validation)] {
                draw(svg, class, colour(at), points, &axes);
            }
            let best = line.validation.iter().find(|(epoch, _)| Some(*epoch) == line.best);
            if let Some((epoch, value)) = best {
                let _ = write!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{}\">\
                     <title>{}: epoch {epoch}, {}</title></circle>",
                    axes.x(*epoch as f64),
                    axes.y(*value),
                    colour(at),
                    Escaped(&line.name),
                    self.written(*value, 3)
                );
            }
        }
    }

    fn grid(&self, svg: &mut String, axes: &Axes) {
        let digits = (-axes.up.step.log10().floor()).max(0.) as usize;
        for value in axes.up.ticks() {
            let y = axes.y(value);
            let _ = write!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.,
                y + 4.,
                self.written(value, digits)
            );
        }
        let (first, last) = axes.across;
        let step = round_step(((last - first) / 10.).max(1.)).max(1.);
        let ticks = (first / step).ceil() as usize..=(last / step).floor() as usize;
        for epoch in ticks.map(|tick| tick as f64 * step) {
            let x = axes.x(epoch);
            let _ = write!(
                svg,
                "<path class=\"axis\" d=\"M{x:.1} {BOTTOM}v4\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{epoch}</text>",
                BOTTOM + 18.
            );
        }
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>\
             <text class=\"tick\" x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">epoch</text>",
            BOTTOM + 36.
        );
    }

    /// A value as it is read: in percent, or with so many decimals.
    fn written(&self, value: f64, digits: usize) -> String {
        match self.is_share {
            true => format!("{:.*} %", digits.saturating_sub(2), 100. * value),
            false => format!("{value:.digits$}"),
        }
    }
}

/// A line through points, or a point that stands alone.
fn draw(svg: &mut String, class: &str, colour: &str, points: &[(usize, f64)], axes: &Axes) {
    let at = |&(epoch, value): &(usize, f64)| {
        format!("{:.1} {:.1}", axes.x(epoch as f64), axes.y(value))
    };
    match points {
        [] => {}
        [one] => {
            let (x, y) = (axes.x(one.0 as f64), axes.y(one.1));
            let _ = write!(
                svg,
                "<circle class=\"{class}\" stroke=\"{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"
            );
        }
        all => {
            let path: Vec<String> = all.iter().map(at).collect();
            let path = path.join("L");
            let _ = write!(svg, "<path class=\"{class}\" stroke=\"{colour}\" d=\"M{path}\"/>");
        }
    }
}

/// The axes that all points lie in; `None`: there are none.
fn axes<'p>(points: impl Iterator<Item = &'p (usize, f64)>, is_share: bool) -> Option<Axes> {
    let (mut across, mut up) = ((usize::MAX, 0), (f64::INFINITY, f64::NEG_INFINITY));
    for &(epoch, value) in points {
        across = (across.0.min(epoch), across.1.max(epoch));
        up = (up.0.min(value), up.1.max(value));
    }
    if up.0 > up.1 {
        return None;
    }
    let least = if is_share { 0.01 } else { up.1.abs().max(1e-6) * 1e-3 };
    let step = round_step(((up.1 - up.0) / 5.).max(least));
    let low = (up.0 / step + 1e-9).floor() * step;
    let high = ((up.1 / step - 1e-9).ceil() * step).max(low + step);
    Some(Axes {
        across: (across.0 as f64, across.1 as f64),
        logarithmic: false,
        up: Range { low, high, step },
        area: Area { left: LEFT + 8., right: RIGHT - 8., top: TOP, bottom: BOTTOM },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, validation: &[(usize, f64)]) -> Line {
        let training = validation.iter().map(|&(epoch, value)| (epoch, value / 2.)).collect();
        Line { name: name.into(), validation: validation.to_vec(), training, best: Some(2) }
    }

    fn curve(is_share: bool, lines: Vec<Line>) -> Curve {
        Curve { title: "Loss".into(), is_share, lines }
    }

    #[test]
    fn each_run_has_its_lines_its_colour_and_its_name() {
        let runs = || vec![line("a<b", &[(1, 0.8), (2, 0.4), (3, 0.6)]), line("c", &[(1, 0.5)])];
        let svg = svg(&curve(false, runs()), &curve(true, runs()));
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"), "{svg}");
        for colour in &COLOURS[..2] {
            // In the legend, and twice in each of two panels.
            assert_eq!(svg.matches(&format!("stroke=\"{colour}\"")).count(), 5, "{svg}");
        }
        assert_eq!(svg.matches("<title>").count(), 2);
        assert!(svg.contains("a&lt;b: epoch 2, 40.0 %"), "{svg}");
        assert!(svg.contains("a&lt;b: epoch 2, 0.400"), "{svg}");
        assert!(html(&svg).contains(&svg));
    }

    #[test]
    fn a_panel_without_points_is_left_out() {
        let none = || vec![line("a", &[])];
        let some = || vec![line("a", &[(1, 0.5), (2, 0.25)])];
        let both = svg(&curve(false, some()), &curve(true, some()));
        let one = svg(&curve(false, some()), &curve(true, none()));
        assert_eq!((both.matches("<g ").count(), one.matches("<g ").count()), (2, 1));
    }

    #[test]
    fn all_points_lie_within_the_axes() {
        let within = |values: &[f64], is_share: bool| {
            let points: Vec<_> = values.iter().enumerate().map(|(at, v)| (at + 1, *v)).collect();
            let axes = axes(points.iter(), is_share).unwrap();
            let Range { low, high, step } = axes.up;
            assert!(values.iter().all(|v| (low - 1e-9..=high + 1e-9).contains(v)), "{axes:?}");
            assert!((high - low) / step < 8., "{axes:?}");
        };
        within(&[0.1, 0.93], true);
        within(&[0.5], true);
        within(&[3., 2.5, 2.], false);
        within(&[1e-9, 4e4], false);
        within(&[0., 0.], false);
        assert!(axes([].iter(), false).is_none());
    }
}
