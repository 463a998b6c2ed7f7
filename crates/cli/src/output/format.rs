//! Numbers and models for people to read.

use crosstune_core::{Device, TrunkConfig, error::printable};
pub(crate) use crosstune_report::words::count;

/// Where a model computes: `cpu, 2 threads`, `cuda:0`.
pub(crate) fn device(device: Device) -> String {
    match device {
        Device::Cpu => {
            let threads = tch::get_num_threads();
            format!("cpu, {threads} thread{}", if threads == 1 { "" } else { "s" })
        }
        Device::Cuda(index) => format!("cuda:{index}"),
        other => format!("{other:?}"),
    }
}

/// `81.2 %`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100. * fraction)
}

/// A measured number with four digits or more: `0.1234`, `12.50`, `1234`; far from 1 as `1.235e9`.
pub(crate) fn number(x: f64) -> String {
    match x.abs() {
        0. => "0".into(),
        size if !(1e-4..1e7).contains(&size) => format!("{x:.3e}"),
        size => format!("{x:.*}", (3. - size.log10().floor()).clamp(0., 7.) as usize),
    }
}

/// A score or a loss with three decimals, `0.812`; where that would have many digits, `1.2e9`.
pub(crate) fn score(x: f64) -> String {
    if x.abs() < 1e5 { format!("{x:.3}") } else { format!("{x:.1e}") }
}

/// A length, with two decimals at most: `512`, `2.56`.
pub(crate) fn amount(x: f64) -> String {
    match x.fract() == 0. || x >= 1000. {
        true => count(x as usize),
        false => format!("{x:.2}"),
    }
}

/// `4.1 s`, `2 min 5 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 60. {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:.0} s", (seconds / 60.) as u64, seconds % 60.)
    }
}

/// How many files have an ending: `3 .md`.
pub(crate) fn files(ending: &str, n: usize) -> String {
    match ending {
        "" => format!("{} without an ending", count(n)),
        ending => format!("{} .{ending}", count(n)),
    }
}

/// A line of a report: a name in a column of its own, then the text.
pub(crate) fn line(name: &str, text: impl std::fmt::Display) -> String {
    format!("{name:<12}{}", printable(&text.to_string()))
}

/// A trunk in a few words.
pub(crate) fn shape(trunk: &TrunkConfig) -> String {
    match trunk {
        TrunkConfig::Transformer(t) => {
            format!("{} blocks of width {}, {} heads, mlp {}", t.depth, t.width, t.heads, t.mlp)
        }
        TrunkConfig::ConvNet(r) => {
            let stages: Vec<_> =
                r.stages.iter().map(|s| format!("{} × {}", s.blocks, s.width)).collect();
            format!("blocks of {} channels", stages.join(", "))
        }
        TrunkConfig::Swin(s) => {
            let stages: Vec<_> = (s.stages.iter().enumerate())
                .map(|(i, stage)| format!("{} × {}", stage.blocks, s.channels(i)))
                .collect();
            let windows: Vec<_> = s.stages.iter().map(|stage| stage.window.to_string()).collect();
            format!(
                "windowed blocks of {} channels, windows of {}",
                stages.join(", "),
                windows.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(10_674_058), "10,674,058");
        let numbers = [0., 12.5, -0.123_456, 1234.56, 1e-5, 123_456.7, 2e9].map(number);
        let expected = ["0", "12.50", "-0.1235", "1235", "1.000e-5", "123457", "2.000e9"];
        assert_eq!(numbers, expected);
        assert_eq!([0.8124, -1e60, 5e-324].map(score), ["0.812", "-1.0e60", "0.000"]);
        assert_eq!([512., 2.5604, 19_490.2].map(amount), ["512", "2.56", "19,490"]);
        assert_eq!(seconds(59.94), "59.9 s");
        assert_eq!(seconds(125.), "2 min 5 s");
    }
}
