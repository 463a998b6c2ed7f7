//! Recipes: what to train, when and at which learning rates, each from its paper.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{Freeze, ModelOutline};
use crate::nn::FeatureShape;
use crate::train::{FitOptions, Phase, PhaseStart, ScheduleKind};
use crate::weights::{Lora, Origin};

/// A way of adapting a pretrained model to a new task, with its own defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// Everything trains, pretrained parameters at a lower rate.
    #[default]
    FineTune,
    /// The head alone trains (Alain and Bengio 2017). Everything below is frozen, a new embedder
    /// too, so that features are computed only once.
    LinearProbe,
    /// The head first, then everything at a low rate (LP-FT, Kumar et al. 2022).
    LpFt,
    /// From the top, one part more is unfrozen in every epoch, and lower parts have lower rates
    /// (ULMFiT, Howard and Ruder 2018).
    Gradual,
    /// The trunk's norms train, its attention and MLPs are frozen (Frozen Pretrained Transformer,
    /// Lu et al. 2021).
    Fpt,
    /// Low-rank adapters train beside frozen linear layers (LoRA, Hu et al. 2021).
    Lora,
    /// Biases train, and all other pretrained parameters are frozen (BitFit, Ben Zaken et al.
    /// 2022).
    #[serde(rename = "bitfit")]
    BitFit,
    /// A new embedder is aligned with the source's own, then everything trains (ORCA, Shen et al.
    /// 2023).
    Orca,
    /// Nothing is pretrained: a control.
    Scratch,
}

/// How a model's parameters are initialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightInit {
    /// With the source's.
    Pretrained,
    /// At random: the source gives the architecture alone.
    Random,
    /// With the source's, shuffled within each tensor
    /// ([`Model::shuffle`](crate::model::Model::shuffle)): a control that keeps the scale and loses
    /// what was learnt.
    Shuffled,
}

/// A recipe's plan for one model.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipePlan {
    /// How the parameters are initialised.
    pub init: WeightInit,
    /// The frozen parameters, in the first phase if there are several.
    pub freeze: Freeze,
    /// The phases, if there are several.
    pub phases: Vec<Phase>,
    /// The peak rate of new parameters.
    pub lr: f64,
    /// The peak rate of pretrained parameters.
    pub pretrained_lr: f64,
    /// See [`FitOptions::layer_decay`].
    pub layer_decay: f64,
    /// See [`FitOptions::schedule`].
    pub schedule: ScheduleKind,
    /// The adapters of linear layers.
    pub lora: Option<Lora>,
    /// Whether a new embedder is aligned with the source's own first; see
    /// [`align`](crate::transfer::align::align()).
    pub align: bool,
}

/// What overrides a recipe's defaults.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Overrides [`RecipePlan::init`].
    pub init: Option<WeightInit>,
    /// Overrides [`RecipePlan::freeze`], where the recipe has no phases.
    pub freeze: Option<Freeze>,
    /// Overrides [`RecipePlan::lr`].
    pub lr: Option<f64>,
    /// Overrides [`RecipePlan::pretrained_lr`].
    pub pretrained_lr: Option<f64>,
    /// Overrides [`RecipePlan::layer_decay`].
    pub layer_decay: Option<f64>,
    /// Overrides [`RecipePlan::schedule`].
    pub schedule: Option<ScheduleKind>,
    /// Overrides [`RecipePlan::lora`].
    pub lora: Option<Lora>,
}

impl Recipe {
    /// All recipes.
    pub const ALL: [Self; 9] = [
        Self::FineTune,
        Self::LinearProbe,
        Self::LpFt,
        Self::Gradual,
        Self::Fpt,
        Self::Lora,
        Self::BitFit,
        Self::Orca,
        Self::Scratch,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::FineTune => "fine-tune",
            Self::LinearProbe => "linear-probe",
            Self::LpFt => "lp-ft",
            Self::Gradual => "gradual",
            Self::Fpt => "fpt",
            Self::Lora => "lora",
            Self::BitFit => "bitfit",
            Self::Orca => "orca",
            Self::Scratch => "scratch",
        }
    }

    /// The plan for a model of this outline whose trunk takes `form`, in so many epochs.
    ///
    /// # Errors
    /// If the recipe itself decides what was overridden, or makes no sense for the model.
    pub fn plan(
        self,
        outline: ModelOutline,
        form: FeatureShape,
        epochs: usize,
        choices: Overrides,
    ) -> Result<RecipePlan> {
        let init = choices.init.unwrap_or(match self {
            Self::Scratch => WeightInit::Random,
            _ => WeightInit::Pretrained,
        });
        if self == Self::Orca && outline.embedder == Origin::Pretrained {
            let problem = "orca aligns a new embedder, but the source was trained on such inputs \
                           and brings its own; take fine-tune";
            return Err(Error::setting("--recipe", problem));
        }
        let lora = match self {
            Self::Lora => Some(choices.lora.unwrap_or_default()),
            _ if choices.lora.is_some() => {
                let problem = "it belongs to the recipe lora; add --recipe lora";
                return Err(Error::setting("--lora-…", problem));
            }
            _ => None,
        };
        let below_head = Freeze::set(&["embedder", "trunk"]);
        let freeze = match self {
            Self::FineTune | Self::Orca | Self::Scratch => Freeze::nothing(),
            Self::LinearProbe => below_head.clone(),
            // A new embedder has to be trained along with the head.
            Self::LpFt | Self::Gradual if outline.embedder == Origin::Fresh => {
                Freeze::set(&["trunk"])
            }
            Self::LpFt | Self::Gradual => below_head.clone(),
            Self::Fpt => Freeze::set(&["trunk-but-norms"]),
            Self::Lora => Freeze::set(&["not *.lora_?"]),
            Self::BitFit => Freeze::set(&["not biases"]),
        };
        if choices.freeze.is_some() && matches!(self, Self::LpFt | Self::Gradual) {
            let problem =
                format!("the recipe {self} decides what is frozen in each phase; leave it out");
            return Err(Error::setting("--freeze", problem));
        }
        let freeze = choices.freeze.unwrap_or(freeze);
        let usual = self.rates(init, outline, form, &freeze);
        let lr = choices.lr.unwrap_or(usual.0);
        let pretrained_lr = choices.pretrained_lr.unwrap_or(usual.1);
        let phases = match self {
            Self::LpFt => probe_then_all(&freeze, epochs, pretrained_lr)?,
            Self::Gradual => from_the_top(&freeze, outline, epochs),
            _ => vec![],
        };
        let (layer_decay, schedule) = match self {
            // The paper's factor of 2.6, and its slanted triangular schedule.
            Self::Gradual => (1. / 2.6, ScheduleKind::Linear),
            _ => (1., ScheduleKind::Cosine),
        };
        Ok(RecipePlan {
            init,
            freeze,
            phases,
            lr,
            pretrained_lr,
            layer_decay: choices.layer_decay.unwrap_or(layer_decay),
            schedule: choices.schedule.unwrap_or(schedule),
            lora,
            align: self == Self::Orca,
        })
    }

    /// Rates that were good in a grid search: of new and of pretrained parameters.
    fn rates(
        self,
        init: WeightInit,
        outline: ModelOutline,
        form: FeatureShape,
        freeze: &Freeze,
    ) -> (f64, f64) {
        // Any matrix of the topmost part, which is the last to be frozen.
        let top = format!("trunk.blocks.{}.weight", outline.depth.saturating_sub(1));
        let trunk_trains = freeze.trains(&top, outline) && self != Self::LpFt;
        let feature_map = matches!(form, FeatureShape::FeatureMap { .. });
        match (self, init, outline.embedder, trunk_trains) {
            (Self::LinearProbe, ..) => (1e-2, 1e-2),
            // Batch norms allow high rates.
            (_, _, _, true) if feature_map => (3e-3, 3e-3),
            (_, WeightInit::Random, _, true) => (3e-4, 3e-4),
            (Self::Lora, ..) => (1e-3, 1e-3),
            (Self::LpFt, _, Origin::Fresh, _) => (3e-3, 3e-4),
            (Self::LpFt, _, Origin::Pretrained, _) => (1e-2, 1e-4),
            // At most norms, which allow a high rate.
            (_, _, Origin::Fresh, false) => (3e-3, 3e-3),
            (_, _, Origin::Pretrained, false) => (3e-3, 1e-3),
            (_, _, Origin::Fresh, true) => (3e-3, 3e-4),
            (_, _, Origin::Pretrained, true) => (1e-3, 1e-4),
        }
    }
}

impl RecipePlan {
    /// Whether a parameter of this name stands still in every phase, or in the one there is.
    pub fn never_trains(&self, name: &str, outline: ModelOutline) -> bool {
        let mut sets = [&self.freeze].into_iter().chain(self.phases.iter().map(|p| &p.freeze));
        !sets.any(|freeze| freeze.trains(name, outline))
    }

    /// Sets the options that the plan decides.
    pub fn apply(&self, options: FitOptions) -> FitOptions {
        FitOptions {
            lr: self.lr,
            pretrained_lr: self.pretrained_lr,
            layer_decay: self.layer_decay,
            schedule: self.schedule,
            phases: self.phases.clone(),
            ..options
        }
    }
}

/// Half of the epochs each; in the second phase, everything at the rate of pretrained parameters.
fn probe_then_all(freeze: &Freeze, epochs: usize, pretrained_lr: f64) -> Result<Vec<Phase>> {
    let probe = epochs / 2;
    if probe == 0 {
        let problem = "the recipe lp-ft needs at least 2: one to probe, one to fine-tune";
        return Err(Error::setting("--epochs", problem));
    }
    let first = Phase::of(freeze.clone(), probe);
    let lr = Some(pretrained_lr);
    let then =
        Phase { lr, schedule: PhaseStart::Restart, ..Phase::of(Freeze::nothing(), epochs - probe) };
    Ok(vec![first, then])
}

/// The head alone in the first epoch, then one part more in each, then everything.
fn from_the_top(head_alone: &Freeze, outline: ModelOutline, epochs: usize) -> Vec<Phase> {
    let freeze = |epoch: usize| match epoch {
        0 => head_alone.clone(),
        _ if epoch <= outline.depth => Freeze::below(outline.depth - epoch),
        _ => Freeze::nothing(),
    };
    // From there on, nothing changes.
    let last = epochs.min(outline.depth + 2);
    let mut phases: Vec<Phase> = vec![];
    for epoch in 0..last {
        match phases.last_mut().filter(|last| last.freeze == freeze(epoch)) {
            Some(last) => last.epochs += 1,
            None => phases.push(Phase::of(freeze(epoch), 1)),
        }
    }
    if let Some(phase) = phases.last_mut() {
        phase.epochs += epochs - last;
    }
    phases
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|recipe| recipe.name() == text).ok_or_else(|| {
            Error::setting(
                "--recipe",
                format!("{text:?} is not known; expected {}", Self::ALL.map(Self::name).join(", ")),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQUENCE: FeatureShape = FeatureShape::Sequence { width: 4 };

    fn plan(recipe: Recipe, embedder: Origin, epochs: usize) -> RecipePlan {
        recipe
            .plan(ModelOutline { depth: 2, embedder }, SEQUENCE, epochs, Overrides::default())
            .unwrap()
    }

    #[test]
    fn names_are_read_back() {
        for recipe in Recipe::ALL {
            assert_eq!(recipe.name().parse::<Recipe>().unwrap(), recipe);
            assert_eq!(serde_json::to_value(recipe).unwrap(), recipe.name());
        }
        assert!("finetune".parse::<Recipe>().unwrap_err().to_string().contains("lp-ft"));
    }

    #[test]
    fn gradual_unfreezing_goes_down_part_by_part() {
        let course = |epochs| -> Vec<(String, usize)> {
            let phases = plan(Recipe::Gradual, Origin::Pretrained, epochs).phases;
            phases.iter().map(|p| (p.freeze.to_string(), p.epochs)).collect()
        };
        let of = |text: &str, epochs| (text.to_owned(), epochs);
        let first = [of("embedder,trunk", 1), of("below:1", 1)];
        assert_eq!(course(2), first);
        assert_eq!(course(5)[..2], first);
        assert_eq!(course(5)[2..], [of("below:0", 1), of("none", 2)]);
    }

    #[test]
    fn a_probe_comes_before_fine_tuning() {
        let p = plan(Recipe::LpFt, Origin::Pretrained, 5);
        assert_eq!(p.phases.iter().map(|p| p.epochs).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(p.phases[1].lr, Some(p.pretrained_lr));
        assert!(p.lr > 10. * p.pretrained_lr);
        // A new embedder trains from the first epoch on.
        assert_eq!(plan(Recipe::LpFt, Origin::Fresh, 5).phases[0].freeze.to_string(), "trunk");
        let outline = ModelOutline { depth: 2, embedder: Origin::Fresh };
        let error = Recipe::LpFt.plan(outline, SEQUENCE, 1, Overrides::default()).unwrap_err();
        assert!(error.to_string().contains("at least 2"), "{error}");
        let choices = Overrides { freeze: Some(Freeze::nothing()), ..Overrides::default() };
        let error = Recipe::Gradual.plan(outline, SEQUENCE, 3, choices).unwrap_err();
        assert!(error.to_string().starts_with("--freeze: "), "{error}");
    }
}
