//! Groups: samples that stay together when data is split.

use regex::Regex;

use super::found::Found;
use super::item::Input;
use crate::error::{Error, Result};

/// The option that finds groups, for messages.
pub(super) const GROUP_PATTERN: &str = "--group-pattern";

/// Finds the group of each sample in its file name.
pub(super) fn by_pattern(found: &mut [Found], pattern: &Regex) -> Result<()> {
    for one in found {
        let bad = |problem| Error::Data { path: one.place.to_string().into(), problem };
        let name = match &one.input {
            Input::File(path) => path.file_name().and_then(|name| name.to_str()),
            Input::Bytes { name, .. } => Some(name.as_str()),
            Input::Stored(stored) => Some(stored.name().unwrap_or_default()),
            Input::Text(_) | Input::Pair(_) | Input::Words(_) => {
                let problem = "texts have no file names; give --group-column";
                return Err(Error::setting(GROUP_PATTERN, problem));
            }
        };
        let name = name.ok_or_else(|| bad("the name is not UTF-8; rename it".into()))?;
        let captures = pattern.captures(name);
        let group = captures.and_then(|c| c.name("group").or_else(|| c.get(1)).or(c.get(0)));
        let group = group.ok_or_else(|| {
            bad(format!("{name:?} has no group by {GROUP_PATTERN} '{pattern}'; widen the pattern"))
        })?;
        one.group = Some(group.as_str().to_string());
    }
    Ok(())
}

/// The same of held-out samples, whose groups are only told of: those without a group have none.
pub(super) fn of_held_out(found: &mut [Found], pattern: &Regex) {
    for one in found {
        let _ = by_pattern(std::slice::from_mut(one), pattern);
    }
}
