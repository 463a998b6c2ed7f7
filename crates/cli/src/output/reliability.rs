//! How far probabilities can be trusted, for people to read.

use crosstune_core::task::{CalibrationMetrics, Reliability, ReliabilityBin, SetMetrics};
use crosstune_report::{Bin, Calibration, reliability_svg};

use super::format::{count, percent};

/// The width of a bar from 0 to 100 %, in characters.
const WIDTH: usize = 30;

/// A row of figures before and after calibration, then a reliability diagram of what the model answers
/// with: how often it is right by how sure it is.
pub(crate) fn table(of: &CalibrationMetrics, samples: &str) -> String {
    let mut text = format!(
        "{:<22}  {:>6}  {:>6}  {:>6}  {:>6}\n",
        "probabilities", "ECE", "MCE", "Brier", "NLL"
    );
    let mut row = |name: &str, of: &Reliability| {
        let [ece, mce] = [of.ece, of.mce].map(percent);
        text += &format!("{name:<22}  {ece:>6}  {mce:>6}  {:>6.4}  {:>6.4}\n", of.brier, of.nll);
    };
    row("the model's own", &of.uncalibrated);
    if let (Some(calibrated), Some(temperature)) = (&of.calibrated, of.temperature) {
        row(&format!("at temperature {temperature:.3}"), calibrated);
    }
    text += &format!("\n{:<13}  {samples:>10}  {:>7}  {:>7}\n", "confidence", "mean", "right");
    let of = of.answered();
    for (at, bin) in of.bins.iter().enumerate().filter(|(_, bin)| bin.forecasts > 0) {
        let [from, to] = [at, at + 1].map(|end| 100. * end as f64 / of.bins.len() as f64);
        let [confidence, accuracy] = [bin.confidence, bin.accuracy].map(percent);
        let samples = count(bin.forecasts);
        let range = format!("{from:.1} – {to:.1} %");
        text +=
            &format!("{range:<13}  {samples:>10}  {confidence:>7}  {accuracy:>7}  {}\n", bar(bin));
    }
    text + "(bar: how often it is right; |: how sure it is)\n"
}

/// How often sets of classes hold the right one.
pub(crate) fn sets(of: &SetMetrics, samples: &str) -> String {
    format!(
        "sets of {}: {} of {} {samples} have the right class in theirs; {:.2} classes on average, {} \
         of the sets are empty\n",
        percent(of.level),
        percent(of.coverage),
        count(of.samples),
        of.mean_size,
        percent(of.empty)
    )
}

/// The reliability diagram as an SVG file, before and after calibration.
pub(crate) fn diagram(of: &CalibrationMetrics) -> String {
    let Calibration { uncalibrated, calibrated, .. } = reported(of);
    reliability_svg(&uncalibrated, calibrated.as_ref())
}

/// The same for a report.
pub(crate) fn reported(of: &CalibrationMetrics) -> Calibration {
    let bin = |bin: &ReliabilityBin| Bin {
        forecasts: bin.forecasts,
        confidence: bin.confidence,
        accuracy: bin.accuracy,
    };
    let reliability = |of: &Reliability| crosstune_report::Reliability {
        ece: of.ece,
        brier: of.brier,
        nll: of.nll,
        bins: of.bins.iter().map(bin).collect(),
    };
    Calibration {
        uncalibrated: reliability(&of.uncalibrated),
        calibrated: of.calibrated.as_ref().map(reliability),
        temperature: of.temperature,
    }
}

/// A bar as long as the accuracy, with a mark at the confidence.
fn bar(bin: &ReliabilityBin) -> String {
    let at = |fraction: f64| (fraction * WIDTH as f64).round() as usize;
    let (filled, mark) = (at(bin.accuracy), at(bin.confidence).min(WIDTH - 1));
    let cell = |at: usize| match (at == mark, at < filled) {
        (true, _) => '|',
        (false, true) => '█',
        (false, false) => '·',
    };
    (0..WIDTH).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_bin_with_samples() {
        let bin =
            |forecasts, confidence, accuracy| ReliabilityBin { forecasts, confidence, accuracy };
        let of = |ece| Reliability {
            forecasts: 4,
            ece,
            mce: 0.5,
            brier: 0.2,
            nll: 0.3,
            bins: vec![bin(0, 0., 0.), bin(1, 0.6, 1.), bin(3, 0.9, 0.3333)],
        };
        let both = CalibrationMetrics {
            uncalibrated: of(0.0614),
            calibrated: Some(of(0.02)),
            temperature: Some(1.3117),
        };
        let text = table(&both, "pictures");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "the model's own          6.1 %  50.0 %  0.2000  0.3000");
        assert_eq!(lines[2], "at temperature 1.312     2.0 %  50.0 %  0.2000  0.3000");
        assert_eq!(lines.len(), 8, "{text}");
        assert!(lines[5].ends_with("  ██████████████████|███████████"), "{text}");
        assert!(lines[6].ends_with("  ██████████·················|··"), "{text}");
    }
}
