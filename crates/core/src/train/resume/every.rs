//! How often a training leaves a checkpoint.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How often a training leaves a checkpoint: `500steps`, `1epoch`, `5min`, `never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// After so many steps.
    Steps(usize),
    /// After so many epochs.
    Epochs(usize),
    /// After so much time, at the next step.
    Time(Duration),
    /// Not at all.
    Never,
}

impl Default for CheckpointEvery {
    /// Every five minutes.
    fn default() -> Self {
        Self::Time(Duration::from_secs(5 * 60))
    }
}

impl FromStr for CheckpointEvery {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str =
            "expected a number of steps, epochs or minutes: 500steps, 1epoch, 5min; or never";
        if text == "never" {
            return Ok(Self::Never);
        }
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u32 = match text[..text.len() - unit.len()].parse() {
            Ok(0) | Err(_) => return Err(WANTED),
            Ok(number) => number,
        };
        let seconds = |each: u64| Self::Time(Duration::from_secs(u64::from(number) * each));
        match unit.trim_start() {
            "step" | "steps" => Ok(Self::Steps(number as usize)),
            "epoch" | "epochs" => Ok(Self::Epochs(number as usize)),
            "s" | "sec" | "second" | "seconds" => Ok(seconds(1)),
            "m" | "min" | "minute" | "minutes" => Ok(seconds(60)),
            "h" | "hour" | "hours" => Ok(seconds(60 * 60)),
            _ => Err(WANTED),
        }
    }
}

impl fmt::Display for CheckpointEvery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        match *self {
            Self::Steps(n) => write!(f, "{n}step{}", plural(n)),
            Self::Epochs(n) => write!(f, "{n}epoch{}", plural(n)),
            Self::Time(time) if time.as_secs() % 60 == 0 => write!(f, "{}min", time.as_secs() / 60),
            Self::Time(time) => write!(f, "{}s", time.as_secs()),
            Self::Never => f.write_str("never"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_epochs_and_times_are_read() {
        let time = |seconds| CheckpointEvery::Time(Duration::from_secs(seconds));
        for (text, every, written) in [
            ("500steps", CheckpointEvery::Steps(500), "500steps"),
            ("1 step", CheckpointEvery::Steps(1), "1step"),
            ("2epochs", CheckpointEvery::Epochs(2), "2epochs"),
            ("5min", time(300), "5min"),
            ("1h", time(3600), "60min"),
            ("90s", time(90), "90s"),
            ("never", CheckpointEvery::Never, "never"),
        ] {
            assert_eq!(text.parse(), Ok(every));
            assert_eq!(every.to_string(), written);
            assert_eq!(written.parse(), Ok(every));
        }
        assert_eq!(CheckpointEvery::default().to_string(), "5min");
        for wrong in ["", "5", "0steps", "min", "-1min", "5 fortnights", "99999999999steps", "é"] {
            let refused = wrong.parse::<CheckpointEvery>();
            assert!(refused.unwrap_err().starts_with("expected a number of steps"), "{wrong}");
        }
    }
}
