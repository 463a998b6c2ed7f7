//! The date and the machine of a measurement.

use std::{fs, thread, time::SystemTime};

use anyhow::Result;
use crosstune_core::{Device, MatmulPrecision, Precision};

use crate::{args::FitArgs, output::format::device as name};

/// The day, in UTC: `2026-11-24`.
pub(super) fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    date((since.as_secs() / 86_400) as i64)
}

/// The date of a day counted from 1970 (Hinnant 2013, *chrono-compatible low-level date algorithms*).
fn date(days: i64) -> String {
    // From the first of March of the year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, (month + 2) % 12 + 1);
    let year = year + 400 * era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The hardware, as far as the system tells, and how it computed:
/// `2 cores, Xeon …, matrix products in bf16, computing in one thread`.
///
/// # Errors
/// As the device.
pub(super) fn describe(fit: &FitArgs) -> Result<String> {
    let device = fit.device()?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": "));
    let model = model.map(|(_, model)| format!(", {model}")).unwrap_or_default();
    let gpu = if device == Device::Cpu { String::new() } else { format!(", {}", name(device)) };
    let products = match fit.matmul_precision.into() {
        MatmulPrecision::Highest => "",
        MatmulPrecision::High => ", matrix products in TF32",
        MatmulPrecision::Medium => ", matrix products in bf16",
    };
    let autocast = match fit.precision.value() {
        Precision::F32 => String::new(),
        precision => format!(", autocast to {precision}"),
    };
    let threads = if fit.deterministic { ", computing in one thread" } else { "" };
    let s = if cores == 1 { "" } else { "s" };
    Ok(format!("{cores} core{s}{model}{gpu}{products}{autocast}{threads}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (days, want) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_781, "2026-11-24")]
        {
            assert_eq!(date(days), want);
        }
    }
}
