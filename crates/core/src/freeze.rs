//! Which parameters stand still: a pure function of our names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use tch::nn::VarStore;

use crate::{Error, Origin, Result};

/// A set of parts that do not train. Written as a list: `trunk`, `embedder,trunk`, `below:4`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Freeze(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The embedder.
    Embedder,
    /// The trunk.
    Trunk,
    /// The trunk, but its norms train (Lu et al. 2021, §2.2).
    TrunkButNorms,
    /// The trunk's first blocks, and a pretrained embedder, which lies below them.
    Below(usize),
}

/// What `--freeze` takes, for help texts and messages.
pub const FREEZE_SYNTAX: &str =
    "nothing, trunk, trunk-but-norms, below:N or embedder, or several with commas between";

impl Freeze {
    /// Nothing stands still.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Whether the parameter trains. The head always does, and so does a fresh embedder below a
    /// partly frozen trunk: a random projection that never learns is of use to nobody.
    ///
    /// Statistics ([`Scope::buffer`](crate::Scope::buffer)) are no parameters and never train.
    pub fn trains(&self, name: &str, embedder: Origin) -> bool {
        if name.ends_with(".running_mean") || name.ends_with(".running_var") {
            return false;
        }
        let mut words = name.split('.');
        let (top, inner, index) = (words.next(), words.next(), words.next());
        let is_norm = || name.split('.').any(|word| word.starts_with("norm"));
        !self.0.iter().any(|part| match (part, top) {
            (Part::Embedder, Some("embed")) => true,
            (Part::Below(_), Some("embed")) => embedder == Origin::Pretrained,
            (Part::Trunk, Some("trunk")) => true,
            (Part::TrunkButNorms, Some("trunk")) => !is_norm(),
            (Part::Below(n), Some("trunk")) => {
                let block = index.and_then(|i| i.parse::<usize>().ok());
                matches!(inner, Some("blocks" | "stages")) && block.is_some_and(|i| i < *n)
            }
            _ => false,
        })
    }

    /// Checks the set against a model, before anything is built.
    ///
    /// # Errors
    /// If `below:N` counts more blocks than the trunk has, or a fresh embedder would be frozen.
    pub fn check(&self, depth: usize, embedder: Origin) -> Result<()> {
        let problem = self.0.iter().find_map(|part| match part {
            Part::Below(n) if *n > depth => {
                Some(format!("below:{n} is above the top: the trunk's depth is {depth}"))
            }
            Part::Embedder if embedder == Origin::Fresh => Some(
                "the embedder is fresh, because the source was trained on another modality; \
                 frozen, it would stay random"
                    .to_string(),
            ),
            _ => None,
        });
        match problem {
            Some(problem) => Err(Error::Setting { setting: "--freeze", problem }),
            None => Ok(()),
        }
    }

    /// Sets `requires_grad` of every parameter, which is the one truth about what trains, and
    /// returns the numbers of trained and of frozen values.
    pub fn apply(&self, store: &VarStore, embedder: Origin) -> (usize, usize) {
        let (mut trained, mut frozen) = (0, 0);
        for (name, tensor) in store.variables() {
            let trains = self.trains(&name, embedder);
            let _ = tensor.set_requires_grad(trains);
            *if trains { &mut trained } else { &mut frozen } += tensor.numel();
        }
        (trained, frozen)
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (i, part) in self.0.iter().enumerate() {
            f.write_str(if i > 0 { "," } else { "" })?;
            match part {
                Part::Embedder => f.write_str("embedder")?,
                Part::Trunk => f.write_str("trunk")?,
                Part::TrunkButNorms => f.write_str("trunk-but-norms")?,
                Part::Below(n) => write!(f, "below:{n}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Freeze {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "nothing" {
            return Ok(Self::nothing());
        }
        let part = |word: &str| match word {
            "embedder" => Some(Part::Embedder),
            "trunk" => Some(Part::Trunk),
            "trunk-but-norms" => Some(Part::TrunkButNorms),
            _ => word.strip_prefix("below:").and_then(|n| n.parse().ok()).map(Part::Below),
        };
        text.split(',').map(|word| part(word.trim())).collect::<Option<_>>().map(Self).ok_or_else(
            || Error::Setting {
                setting: "--freeze",
                problem: format!("{text:?} is not known; expected {FREEZE_SYNTAX}"),
            },
        )
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_freezes_its_names() {
        let names = [
            "embed.project.weight",
            "embed.norm.weight",
            "trunk.blocks.0.attn.q.weight",
            "trunk.blocks.0.norm1.bias",
            "trunk.blocks.1.mlp.up.weight",
            "trunk.norm.weight",
            "head.weight",
        ];
        for (freeze, embedder, trains) in [
            ("nothing", Origin::Fresh, "1111111"),
            ("trunk", Origin::Fresh, "1100001"),
            ("trunk-but-norms", Origin::Fresh, "1101011"),
            ("below:1", Origin::Fresh, "1100111"),
            ("below:1", Origin::Pretrained, "0000111"),
            ("below:0", Origin::Fresh, "1111111"),
            ("embedder,trunk", Origin::Pretrained, "0000001"),
            ("embedder, trunk-but-norms", Origin::Pretrained, "0001011"),
        ] {
            let set: Freeze = freeze.parse().unwrap();
            let bits: String =
                names.map(|n| if set.trains(n, embedder) { '1' } else { '0' }).iter().collect();
            assert_eq!(bits, trains, "{freeze}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["nothing", "trunk", "below:3", "embedder,trunk-but-norms"] {
            assert_eq!(text.parse::<Freeze>().unwrap().to_string(), text);
        }
        for wrong in ["", "all", "below:", "below:-1", "trunk,,head"] {
            let message = wrong.parse::<Freeze>().unwrap_err().to_string();
            assert!(message.starts_with("--freeze: "), "{message}");
        }
    }

    #[test]
    fn impossible_sets_are_refused() {
        let check = |text: &str, embedder| text.parse::<Freeze>().unwrap().check(6, embedder);
        assert!(check("below:6", Origin::Fresh).is_ok());
        assert!(check("below:7", Origin::Fresh).is_err());
        assert!(check("embedder", Origin::Pretrained).is_ok());
        assert!(check("embedder", Origin::Fresh).is_err());
    }
}
