//! Charts as inline SVG, in the page's own colours.

use std::fmt::Write;

use super::escape::Escaped;
use crate::{
    axes::{Area, Axes, Range, round_step},
    comparison::ArmKind,
    stats::Estimate,
    words,
};

/// The size of a chart in its own units, which the page scales.
const SIZE: (f64, f64) = (260., 178.);
/// Where the plot's area begins and ends, in the same units.
const LEFT: f64 = 34.;
const RIGHT: f64 = 254.;
const TOP: f64 = 12.;
const BOTTOM: f64 = 139.;
/// The least distance of two labels below the plot.
const LABEL: f64 = 36.;
/// Up to so many points each has its mark.
const MARKED: usize = 8;
/// The most characters of a text below.
const BELOW: usize = 32;

/// What lies along the bottom.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Training sizes, on a logarithmic scale, each measured one labelled.
    Sizes,
    /// Epochs.
    Epochs,
}

/// A measured point.
pub(super) struct Dot {
    pub(super) x: usize,
    pub(super) value: Estimate,
}

/// An arm's points, from left to right.
pub(super) struct Series {
    pub(super) kind: ArmKind,
    pub(super) dots: Vec<Dot>,
}

/// The metric over something.
pub(super) struct Chart {
    pub(super) axis: Axis,
    /// What the chart shows, for who cannot see it.
    pub(super) says: String,
    /// What stands below.
    pub(super) below: String,
    pub(super) series: Vec<Series>,
    /// The accuracy of the most frequent class: a line, where it lies in the chart's range.
    pub(super) majority: Option<f64>,
}

impl Chart {
    /// The chart, or none if there is nothing to draw.
    pub(super) fn svg(&self) -> Option<String> {
        let mut xs: Vec<usize> = self.dots().map(|dot| dot.x).collect();
        xs.sort_unstable();
        xs.dedup();
        let (first, last) = (*xs.first()?, *xs.last()?);
        let axes = Axes {
            across: (first as f64, last as f64),
            logarithmic: self.axis == Axis::Sizes,
            up: range(self.dots().flat_map(|dot| bounds(&dot.value)))?,
            // The values along the bottom keep clear of the sides.
            area: Area { left: LEFT + 12., right: RIGHT - 16., top: TOP, bottom: BOTTOM },
        };
        let mut svg = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
            SIZE.0,
            SIZE.1,
            Escaped(&self.says)
        );
        self.grid(&mut svg, &axes);
        self.labels(&mut svg, &xs, &axes);
        // The transfer last, so that it lies on top.
        for series in self.series.iter().rev() {
            series.draw(&mut svg, &axes);
        }
        svg += "</svg>";
        Some(svg)
    }

    fn dots(&self) -> impl Iterator<Item = &Dot> {
        self.series.iter().flat_map(|series| &series.dots)
    }

    fn grid(&self, svg: &mut String, axes: &Axes) {
        for tick in axes.up.ticks() {
            let y = axes.y(tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0}</text>",
                LEFT - 6.,
                y + 4.,
                tick * 100.
            );
        }
        let within = |majority: &f64| (axes.up.low..=axes.up.high).contains(majority);
        if let Some(majority) = self.majority.filter(within) {
            let y = axes.y(majority);
            let _ = write!(
                svg,
                "<line class=\"majority\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            );
        }
    }

    fn labels(&self, svg: &mut String, xs: &[usize], axes: &Axes) {
        let mut free = f64::NEG_INFINITY;
        for &value in &self.ticks(xs) {
            let at = axes.x(value as f64);
            if at < free {
                continue;
            }
            free = at + LABEL;
            let _ = write!(
                svg,
                "<line class=\"tick\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{BOTTOM}\" y2=\"{}\"/>\
                 <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                BOTTOM + 4.,
                BOTTOM + 18.,
                words::count(value)
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            (LEFT + RIGHT) / 2.,
            SIZE.1 - 5.,
            isolated(&self.below)
        );
    }

    /// The values that are labelled, given those that were measured.
    fn ticks(&self, xs: &[usize]) -> Vec<usize> {
        if self.axis == Axis::Sizes || xs.len() < 7 {
            return xs.to_vec();
        }
        let (first, last) = (xs[0], xs[xs.len() - 1]);
        let step = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];
        let step = step.into_iter().find(|step| (last - first) / step < 5).unwrap_or(10_000);
        (first.div_ceil(step)..=last / step).map(|tick| tick * step).collect()
    }
}

impl Series {
    fn draw(&self, svg: &mut String, axes: &Axes) {
        let _ = write!(svg, "<g class=\"{}\">", self.kind.name());
        let at =
            |dot: &Dot, accuracy| format!("{:.1} {:.1}", axes.x(dot.x as f64), axes.y(accuracy));
        let whole = self.dots.len() > 1;
        let ranged: Vec<_> =
            self.dots.iter().filter_map(|dot| Some((dot, dot.value.interval?))).collect();
        if whole && ranged.len() == self.dots.len() {
            let up = ranged.iter().map(|(dot, i)| at(dot, i.high));
            let down = ranged.iter().rev().map(|(dot, i)| at(dot, i.low));
            let band = up.chain(down).collect::<Vec<_>>().join("L");
            let _ = write!(svg, "<path class=\"band\" d=\"M{band}Z\"/>");
        } else {
            for (dot, interval) in &ranged {
                let (low, high) = (at(dot, interval.low), at(dot, interval.high));
                let _ = write!(svg, "<path class=\"whisker\" d=\"M{low}L{high}\"/>");
            }
        }
        if whole {
            let line = self.dots.iter().map(|dot| at(dot, dot.value.mean));
            let line = line.collect::<Vec<_>>().join("L");
            let _ = write!(svg, "<path class=\"line\" d=\"M{line}\"/>");
        }
        for (number, dot) in self.dots.iter().enumerate() {
            let note = format!(
                "{}, {}: {} % ({})",
                words::arm(self.kind),
                words::count(dot.x),
                words::percent(dot.value.mean),
                words::span(&dot.value)
            );
            let (x, y) = (axes.x(dot.x as f64), axes.y(dot.value.mean));
            // Of many points the last alone has a mark; the others are there to be pointed at.
            let mark = if self.dots.len() <= MARKED || number + 1 == self.dots.len() {
                mark(self.kind, x, y, 3.2)
            } else {
                format!("<circle class=\"spot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>")
            };
            let _ = write!(svg, "<g><title>{note}</title>{mark}</g>");
        }
        *svg += "</g>";
    }
}

/// Text that does not turn the direction of writing around it, cut where it is long.
fn isolated(text: &str) -> String {
    let mut short: String = text.chars().take(BELOW).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    // The isolates are ours; those of the text are replaced.
    format!("\u{2068}{}\u{2069}", Escaped(&short))
}

/// An arm's mark: each has a shape of its own, for who does not see its colour.
fn mark(kind: ArmKind, x: f64, y: f64, r: f64) -> String {
    match kind {
        ArmKind::Transfer => {
            format!("<circle class=\"mark\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"/>")
        }
        ArmKind::Scratch => format!(
            "<path class=\"mark\" d=\"M{:.1} {:.1}h{d}v{d}h-{d}z\"/>",
            x - r * 0.9,
            y - r * 0.9,
            d = r * 1.8
        ),
        ArmKind::RandomFrozen => format!(
            "<path class=\"mark\" d=\"M{:.1} {:.1}l{:.1} {:.1}h-{:.1}z\"/>",
            x,
            y - r * 1.2,
            r * 1.2,
            r * 2.1,
            r * 2.4
        ),
        ArmKind::Shuffled => format!(
            "<path class=\"mark\" d=\"M{:.1} {:.1}l{d:.1} {d:.1}l-{d:.1} {d:.1}l-{d:.1} -{d:.1}z\"/>",
            x,
            y - r * 1.25,
            d = r * 1.25
        ),
    }
}

/// The line and mark that stand for an arm in the legend.
pub(super) fn sample(kind: ArmKind) -> String {
    format!(
        "<svg class=\"sample {}\" viewBox=\"0 0 30 12\" aria-hidden=\"true\">\
         <path class=\"line\" d=\"M1 6L29 6\"/>{}</svg>",
        kind.name(),
        mark(kind, 15., 6., 3.6)
    )
}

/// The line that stands for the most frequent class in the legend.
pub(super) const MAJORITY: &str = "<svg class=\"sample\" viewBox=\"0 0 30 12\" aria-hidden=\"true\">\
                                   <path class=\"majority\" d=\"M1 6L29 6\"/></svg>";

/// A line per arm with its accuracy and interval, on a scale from `low` to `high`.
pub(super) fn strip(arms: &[(ArmKind, Estimate)], (low, high): (f64, f64)) -> String {
    const WIDTH: f64 = 150.;
    const ROW: f64 = 10.;
    let x = |accuracy: f64| 5. + (accuracy - low) / (high - low).max(1e-6) * (WIDTH - 10.);
    let height = ROW * arms.len() as f64;
    let said = arms.iter().map(|(kind, accuracy)| {
        format!("{} {} %", words::arm(*kind), words::percent(accuracy.mean))
    });
    let said = said.collect::<Vec<_>>().join(", ");
    let mut svg = format!(
        "<svg class=\"strip\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{said}\">"
    );
    for (at, (kind, accuracy)) in arms.iter().enumerate() {
        let y = ROW * (at as f64 + 0.5);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/><g class=\"{}\">",
            kind.name()
        );
        if let Some(interval) = accuracy.interval {
            let (from, to) = (x(interval.low), x(interval.high));
            let _ = write!(svg, "<path class=\"whisker\" d=\"M{from:.1} {y}L{to:.1} {y}\"/>");
        }
        let _ = write!(svg, "{}</g>", mark(*kind, x(accuracy.mean), y, 3.4));
    }
    svg + "</svg>"
}

/// A mean and the ends of its interval.
pub(super) fn bounds(estimate: &Estimate) -> Vec<f64> {
    let ends = estimate.interval.into_iter().flat_map(|i| [i.low, i.high]);
    ends.chain([estimate.mean]).collect()
}

/// The range of values that a chart shows, from label to label, with all values in it.
fn range(values: impl Iterator<Item = f64>) -> Option<Range> {
    let (least, most) = values
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), value| (a.min(value), b.max(value)));
    if least > most {
        return None;
    }
    // Of accuracies, none is above 1; an error rate may be.
    let most_step = if most > 1. { f64::INFINITY } else { 0.2 };
    let step = round_step(((most - least) / 5.).max(0.01)).min(most_step);
    let low = ((least / step + 1e-9).floor() * step).max(0.);
    let high = (most / step - 1e-9).ceil() * step;
    let high = if most > 1. { high } else { high.min(1.) };
    let low = if high - low < step { (high - step).max(0.) } else { low };
    Some(Range { low, high: high.max(low + step), step })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[f64]) -> Vec<u32> {
        let range = range(values.iter().copied()).expect("values");
        range.ticks().iter().map(|tick| (tick * 100.).round() as u32).collect()
    }

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        assert_eq!(ticks(&[0.61, 0.984]), [60, 70, 80, 90, 100]);
        assert_eq!(ticks(&[0.5, 0.5]), [49, 50]);
        assert_eq!(ticks(&[1., 1.]), [99, 100]);
        assert_eq!(ticks(&[0., 0.]), [0, 1]);
        assert_eq!(ticks(&[0., 1.]), [0, 20, 40, 60, 80, 100]);
        assert_eq!(ticks(&[0.4, 1.9]), [0, 50, 100, 150, 200]);
        assert!(range(std::iter::empty()).is_none());
    }

    #[test]
    fn many_epochs_have_few_labels() {
        let chart = |axis| Chart {
            axis,
            says: String::new(),
            below: String::new(),
            series: Vec::new(),
            majority: Some(0.1),
        };
        let epochs: Vec<usize> = (1..=30).collect();
        assert_eq!(chart(Axis::Epochs).ticks(&epochs), [10, 20, 30]);
        assert_eq!(chart(Axis::Epochs).ticks(&[1, 2, 3]), [1, 2, 3]);
        assert_eq!(chart(Axis::Sizes).ticks(&[100, 300, 2700]), [100, 300, 2700]);
        assert_eq!(chart(Axis::Sizes).svg(), None);
    }
}
