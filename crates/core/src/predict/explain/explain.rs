//! Explaining an answer: from an input to what each part of it adds to a score.

use tch::{Device, Kind, Tensor};

use super::explanation::{ExplainMethod, ExplainOptions, Explanation};
use super::integrated_gradients::Path;
use super::map::to_surface;
use super::occlusion::Covered;
use super::scorer::Scorer;
use super::target::ExplainTarget;
use crate::data::Input;
use crate::error::{BoxError, Error, Result};
use crate::modality::{Modality, Window};
use crate::model::Model;
use crate::nn::{Batch, CutPoint};
use crate::units::{Baseline, Units};

/// Which parts of an input the answer to a [`ExplainTarget`] is due to. Nothing of the model changes, and none
/// of its parameters is given a gradient.
///
/// # Errors
/// If inputs of this modality cannot be explained, if the input cannot be read, if it has no such baseline,
/// if the model does not see the word in question, or if a score or a gradient is no number.
pub fn explain<M: Modality>(
    model: &Model,
    modality: &M,
    input: &Input,
    question: &ExplainTarget,
    options: &ExplainOptions,
) -> Result<Explanation> {
    let failed = |source: BoxError| Error::Modality {
        context: "the answer cannot be explained".into(),
        source,
    };
    let Some(units) = modality.units() else {
        return Err(failed(format!("nothing is known of the parts of {}", M::SAMPLES).into()));
    };
    let baseline = chosen(units, options)?;
    let sample = modality.read(input).map_err(failed)?;
    let mut windows = modality.windows(&sample);
    if let ExplainTarget::Tag { word, .. } = question {
        // One window answers for a word.
        windows.retain(|window| window.words.iter().any(|start| start.word == *word));
        if windows.is_empty() {
            let problem = format!("{}: the model has no position for it", word + 1);
            return Err(Error::setting("--word", problem));
        }
    }
    let samples: Vec<&Tensor> = windows.iter().map(|window| &window.x).collect();
    let batch = modality.batch(&samples);
    let surface = units.surface(input, &samples, &batch).map_err(failed)?;
    let beside = match baseline {
        Baseline::Zero => batch.shallow_clone(),
        _ => units.baseline(input, &samples, &batch, baseline).map_err(failed)?,
    };
    let size = batch.x.size();
    let of = size.last().copied().unwrap_or(0);
    // What is one after the other: frames before bands.
    let width = if matches!(batch.x.kind(), Kind::Int64) || size.len() < 3 { of } else { size[1] };
    let classifier = model.classifier();
    let lengths = lengths(model, &windows, &batch, question, options)?;
    let scorer = Scorer::new(model.spec().task_config(), question, &windows, &lengths, of)?;
    match options.method {
        ExplainMethod::IntegratedGradients { steps, tolerance } => {
            let [to, from] = [&batch, &beside].map(|batch| embedded(model, batch, options));
            let Batch { x: to, attention_mask: mask } = to?;
            let from = match baseline {
                Baseline::Zero => to.zeros_like(),
                _ => from?.x,
            };
            let at_once = options.batch_size.max(1) as i64;
            let path = Path { model: classifier, scorer: &scorer, from, to, mask, at_once };
            let found = path.integrate(steps, tolerance)?;
            let channels = if found.x.dim() == 4 { 1 } else { -1 };
            let positions =
                found.x.f_sum_dim_intlist([channels].as_slice(), false, Kind::Double)?;
            let (grid, outside) = classifier.encoder().grid(&positions);
            let (attributions, hidden) = to_surface(&grid, &surface, width)?;
            let rest = hidden + outside.f_sum(Kind::Double)?.f_double_value(&[])?;
            let [score, baseline_score] = found.ends;
            let all = attributions.values().iter().sum::<f64>() + rest;
            Ok(Explanation {
                score,
                baseline_score: Some(baseline_score),
                baseline,
                attributions,
                rest,
                residual: all - (score - baseline_score),
                steps: found.steps,
                converged: found.converged,
                surface,
            })
        }
        ExplainMethod::Occlusion(by) => {
            let (batch, cover, at_once) = (&batch, &beside, options.batch_size);
            let covered = Covered {
                model: classifier,
                scorer: &scorer,
                batch,
                cover,
                surface: &surface,
                at_once,
            };
            let (score, attributions, steps) = covered.measure(by)?;
            Ok(Explanation {
                score,
                baseline_score: None,
                baseline,
                attributions,
                rest: 0.,
                residual: 0.,
                steps,
                converged: true,
                surface,
            })
        }
    }
}

/// The baseline that was asked for, or the usual one.
fn chosen(units: &dyn Units, options: &ExplainOptions) -> Result<Baseline> {
    let occludes = matches!(options.method, ExplainMethod::Occlusion(_));
    let usual = if occludes { units.cover() } else { units.baselines()[0] };
    let baseline = options.baseline.unwrap_or(usual);
    let mut there: Vec<Baseline> = units.baselines().to_vec();
    if !occludes {
        there.push(Baseline::Zero);
    }
    if there.contains(&baseline) {
        return Ok(baseline);
    }
    let names: Vec<_> = there.iter().map(|baseline| baseline.name()).collect();
    let problem = match (baseline, occludes) {
        (Baseline::Zero, true) => "zero: nothing can be covered with it",
        _ => "these inputs have no such baseline",
    };
    Err(Error::setting("--baseline", format!("{problem}; choose one of {}", names.join(", "))))
}

/// The embedder's output of all rows, f32.
fn embedded(model: &Model, batch: &Batch, options: &ExplainOptions) -> Result<Batch> {
    let (mut x, mut masks) = (vec![], vec![]);
    let rows = batch.x.size()[0];
    let at_once = options.batch_size.max(1) as i64;
    for from in (0..rows).step_by(at_once as usize) {
        let narrow = |x: &Tensor| x.narrow(0, from, at_once.min(rows - from));
        let attention_mask = batch.attention_mask.as_ref().map(narrow);
        let part =
            Batch { x: narrow(&batch.x), attention_mask }.to_device(model.classifier().device());
        let part = model.classifier().forward_to(&part, CutPoint::Trunk(0));
        x.push(part.x.f_to_kind(Kind::Float)?);
        masks.extend(part.attention_mask);
    }
    let attention_mask = (!masks.is_empty()).then(|| Tensor::cat(&masks, 0));
    Ok(Batch { x: Tensor::f_cat(&x, 0)?, attention_mask })
}

/// How many positions of each row answer, where symbols are asked for.
fn lengths(
    model: &Model,
    windows: &[Window],
    batch: &Batch,
    question: &ExplainTarget,
    options: &ExplainOptions,
) -> Result<Vec<i64>> {
    if !matches!(question, ExplainTarget::Symbols(_)) {
        return Ok(vec![0; windows.len()]);
    }
    let mut lengths = vec![];
    let rows = windows.len() as i64;
    let at_once = options.batch_size.max(1) as i64;
    for from in (0..rows).step_by(at_once as usize) {
        let narrow = |x: &Tensor| x.narrow(0, from, at_once.min(rows - from));
        let attention_mask = batch.attention_mask.as_ref().map(narrow);
        let part =
            Batch { x: narrow(&batch.x), attention_mask }.to_device(model.classifier().device());
        let logits =
            tch::no_grad(|| model.classifier().forward_from(&part, CutPoint::Inputs, false));
        let size = logits.x.size();
        lengths.extend(match logits.attention_mask {
            Some(mask) => {
                let held = mask.f_sum_dim_intlist([1].as_slice(), false, Kind::Int64)?;
                Vec::<i64>::try_from(held.f_to_device(Device::Cpu)?)?
            }
            None => vec![size[1]; size[0] as usize],
        });
    }
    Ok(lengths)
}
