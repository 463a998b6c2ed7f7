//! Which parameters are frozen: a pure function of our names, written in a small language.
//!
//! ```text
//! set    = term { "," term }          all of these together
//! term   = factor { "-but-" factor }  the first without the others
//! factor = "not" factor | name
//! name   = none | everything | embedder | trunk | head     by part
//!        | below:N | top:N                                    by depth
//!        | norms | biases | attention | mlp                   by kind
//!        | feature-encoder                                    an embedder's convolutions
//!        | a glob on our names: trunk.blocks.*.attn.q.*
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tch::nn::VarStore;

use super::part::{ModelOutline, ModelPart, is_running_stat};
use crate::error::{Error, Result};
use crate::weights::{Origin, names};

/// A set of parameters that do not train: `trunk`, `trunk-but-norms`, `embedder,below:4`,
/// `not top:2`.
///
/// New parameters (the head, and the embedder of a source of another modality) are frozen only
/// where they are named: by `head`, `embedder`, `everything` or a glob. `not biases` freezes all
/// pretrained parameters but the biases, and leaves a new head alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Freeze(Vec<Set>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Set {
    Everything,
    Embedder,
    Trunk,
    Head,
    /// The trunk's first parts, and a pretrained embedder, which lies below them.
    Below(usize),
    /// The trunk's last parts, with the final norm.
    Top(usize),
    Kind(Kind),
    Glob(String),
    Not(Box<Set>),
    /// The first without the second.
    But(Box<Set>, Box<Set>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Norms,
    Biases,
    Attention,
    Mlp,
}

/// The syntax of `--freeze`, for help texts and messages.
pub const FREEZE_SYNTAX: &str = "none, everything, embedder, trunk, head, below:N, \
    top:N, norms, biases, attention, mlp, feature-encoder (an embedder's convolutions), a glob such as trunk.blocks.*.attn.q.*, `not X`, \
    `X-but-Y`, or several with commas between";

/// The convolutions of an embedder, which those who tune models of speech leave as they are (Baevski et
/// al. 2020, §4.3).
const FEATURE_ENCODER: &str = "embed.conv*";

impl Freeze {
    /// Nothing is frozen.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The union of sets whose syntax is known to be correct.
    pub(crate) fn set(terms: &[&str]) -> Self {
        Self(terms.iter().filter_map(|text| term(text)).collect())
    }

    /// The trunk's first parts, and a pretrained embedder.
    pub fn below(parts: usize) -> Self {
        Self(vec![Set::Below(parts)])
    }

    /// Whether the parameter trains. Running statistics
    /// ([`VarBuilder::buffer`](crate::weights::VarBuilder::buffer)) are no parameters and never do.
    pub fn trains(&self, name: &str, outline: ModelOutline) -> bool {
        !is_running_stat(name) && !self.0.iter().any(|set| set.holds(name, outline))
    }

    /// Checks the set against a model's depth, before anything is built.
    ///
    /// # Errors
    /// If `below:N` or `top:N` counts more parts than the trunk has.
    pub fn check(&self, outline: ModelOutline) -> Result<()> {
        match self.0.iter().find_map(|set| set.beyond(outline.depth)) {
            Some(problem) => Err(Error::setting("--freeze", problem)),
            None => Ok(()),
        }
    }

    /// Sets `requires_grad` of every parameter, which alone decides what trains, and returns the
    /// numbers of trained and of frozen values.
    ///
    /// # Errors
    /// If a glob matches no parameter.
    pub fn apply(&self, store: &VarStore, outline: ModelOutline) -> Result<(usize, usize)> {
        let variables = store.variables();
        for glob in self.0.iter().flat_map(Set::globs) {
            if !variables.keys().any(|name| names::matches(glob, name)) {
                let near = names::nearest(glob, variables.keys().map(String::as_str));
                let help = match near {
                    Some((_, name)) => format!("did you mean {name}?"),
                    None => "the names are Crosstune's, which --plan FILE writes down".to_owned(),
                };
                let problem = format!("no parameter is called {glob}; {help}");
                return Err(Error::setting("--freeze", problem));
            }
        }
        let (mut trained, mut frozen) = (0, 0);
        for (name, tensor) in variables {
            let trains = self.trains(&name, outline);
            let _ = tensor.set_requires_grad(trains);
            *if trains { &mut trained } else { &mut frozen } += tensor.numel();
        }
        Ok((trained, frozen))
    }

    /// Freezes what it holds, and leaves all else as it is.
    pub(crate) fn add_to(&self, store: &VarStore, outline: ModelOutline) {
        for (name, tensor) in store.variables() {
            if !self.trains(&name, outline) {
                let _ = tensor.set_requires_grad(false);
            }
        }
    }

    /// The union of both sets.
    pub fn and(&self, other: &Self) -> Self {
        let new = other.0.iter().filter(|set| !self.0.contains(set));
        Self(self.0.iter().chain(new).cloned().collect())
    }
}

impl Set {
    fn holds(&self, name: &str, outline: ModelOutline) -> bool {
        let part = ModelPart::of(name, outline.depth);
        // Kinds, depths and complements are of pretrained parameters.
        let pretrained = match part {
            ModelPart::Embedder => outline.embedder == Origin::Pretrained,
            ModelPart::Trunk(_) => true,
            ModelPart::Head => false,
        };
        match self {
            Self::Everything => true,
            Self::Embedder => part == ModelPart::Embedder,
            Self::Trunk => matches!(part, ModelPart::Trunk(_)),
            Self::Head => part == ModelPart::Head,
            Self::Below(n) => pretrained && part < ModelPart::Trunk(*n),
            Self::Top(n) => match part {
                ModelPart::Trunk(index) => *n > 0 && index + n >= outline.depth,
                _ => false,
            },
            Self::Kind(kind) => pretrained && kind.holds(name),
            Self::Glob(glob) => names::matches(glob, name),
            Self::Not(set) => pretrained && !set.holds(name, outline),
            Self::But(all, without) => all.holds(name, outline) && !without.holds(name, outline),
        }
    }

    /// What is wrong with a count of parts.
    fn beyond(&self, depth: usize) -> Option<String> {
        match self {
            Self::Below(n) | Self::Top(n) if *n > depth => {
                Some(format!("{self} counts too far: the trunk's depth is {depth}"))
            }
            Self::Not(set) => set.beyond(depth),
            Self::But(all, without) => all.beyond(depth).or_else(|| without.beyond(depth)),
            _ => None,
        }
    }

    fn globs(&self) -> Vec<&str> {
        match self {
            Self::Glob(glob) => vec![glob],
            Self::Not(set) => set.globs(),
            Self::But(all, without) => [all.globs(), without.globs()].concat(),
            _ => vec![],
        }
    }
}

impl Kind {
    fn holds(self, name: &str) -> bool {
        let mut words = name.split('.');
        match self {
            Self::Norms => words.any(|word| word.starts_with("norm")),
            Self::Biases => name.ends_with(".bias"),
            Self::Attention => words.any(|word| word == "attn"),
            Self::Mlp => words.any(|word| word == "mlp"),
        }
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (i, set) in self.0.iter().enumerate() {
            write!(f, "{}{set}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Embedder => f.write_str("embedder"),
            Self::Trunk => f.write_str("trunk"),
            Self::Head => f.write_str("head"),
            Self::Below(n) => write!(f, "below:{n}"),
            Self::Top(n) => write!(f, "top:{n}"),
            Self::Kind(Kind::Norms) => f.write_str("norms"),
            Self::Kind(Kind::Biases) => f.write_str("biases"),
            Self::Kind(Kind::Attention) => f.write_str("attention"),
            Self::Kind(Kind::Mlp) => f.write_str("mlp"),
            Self::Glob(glob) => f.write_str(glob),
            Self::Not(set) => write!(f, "not {set}"),
            Self::But(all, without) => write!(f, "{all}-but-{without}"),
        }
    }
}

impl FromStr for Freeze {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if matches!(text.trim(), "nothing" | "none") {
            return Ok(Self::nothing());
        }
        text.split(',').map(term).collect::<Option<_>>().map(Self).ok_or_else(|| {
            Error::setting("--freeze", format!("{text:?} is not known; expected {FREEZE_SYNTAX}"))
        })
    }
}

fn term(text: &str) -> Option<Set> {
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
        "feature-encoder" => Set::Glob(FEATURE_ENCODER.into()),
        // Our names have dots; a word without a dot and without a star is a typing error.
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

#[cfg(test)]
mod tests;
