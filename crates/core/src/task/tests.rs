//! Losses against PyTorch's, by `xtask/scripts/fixtures/metrics.py`; scales; and what is refused.

use tch::{Device, Kind, Tensor};

use super::loss::Objective;
use super::scale::TargetScale;
use super::task::Task;

// use super::*;
use super::target::Target;
use super::targets::Targets;
use crate::loader::Balance;
use crate::nn::EmbedderConfig;
use crate::nn::HeadConfig;
use crate::nn::Pool;
use crate::nn::TransformerConfig;
use crate::nn::TrunkConfig;
use crate::spec::FORMAT;
use crate::spec::Spec;
use crate::train::FitOptions;
use crate::train::Mix;
use crate::weights::Origin;

/// A specification of which only the task matters.
pub(crate) fn spec(task: Task, labels: &[&str], scales: Vec<TargetScale>) -> Spec {
    Spec {
        format: FORMAT,
        modality: "image".into(),
        family: "vit".into(),
        embedder_config: EmbedderConfig::FromModality,
        embedder: Origin::Fresh,
        trunk: TrunkConfig::Transformer(TransformerConfig::of(64, 1)),
        pool: Pool::Mean,
        head: HeadConfig::default(),
        task,
        lora: None,
        labels: labels.iter().map(ToString::to_string).collect(),
        scales,
        vocabulary: None,
        calibration: None,
    }
}

fn near(loss: &Tensor, expected: f64) {
    let loss = loss.double_value(&[]);
    assert!((loss - expected).abs() < 1e-6, "{loss}, expected {expected}");
}

#[test]
fn labels_have_the_binary_cross_entropy() {
    let logits = Tensor::from_slice(&[0.5f32, -1., 2., 1.5, 0.25, -0.75]).view([2, 3]);
    let rows = [[true, false, false], [false, true, true]].map(|row| Target::Labels(row.to_vec()));
    let targets = Targets::stack(&rows);
    let objective = |smoothing| {
        Objective::new(
            spec(Task::MultiLabel, &["a", "b", "c"], vec![]).task_config(),
            smoothing,
            Device::Cpu,
        )
    };
    near(&objective(0.).loss(&logits, None, &targets), 1.054_748_415_946_960_4);
    near(&objective(0.1).loss(&logits, None, &targets), 1.033_915_042_877_197_3);
    let weights = Tensor::from_slice(&[2f32, 0.5, 3.]);
    let weighted = objective(0.).with_weights(weights).loss(&logits, None, &targets);
    near(&weighted, 1.464_723_229_408_264_2);
    assert_eq!(objective(0.).correct(&logits, &targets), Some(0));
    let answered = Tensor::from_slice(&[1f32, 0., 1., 0., 1., 1.]).view([2, 3]);
    assert_eq!(objective(0.).correct(&logits, &answered.into()), Some(1));
}

#[test]
fn values_are_measured_in_standard_deviations() {
    let scales = vec![TargetScale { mean: 10., std: 2. }, TargetScale { mean: -1e9, std: 1e3 }];
    let spec = spec(Task::Regression, &["a", "b"], scales);
    let objective = Objective::new(spec.task_config(), 0., Device::Cpu);
    let targets = Targets::stack(&[Target::Values(vec![12., -1e9 - 1e3])]);
    assert_eq!(targets.x.kind(), Kind::Double, "f32 has no digits for the second");
    // One standard deviation above and one below; the predictions are off by half of one.
    let logits = Tensor::from_slice(&[1.5f32, -1.5]).view([1, 2]);
    near(&objective.loss(&logits, None, &targets), 0.25);
    assert_eq!(objective.correct(&logits, &targets), None);
    let undone =
        spec.task_config().scales_on(Device::Cpu).map(|scales| scales.undo(&logits)).unwrap();
    assert_eq!(Vec::<Vec<f64>>::try_from(undone).unwrap(), [[13., -1e9 - 1500.]]);
}

#[test]
fn classes_have_the_cross_entropy() {
    let logits = Tensor::from_slice(&[0.5f32, -1., 2., 1.5, 0.25, -0.75]).view([2, 3]);
    let targets = Targets::stack(&[Target::Class(2), Target::Class(1)]);
    let objective = Objective::new(
        spec(Task::SingleLabel, &["a", "b", "c"], vec![]).task_config(),
        0.,
        Device::Cpu,
    );
    let expected = -logits.log_softmax(-1, Kind::Float).gather(1, &targets.x.unsqueeze(1), false);
    near(&objective.loss(&logits, None, &targets), expected.mean(Kind::Float).double_value(&[]));
    assert_eq!(objective.correct(&logits, &targets), Some(1));
}

#[test]
fn what_a_task_has_no_use_for_is_refused() {
    let plain = FitOptions::default;
    let balance = |balance| FitOptions { balance, ..plain() };
    let cut = FitOptions { mix: Mix { mixup: 0., cutmix: 1. }, ..plain() };
    let mixed = FitOptions { mix: Mix { mixup: 0.2, cutmix: 0. }, ..plain() };
    let smooth = FitOptions { label_smoothing: 0.1, ..plain() };
    for (task, options, said) in [
        (Task::Regression, balance(Balance::Weights), Some("--balance: it needs one class or")),
        (Task::Regression, balance(Balance::Sampling), Some("--balance: it needs one class or")),
        (Task::Regression, cut.clone(), Some("--cutmix: it needs classes of whole samples")),
        (Task::Regression, smooth.clone(), Some("--label-smoothing: it needs classes")),
        (Task::Regression, mixed.clone(), None),
        (Task::MultiLabel, balance(Balance::Sampling), Some("--balance sampling: it needs one")),
        (Task::MultiLabel, balance(Balance::Weights), None),
        (Task::MultiLabel, cut, None),
        (Task::MultiLabel, smooth, None),
        (Task::SingleLabel, balance(Balance::Sampling), None),
    ] {
        match (options.check_for(task), said) {
            (Ok(()), None) => {}
            (Err(e), Some(said)) => {
                assert!(e.is_usage_error() && e.to_string().starts_with(said), "{e}")
            }
            (checked, said) => panic!("{task}: {checked:?}, expected {said:?}"),
        }
    }
}

#[test]
fn a_specification_without_a_task_is_of_classes() {
    let written = serde_json::to_value(spec(Task::SingleLabel, &["a", "b"], vec![])).unwrap();
    assert_eq!(written["task"], "single_label_classification");
    assert!(written.get("scales").is_none());
    let mut old = written;
    old.as_object_mut().unwrap().remove("task");
    let old: Spec = serde_json::from_value(old).unwrap();
    assert_eq!((old.task, old.scales), (Task::SingleLabel, vec![]));
    let scales = vec![TargetScale { mean: 0.1, std: 3. }];
    let values = spec(Task::Regression, &["a"], scales);
    let again: Spec = serde_json::from_str(&serde_json::to_string(&values).unwrap()).unwrap();
    assert_eq!(again, values);
}
