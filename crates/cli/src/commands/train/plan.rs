//! The plan of a training: written in a dry run, and required later.

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::{Context, Result};
use crosstune_core::{
    Error, FitOptions, Freeze, Modality, Model, Precision, Progress, Reshaped, Samples, Splits,
    files, fit, train::peak_lr,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{args::setting, output::save, process};

/// The version of the file's format. Older ones have no number.
const FORMAT: u32 = 2;

/// Where each tensor comes from, its learning rates, and the estimated cost.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TrainPlan {
    format: u32,
    /// The version of Crosstune that wrote it.
    version: String,
    recipe: String,
    batch_size: usize,
    /// Whether it is computed in one thread.
    #[serde(default)]
    deterministic: bool,
    /// The precision of the forward pass.
    #[serde(default)]
    precision: Precision,
    /// The symbols of a transcription, which the data decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    symbols: Vec<String>,
    /// The phases, with what each freezes.
    phases: Vec<Phase>,
    /// The source's tensors that are not used.
    unused: Vec<String>,
    /// The source's tensors that are resized.
    reshaped: Vec<Reshaped>,
    /// The cost; it is not compared.
    estimate: Option<Estimate>,
    /// The model's parameters and running statistics.
    parameters: BTreeMap<String, Parameter>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Phase {
    epochs: usize,
    frozen: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Parameter {
    shape: Vec<i64>,
    /// `source` or `fresh`.
    from: String,
    /// The peak learning rate in each phase; 0: it is frozen.
    rates: Vec<f64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Estimate {
    /// Of the second step.
    seconds_per_step: f64,
    /// Of all steps, without cached features and without early stopping.
    seconds: f64,
    /// The peak of the process after two steps.
    memory_mib: Option<f64>,
    /// Of the CPU, for computing.
    threads: Option<i32>,
}

/// What a plan of any version has.
#[derive(Deserialize)]
struct Header {
    format: Option<u32>,
    #[serde(rename = "parameters")]
    _parameters: toml::Table,
}

impl TrainPlan {
    /// The plan for a model that is ready to train. Applies the freezing of every phase in turn,
    /// and at the end that of the first.
    pub(super) fn new(
        model: &Model,
        recipe: &str,
        options: &FitOptions,
        deterministic: bool,
    ) -> Result<Self> {
        let trainable = || -> Vec<String> {
            let trained = model.store().variables().into_iter();
            trained.filter(|(_, t)| t.requires_grad()).map(|(name, _)| name).collect()
        };
        // By phase: the trainable parameters and the two rates.
        let mut stages = vec![];
        let mut phases = vec![];
        for phase in &options.phases {
            phase.freeze.apply(model.store(), model.outline())?;
            let lr = phase.lr.unwrap_or(options.lr);
            stages.push((trainable(), lr, phase.pretrained_lr.unwrap_or(options.pretrained_lr)));
            phases.push(Phase { epochs: phase.epochs, frozen: phase.freeze.to_string() });
        }
        match options.phases.first() {
            Some(first) => drop(first.freeze.apply(model.store(), model.outline())?),
            None => stages.push((trainable(), options.lr, options.pretrained_lr)),
        }
        let report = model.report();
        let parameter = |(name, tensor): (String, Tensor)| {
            let fresh = report.fresh.binary_search(&name).is_ok();
            let rates =
                stages.iter().map(|(trained, lr, pretrained_lr)| match trained.contains(&name) {
                    true => peak_lr(model, options.layer_decay, [*lr, *pretrained_lr], &name),
                    false => 0.,
                });
            let from = if fresh { "fresh" } else { "source" }.into();
            let parameter = Parameter { shape: tensor.size(), from, rates: rates.collect() };
            (name, parameter)
        };
        Ok(Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            recipe: recipe.into(),
            batch_size: options.batch_size,
            deterministic,
            precision: options.precision,
            symbols: match model.spec().vocabulary {
                Some(_) => model.spec().labels.clone(),
                None => vec![],
            },
            phases,
            unused: report.unused.clone(),
            reshaped: report.reshaped.clone(),
            estimate: None,
            parameters: model.store().variables().into_iter().map(parameter).collect(),
        })
    }

    /// The same with the estimated cost, from two steps of training. They change the model.
    pub(super) fn with_estimate<M: Modality>(
        self,
        model: &Model,
        modality: &M,
        splits: &Splits,
        options: &FitOptions,
    ) -> Result<Self> {
        let steps = options.steps(splits.train.len());
        let two = FitOptions { max_steps: Some(2), cache_budget: None, ..options.clone() };
        let (mut last, mut step) = (Instant::now(), 0.);
        fit(model, modality, &splits.train, &Samples::default(), &two, &mut |progress| {
            if let Progress::Step { .. } = progress {
                step = last.elapsed().as_secs_f64();
                last = Instant::now();
            }
            Ok(())
        })?;
        let seconds_per_step = step * options.accumulate as f64;
        let seconds = seconds_per_step * steps as f64;
        let memory_mib = process::peak_memory_mib();
        let threads = Some(tch::get_num_threads());
        let estimate = Estimate { seconds_per_step, seconds, memory_mib, threads };
        Ok(Self { estimate: Some(estimate), ..self })
    }

    /// Writes it.
    pub(super) fn write(&self, path: &Path, overwrite: bool) -> Result<()> {
        let plan = toml::to_string(self).context("the plan cannot be written as TOML")?;
        save(path, plan, overwrite)
    }

    /// Checks that the training matches the plan in a file.
    ///
    /// # Errors
    /// The first difference, or that the file is not a plan of this format.
    pub(super) fn require(&self, path: &Path) -> Result<()> {
        let text = String::from_utf8_lossy(&files::read(path, files::MOST_JSON)?).into_owned();
        let Some(problem) = Self::parse(&text, path)?.difference(self) else { return Ok(()) };
        Err(setting("--require-plan", format!("{}: {problem}", path.display())))
    }

    /// The plan that a file holds.
    fn parse(text: &str, path: &Path) -> Result<Self> {
        let malformed = |e: toml::de::Error| Error::Malformed {
            path: path.to_path_buf(),
            problem: format!("not a plan of train --plan: {}", e.message()),
        };
        let Header { format, .. } = toml::from_str(text).map_err(malformed)?;
        let version = match format {
            Some(FORMAT) => {
                return Ok(toml::from_str::<Self>(text).map_err(malformed)?.respelled());
            }
            None => "an older",
            Some(format) if format < FORMAT => "an older",
            Some(_) => "a newer",
        };
        let problem = format!("written by {version} version; write it again with --plan");
        Err(setting("--require-plan", format!("{}: {problem}", path.display())))
    }

    /// With what is frozen as it is written now: `none` was `nothing`.
    fn respelled(mut self) -> Self {
        for phase in &mut self.phases {
            if let Ok(freeze) = phase.frozen.parse::<Freeze>() {
                phase.frozen = freeze.to_string();
            }
        }
        self
    }

    /// The first difference of `now` to what was planned.
    fn difference(&self, now: &Self) -> Option<String> {
        let said = |what: &str, planned: &dyn std::fmt::Debug, now: &dyn std::fmt::Debug| {
            format!("{what}: planned {planned:?}, but now {now:?}")
        };
        if self.recipe != now.recipe {
            return Some(said("recipe", &self.recipe, &now.recipe));
        }
        if self.symbols != now.symbols {
            return Some(said("symbols", &self.symbols.join(" "), &now.symbols.join(" ")));
        }
        if self.batch_size != now.batch_size {
            return Some(said("batch_size", &self.batch_size, &now.batch_size));
        }
        if self.deterministic != now.deterministic {
            return Some(said("deterministic", &self.deterministic, &now.deterministic));
        }
        if self.precision != now.precision {
            return Some(said("precision", &self.precision, &now.precision));
        }
        if self.phases != now.phases {
            return Some(said("phases", &self.phases, &now.phases));
        }
        for (name, planned) in &self.parameters {
            match now.parameters.get(name) {
                None => return Some(format!("{name}: planned, but missing now")),
                Some(now) if now != planned => return Some(said(name, planned, now)),
                Some(_) => {}
            }
        }
        if let Some(name) = now.parameters.keys().find(|n| !self.parameters.contains_key(*n)) {
            return Some(format!("{name}: new, but not planned"));
        }
        if self.unused != now.unused || self.reshaped != now.reshaped {
            let planned = (&self.unused, &self.reshaped);
            return Some(said(
                "unused and resized tensors",
                &planned,
                &(&now.unused, &now.reshaped),
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 0.1.0 wrote it before plans had a format.
    const OLD: &str = r#"
version = "0.1.0"
recipe = "gradual"
batch_size = 16
unused = ["cls.predictions.bias"]
reshaped = []

[[phases]]
epochs = 1
frozen = "embedder,trunk"

[estimate]
seconds_per_step = 0.05
seconds = 12.5
memory_mib = 390.0

[parameters."head.bias"]
shape = [10]
from = "fresh"
rates = [0.003]
"#;

    #[test]
    fn an_older_plan_is_to_be_written_again() {
        let parse = |text: &str| TrainPlan::parse(text, Path::new("plan.toml"));
        let said = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(
            said(OLD),
            "--require-plan: plan.toml: written by an older version; write it again with --plan"
        );
        assert!(said(&format!("format = 3{OLD}")).contains("written by a newer version"));
        assert!(said("[package]\nname = \"a\"").contains("not a plan of train --plan"));

        let plan = parse(&format!("format = 2{OLD}")).unwrap();
        assert_eq!(plan.parameters["head.bias"].rates, [0.003]);
        let written = toml::to_string(&plan).unwrap();
        assert!(written.starts_with("format = 2\n"), "{written}");
        assert_eq!(parse(&written).unwrap(), plan);

        let earlier = format!("format = 2{}", OLD.replace("embedder,trunk", "nothing"));
        assert_eq!(parse(&earlier).unwrap().phases[0].frozen, "none");
    }
}
