//! Reliability diagrams: how often a model is right by how sure it is.

use std::fmt::Write;

use super::{escape::Name, tables};
use crate::{
    axes::{Area, Axes, Range},
    comparison::{ArmKind, Comparison, Run},
    reliability::{Calibration, Reliability},
    summary::{AtSize, Summary},
    words,
};

/// The size of a diagram in its own units, which the page scales.
const SIZE: (f64, f64) = (260., 258.);
/// Where the plot's area lies in it: a square.
const AREA: Area = Area { left: 38., right: 248., top: 10., bottom: 220. };
/// The radius of the mark of a bin with all forecasts, and of one with none.
const RADII: (f64, f64) = (8., 2.);

/// The style of a diagram that stands alone. On a page, the page has it.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#545c66}\
                     .paper{fill:#fff}.grid{stroke:#dcdfe3}.ideal{stroke:#545c66;stroke-dasharray:1 4}\
                     .line{fill:none;stroke:#0b5fb0;stroke-width:2}.mark{fill:#0b5fb0}\
                     .before .line{stroke:#b4530a;stroke-dasharray:6 3}\
                     .before .mark{fill:#fff;stroke:#b4530a;stroke-width:1.5}\
                     @media (prefers-color-scheme:dark){text{fill:#a5adb7}.paper{fill:#1b1e22}\
                     .grid{stroke:#333941}.ideal{stroke:#a5adb7}\
                     .line{stroke:#6cb2ff}.mark{fill:#6cb2ff}\
                     .before .line{stroke:#f0a35c}.before .mark{fill:#1b1e22;stroke:#f0a35c}}";

/// A reliability diagram (Niculescu-Mizil and Caruana 2005) as an SVG file, light or dark as its reader
/// wants it: the accuracy of the forecasts over their confidence, a mark for each bin, larger with more
/// forecasts. Squares on a dashed line are the model's own probabilities, discs on a solid line those
/// after calibration, if there are such.
pub fn reliability_svg(own: &Reliability, calibrated: Option<&Reliability>) -> String {
    let legend = 20.;
    let height = SIZE.1 + 2. * legend;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {height}\" width=\"{1}\" height=\"{2}\" \
         role=\"img\" aria-label=\"{3}\"><style>{STYLE}</style>\
         <rect class=\"paper\" width=\"{0}\" height=\"{height}\"/>",
        SIZE.0,
        2. * SIZE.0,
        2. * height,
        said(own, calibrated),
    );
    draw(&mut svg, own, calibrated);
    let mut row = |at: f64, class: &str, name: &str, of: &Reliability| {
        let (x, y) = (AREA.left, SIZE.1 + at * legend + 6.);
        let _ = write!(
            svg,
            "<g class=\"{class}\"><path class=\"line\" d=\"M{x} {y}h30\"/>{}</g>\
             <text x=\"{}\" y=\"{}\">{name}: ECE {} %</text>",
            mark(class, x + 15., y, 4.),
            x + 38.,
            y + 4.,
            words::percent(of.ece),
        );
    };
    row(0., BEFORE, "the model’s own", own);
    if let Some(calibrated) = calibrated {
        row(1., AFTER, "calibrated", calibrated);
    }
    svg + "</svg>\n"
}

const BEFORE: &str = "before";
const AFTER: &str = "after";

/// The diagram in words, for people who cannot see it.
fn said(own: &Reliability, calibrated: Option<&Reliability>) -> String {
    let before = words::percent(own.ece);
    let after = calibrated.map(|of| format!(", after calibration {} %", words::percent(of.ece)));
    format!(
        "Accuracy over confidence: the expected calibration error is {before} %{}.",
        after.unwrap_or_default()
    )
}

fn draw(svg: &mut String, own: &Reliability, calibrated: Option<&Reliability>) {
    let up = Range { low: 0., high: 1., step: 0.2 };
    let axes = Axes { across: (0., 1.), logarithmic: false, up, area: AREA };
    for tick in up.ticks() {
        let (x, y) = (axes.x(tick), axes.y(tick));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\">{5:.0}</text>\
             <text x=\"{x:.1}\" y=\"{4}\" text-anchor=\"middle\">{5:.0}</text>",
            AREA.left,
            AREA.right,
            AREA.left - 6.,
            y + 4.,
            AREA.bottom + 16.,
            tick * 100.,
        );
    }
    let _ = write!(
        svg,
        "<path class=\"ideal\" d=\"M{} {}L{} {}\"/>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">confidence, %</text>\
         <text transform=\"translate(9 {}) rotate(-90)\" text-anchor=\"middle\">right, %</text>",
        AREA.left,
        AREA.bottom,
        AREA.right,
        AREA.top,
        f64::midpoint(AREA.left, AREA.right),
        SIZE.1 - 6.,
        f64::midpoint(AREA.top, AREA.bottom),
    );
    curve(svg, &axes, BEFORE, own);
    if let Some(calibrated) = calibrated {
        curve(svg, &axes, AFTER, calibrated);
    }
}

fn curve(svg: &mut String, axes: &Axes, class: &str, of: &Reliability) {
    let all = of.bins.iter().map(|bin| bin.forecasts).sum::<usize>().max(1);
    let bins: Vec<_> = of.bins.iter().filter(|bin| bin.forecasts > 0).collect();
    let at = |bin: &&crate::reliability::Bin| (axes.x(bin.confidence), axes.y(bin.accuracy));
    let line = bins.iter().map(at).map(|(x, y)| format!("{x:.1} {y:.1}"));
    let line = line.collect::<Vec<_>>().join("L");
    let _ = write!(svg, "<g class=\"{class}\">");
    if !line.is_empty() {
        let _ = write!(svg, "<path class=\"line\" d=\"M{line}\"/>");
    }
    for bin in &bins {
        let (x, y) = at(bin);
        let share = (bin.forecasts as f64 / all as f64).sqrt();
        let r = RADII.1 + share * (RADII.0 - RADII.1);
        let _ = write!(
            svg,
            "<g><title>{}: {} % sure, {} % right</title>{}</g>",
            words::count(bin.forecasts),
            words::percent(bin.confidence),
            words::percent(bin.accuracy),
            mark(class, x, y, r)
        );
    }
    *svg += "</g>";
}

/// A square before calibration, a disc after it: shapes for who does not see the colours.
fn mark(class: &str, x: f64, y: f64, r: f64) -> String {
    match class {
        BEFORE => format!(
            "<rect class=\"mark\" x=\"{:.1}\" y=\"{:.1}\" width=\"{d:.1}\" height=\"{d:.1}\"/>",
            x - 0.9 * r,
            y - 0.9 * r,
            d = 1.8 * r
        ),
        _ => format!("<circle class=\"mark\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\"/>"),
    }
}

/// The transfer's probabilities on the largest size, and its best control's.
pub(super) fn part(c: &Comparison, summary: &Summary) -> String {
    let Some(at) = summary.largest() else { return String::new() };
    let kinds = [Some(ArmKind::Transfer), at.best_control].into_iter().flatten();
    let arms: Vec<_> = kinds.filter_map(|kind| Some((kind, of_arm(c, at, kind)?))).collect();
    if arms.is_empty() {
        return String::new();
    }
    let figures: String = arms.iter().map(|(kind, of)| figure(*kind, of)).collect();
    format!(
        "<h3>Reliability, {} {}</h3>\n<p class=\"soft\">How often the model is right by how sure it is; on \
         the dotted line both agree. Squares, dashed: its own probabilities; discs: after temperature \
         scaling.</p>\n<div class=\"charts reliability\">\n{figures}</div>\n{}",
        words::count(at.size),
        Name(&c.target.samples),
        table(&arms)
    )
}

/// The runs of an arm on a size, together.
fn of_arm(c: &Comparison, at: &AtSize, kind: ArmKind) -> Option<Calibration> {
    let runs = c.arm(kind)?.of_size(at.size);
    let runs: Vec<_> = runs.iter().filter_map(|run: &&Run| run.calibration.as_ref()).collect();
    Calibration::pooled(&runs)
}

fn figure(kind: ArmKind, of: &Calibration) -> String {
    let calibrated = of.calibrated.as_ref();
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
        SIZE.0,
        SIZE.1,
        said(&of.uncalibrated, calibrated)
    );
    let _ = write!(svg, "<g class=\"{}\">", kind.name());
    draw(&mut svg, &of.uncalibrated, calibrated);
    format!("<figure><figcaption>{}</figcaption>{svg}</g></svg></figure>\n", words::arm(kind))
}

fn table(arms: &[(ArmKind, Calibration)]) -> String {
    let row = |(kind, of): &(ArmKind, Calibration)| {
        let cells: String = words::calibration(of).map(|cell| format!("<td>{cell}</td>")).concat();
        format!(
            "<tr><th scope=\"row\" class=\"{} arm\">{}</th>{cells}</tr>",
            kind.name(),
            words::arm(*kind)
        )
    };
    let rows: String = arms.iter().map(row).collect();
    let heads: String =
        words::CALIBRATION.map(|head| format!("<th scope=\"col\">{head}</th>")).concat();
    tables::scroll(
        "Calibration",
        &format!(
            "<table class=\"figures\"><thead><tr><th scope=\"col\">Arm</th>{heads}</tr></thead>\
             <tbody>{rows}</tbody></table>"
        ),
    )
}
