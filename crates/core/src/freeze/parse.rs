//! From text to a set of parameters.

use std::str::FromStr;

use super::{FREEZE_SYNTAX, Freeze, Kind, Set};
use crate::{Error, Result};

impl FromStr for Freeze {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim() == "nothing" {
            return Ok(Self::nothing());
        }
        text.split(',').map(term).collect::<Option<_>>().map(Self).ok_or_else(|| Error::Setting {
            setting: "--freeze",
            problem: format!("{text:?} is not known; expected {FREEZE_SYNTAX}"),
        })
    }
}

pub(super) fn term(text: &str) -> Option<Set> {
    let mut factors = text.split("-but-").map(factor);
    let first = factors.next()??;
    factors.try_fold(first, |all, without| Some(Set::But(Box::new(all), Box::new(without?))))
}

fn factor(text: &str) -> Option<Set> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("not ") {
        return factor(rest).map(|set| Set::Not(Box::new(set)));
    }
    let count = |prefix| text.strip_prefix(prefix).map(|n: &str| n.parse().ok());
    if let Some(n) = count("below:") {
        return n.map(Set::Below);
    }
    if let Some(n) = count("top:") {
        return n.map(Set::Top);
    }
    Some(match text {
        "everything" => Set::Everything,
        "embedder" => Set::Embedder,
        "trunk" => Set::Trunk,
        "head" => Set::Head,
        "norms" => Set::Kind(Kind::Norms),
        "biases" => Set::Kind(Kind::Biases),
        "attention" => Set::Kind(Kind::Attention),
        "mlp" => Set::Kind(Kind::Mlp),
        // Our names have dots; a word without one and without a star is a slip of the pen.
        _ if text.contains(['.', '*']) && !text.contains(char::is_whitespace) => {
            Set::Glob(text.into())
        }
        _ => return None,
    })
}

impl From<Freeze> for String {
    fn from(freeze: Freeze) -> Self {
        freeze.to_string()
    }
}

impl TryFrom<String> for Freeze {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
