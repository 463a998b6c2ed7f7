//! LoRA (Hu et al. 2021): a linear layer keeps its weight and learns a low-rank product beside it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::names;
use crate::error::{Error, Result};

/// Which linear layers get an adapter, and of what shape: `y = x Wᵀ + b + (α/r) · x Aᵀ Bᵀ`, with
/// `A [r, d_in]` and `B [d_out, r]`. `B` is initialised to zero, so that training starts from the
/// pretrained model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// The rank `r` of the product.
    pub rank: i64,
    /// α: the product is scaled by `alpha / rank`.
    pub alpha: f64,
    /// The dropout probability of an adapter's inputs in training.
    pub dropout: f64,
    /// Globs on our names of linear layers in the trunk and in a pretrained embedder: `*.attn.q`.
    pub targets: Vec<String>,
}

impl Default for Lora {
    /// As the paper adapts RoBERTa: rank 8, α 8, queries and values of every block (§5.2, Table 9).
    fn default() -> Self {
        Self {
            rank: 8,
            alpha: 8.,
            dropout: 0.,
            targets: vec!["*.attn.q".into(), "*.attn.v".into()],
        }
    }
}

/// Whether a parameter belongs to an adapter: `trunk.blocks.3.attn.q.lora_a`.
pub fn is_adapter(name: &str) -> bool {
    adapted(name).is_some()
}

/// The layer that an adapter's parameter belongs to: `trunk.blocks.3.attn.q`.
pub(crate) fn adapted(name: &str) -> Option<&str> {
    let (layer, leaf) = name.rsplit_once('.')?;
    (leaf == A || leaf == B).then_some(layer)
}

/// The names of an adapter's two parameters below its layer.
pub(crate) const A: &str = "lora_a";

pub(crate) const B: &str = "lora_b";

impl Lora {
    /// What the product of `A` and `B` is multiplied by.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Checks the numbers, before anything is built.
    ///
    /// # Errors
    /// Names the setting that cannot be used.
    pub fn check(&self) -> Result<()> {
        let (setting, problem) = if self.rank < 1 {
            ("--lora-rank", format!("{}: must be at least 1", self.rank))
        } else if self.alpha <= 0. || !self.alpha.is_finite() {
            ("--lora-alpha", format!("{}: must be above 0", self.alpha))
        } else if !(0.0..1.0).contains(&self.dropout) {
            ("--lora-dropout", format!("{}: must be at least 0 and below 1", self.dropout))
        } else if self.targets.is_empty() {
            (TARGETS, "no layer is named; give globs such as *.attn.q".into())
        } else {
            return Ok(());
        };
        Err(Error::setting(setting, problem))
    }
}

const TARGETS: &str = "--lora-targets";

/// LoRA while a model is built: records the linear layers that are built.
#[derive(Debug)]
pub(crate) struct Adapting<'l> {
    lora: &'l Lora,
    layers: RefCell<BTreeSet<String>>,
}

impl<'l> Adapting<'l> {
    pub(crate) fn new(lora: &'l Lora) -> Self {
        Self { lora, layers: RefCell::default() }
    }

    /// The adapter's shape, if the linear layer of this name gets one.
    pub(crate) fn of(&self, layer: &str) -> Option<&'l Lora> {
        self.layers.borrow_mut().insert(layer.into());
        let lora = self.lora;
        lora.targets.iter().any(|glob| names::matches(glob, layer)).then_some(lora)
    }

    /// Checks that every target matches a linear layer. `parameters` are the names of all
    /// parameters of the model.
    pub(crate) fn check<'n>(&self, parameters: impl Iterator<Item = &'n str>) -> Result<()> {
        let layers = self.layers.borrow();
        let met = |glob: &&String| layers.iter().any(|layer| names::matches(glob, layer));
        let Some(glob) = self.lora.targets.iter().find(|glob| !met(glob)) else { return Ok(()) };
        let mut modules = parameters.filter_map(|name| Some(name.rsplit_once('.')?.0));
        let problem = if layers.is_empty() {
            format!("{glob} matches nothing: this model has no linear layer to adapt")
        } else if let Some(other) = modules.find(|module| names::matches(glob, module)) {
            let why = match other.starts_with("trunk.") {
                true => "is not a linear layer",
                false => "is not a linear layer, or is new and trains in full",
            };
            format!("{glob} matches {other}, which {why}")
        } else {
            format!("{glob} matches no layer; there are {}", kinds(&layers).join(", "))
        };
        Err(Error::setting(TARGETS, problem))
    }
}

/// Names with a star for each number, without duplicates: `trunk.blocks.*.attn.q`.
fn kinds(layers: &BTreeSet<String>) -> Vec<String> {
    let star = |word: &str| match word.parse::<usize>() {
        Ok(_) => "*".to_string(),
        Err(_) => word.to_string(),
    };
    let kind = |layer: &String| layer.split('.').map(star).collect::<Vec<_>>().join(".");
    layers.iter().map(kind).collect::<BTreeSet<_>>().into_iter().collect()
}
