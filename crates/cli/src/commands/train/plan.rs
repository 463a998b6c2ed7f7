//! The plan of a training, written before it and kept to.

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use anyhow::{Context, Result};
use crosstune_core::{
    Error, FitOptions, Modality, Model, Progress, Reshaped, Samples, Splits, files::replace, fit,
    train::peak_lr,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{args::setting, process};

/// What becomes of each tensor, what trains at which rate, and what it will cost.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TrainPlan {
    /// The version that made it.
    version: String,
    recipe: String,
    batch_size: usize,
    /// What trains when.
    phases: Vec<Phase>,
    /// The source's tensors that nobody asked for.
    unused: Vec<String>,
    /// The source's tensors that are brought to another shape.
    reshaped: Vec<Reshaped>,
    /// What it costs; not held to.
    estimate: Option<Estimate>,
    /// Our parameters and statistics.
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
    /// The peak rate in each phase; 0: it stands still.
    rates: Vec<f64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Estimate {
    /// Of one step, the second.
    seconds_per_step: f64,
    /// Of all steps, if nothing is kept of frozen parts and nothing stops it early.
    seconds: f64,
    /// The process's peak after two steps.
    memory_mib: Option<f64>,
}

impl TrainPlan {
    /// Of a model that is ready to train. Puts its freezing through all phases, and back.
    pub(super) fn new(model: &Model, recipe: &str, options: &FitOptions) -> Result<Self> {
        let moving = || -> Vec<String> {
            let trained = model.store().variables().into_iter();
            trained.filter(|(_, t)| t.requires_grad()).map(|(name, _)| name).collect()
        };
        // By phase: what trains, and at which rates.
        let mut courses = vec![];
        let mut phases = vec![];
        for phase in &options.phases {
            phase.freeze.apply(model.store(), model.outline())?;
            let lr = phase.lr.unwrap_or(options.lr);
            courses.push((moving(), lr, phase.pretrained_lr.unwrap_or(options.pretrained_lr)));
            phases.push(Phase { epochs: phase.epochs, frozen: phase.freeze.to_string() });
        }
        match options.phases.first() {
            Some(first) => drop(first.freeze.apply(model.store(), model.outline())?),
            None => courses.push((moving(), options.lr, options.pretrained_lr)),
        }
        let report = model.report();
        let parameter = |(name, tensor): (String, Tensor)| {
            let fresh = report.fresh.binary_search(&name).is_ok();
            let rates =
                courses.iter().map(|(trained, lr, pretrained_lr)| match trained.contains(&name) {
                    true => peak_lr(model, options.layer_decay, [*lr, *pretrained_lr], &name),
                    false => 0.,
                });
            let from = if fresh { "fresh" } else { "source" }.into();
            let parameter = Parameter { shape: tensor.size(), from, rates: rates.collect() };
            (name, parameter)
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            recipe: recipe.into(),
            batch_size: options.batch_size,
            phases,
            unused: report.unused.clone(),
            reshaped: report.reshaped.clone(),
            estimate: None,
            parameters: model.store().variables().into_iter().map(parameter).collect(),
        })
    }

    /// The same with what two steps cost. They move the model.
    pub(super) fn with_estimate<M: Modality>(
        self,
        model: &Model,
        modality: &M,
        splits: &Splits,
        options: &FitOptions,
    ) -> Result<Self> {
        let steps = options.steps(splits.train.len());
        let two = FitOptions { max_steps: Some(2), room: None, ..options.clone() };
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
        Ok(Self { estimate: Some(Estimate { seconds_per_step, seconds, memory_mib }), ..self })
    }

    /// Writes it.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        Ok(replace(path, toml::to_string(self).context("the plan cannot be written as TOML")?)?)
    }

    /// Checks that this is what a file says.
    ///
    /// # Errors
    /// The first difference.
    pub(super) fn hold_to(&self, path: &Path) -> Result<()> {
        let text =
            fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
        let plan: Self = toml::from_str(&text).map_err(|e| Error::Malformed {
            path: path.to_path_buf(),
            problem: format!("not a plan of train --plan: {}", e.message()),
        })?;
        let Some(problem) = plan.difference(self) else { return Ok(()) };
        Err(setting("--hold-to", format!("{}: {problem}", path.display())))
    }

    /// What `now` has otherwise than planned.
    fn difference(&self, now: &Self) -> Option<String> {
        let said = |what: &str, planned: &dyn std::fmt::Debug, now: &dyn std::fmt::Debug| {
            format!("{what}: planned {planned:?}, but now {now:?}")
        };
        if self.recipe != now.recipe {
            return Some(said("recipe", &self.recipe, &now.recipe));
        }
        if self.batch_size != now.batch_size {
            return Some(said("batch_size", &self.batch_size, &now.batch_size));
        }
        if self.phases != now.phases {
            return Some(said("phases", &self.phases, &now.phases));
        }
        for (name, planned) in &self.parameters {
            match now.parameters.get(name) {
                None => return Some(format!("{name}: planned, but not there now")),
                Some(now) if now != planned => return Some(said(name, planned, now)),
                Some(_) => {}
            }
        }
        if let Some(name) = now.parameters.keys().find(|n| !self.parameters.contains_key(*n)) {
            return Some(format!("{name}: there now, but not planned"));
        }
        if self.unused != now.unused || self.reshaped != now.reshaped {
            let planned = (&self.unused, &self.reshaped);
            return Some(said(
                "unused and reshaped tensors",
                &planned,
                &(&now.unused, &now.reshaped),
            ));
        }
        None
    }
}
