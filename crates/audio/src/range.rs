//! The ranges of options.

use std::{fmt::Display, ops::RangeInclusive};

use crosstune_core::{Error, Result};

/// Checks that an option is in range, by its name.
pub(crate) fn within<T: PartialOrd + Display>(
    setting: &'static str,
    value: &T,
    range: RangeInclusive<T>,
    unit: &str,
) -> Result<()> {
    if range.contains(value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(Error::Setting {
        setting,
        problem: format!("expected {least} to {most}{unit}, got {value}"),
    })
}
