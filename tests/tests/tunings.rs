//! Several tunings of one base, asked together: each answers as it does alone, and the base is kept once.

use std::path::Path;
use std::sync::Arc;

use crosstune_audio::AudioSettings;
use crosstune_core::{
    Batch, CutPoint, Device, Input, LoadParts, Lora, Modality, Model, Pool, Precision, Pretrained,
    RunWriter, SharedTensors, TargetScale, Task, Tunings,
    run::{self, open_shared},
};
use crosstune_image::ImageSettings;
use crosstune_text::TextSettings;
use proptest::prelude::*;
use tch::{Kind, Tensor};

use crate::company::{fixture, pictures, recordings, some, with_tokenizer};
use crate::support::seeded;

/// As of any company.
const WITHIN: f64 = 1e-5;

/// A tuning of a model: what it adds, what it has changed, and what it is asked.
struct Tuning {
    lora: Option<Lora>,
    /// Which parameters it has changed, by name, beside its new head.
    changed: fn(&str) -> bool,
    pool: Pool,
    task: Task,
    labels: usize,
}

impl Tuning {
    /// A new head on the mean.
    fn probe(labels: usize) -> Self {
        let (pool, task) = (Pool::Mean, Task::SingleLabel);
        Self { lora: None, changed: |_| false, pool, task, labels }
    }

    fn lora(rank: i64, targets: &[&str]) -> Self {
        let targets = targets.iter().map(ToString::to_string).collect();
        let lora = Some(Lora { rank, alpha: 4., dropout: 0.1, targets });
        Self { lora, changed: |name| name.ends_with("lora_b"), ..Self::probe(3) }
    }

    fn changing(changed: fn(&str) -> bool) -> Self {
        Self { changed, ..Self::probe(2) }
    }

    fn asked(self, task: Task, labels: usize) -> Self {
        Self { task, labels, ..self }
    }

    fn pooled(self, pool: Pool) -> Self {
        Self { pool, ..self }
    }

    /// Writes a run folder.
    fn write<M: Modality>(&self, source: &Pretrained, modality: &mut M, seed: u64, out: &Path) {
        let embedder = modality.adopt(source).unwrap();
        modality.set_task(self.task).unwrap();
        let labels = (0..self.labels).map(|label| format!("label {label}")).collect();
        let mut spec = M::spec(source, embedder, labels);
        (spec.lora, spec.pool, spec.task) = (self.lora.clone(), self.pool, self.task);
        if self.task == Task::Regression {
            spec.scales = vec![TargetScale { mean: 1., std: 2. }; self.labels];
        }
        let weights = source.source().unwrap();
        let from = Some((&weights, LoadParts::Body));
        seeded(seed, || {
            let model = Model::new(spec, modality, from, Device::Cpu).unwrap();
            for (name, mut value) in model.store().variables() {
                // A new embedder is each one's own, as it is initialised by its seed.
                if (self.changed)(&name) {
                    tch::no_grad(|| value += Tensor::randn_like(&value) * 0.2);
                }
            }
            let writer = RunWriter::create(out, false).unwrap();
            writer.finish(&model, modality, &()).unwrap();
        });
    }
}

fn norms(name: &str) -> bool {
    name.split('.').any(|word| word.starts_with("norm")) && !name.contains("running")
}

fn biases(name: &str) -> bool {
    name.ends_with(".bias")
}

/// The tunings of a source as run folders, opened one after the other so that they share what they can.
fn opened<M: Modality>(source: &Path, settings: &M, tunings: &[Tuning]) -> Vec<(Arc<Model>, M)> {
    let (source, folder) = (Pretrained::open(source).unwrap(), tempfile::tempdir().unwrap());
    let shared = SharedTensors::default();
    let open = |(at, tuning): (usize, &Tuning)| {
        let out = folder.path().join(format!("run-{at}"));
        tuning.write(&source, &mut settings.clone(), at as u64, &out);
        let (model, modality) = open_shared(&out, Device::Cpu, Precision::F32, &shared).unwrap();
        #[allow(clippy::arc_with_non_send_sync, reason = "one thread has it")]
        let model = Arc::new(model);
        let (alone, _) = run::open::<M>(&out, Device::Cpu).unwrap();
        for (name, value) in alone.store().variables() {
            assert!(model.store().variables()[&name].equal(&value), "{name} is another");
        }
        (model, modality)
    };
    tunings.iter().enumerate().map(open).collect()
}

fn together<M: Modality>(opened: &[(Arc<Model>, M)]) -> Tunings {
    let models: Vec<_> = opened.iter().map(|(model, modality)| (model.clone(), modality)).collect();
    Tunings::new(&models).unwrap()
}

/// How far the answers of models together are from those of each alone, at most, and how far those of
/// two models to the same inputs are apart, at the least: if rows were mistaken, this would be seen.
fn furthest<M: Modality>(opened: &[(Arc<Model>, M)], tunings: &Tunings, inputs: &[Input]) -> f64 {
    let mut furthest = 0f64;
    for round in 0..4 {
        let batch = |(at, (_, modality)): (usize, &(Arc<Model>, M))| {
            // From one to three of the inputs, other ones for each.
            let chosen =
                (0..1 + (at + round) % 3).map(|i| &inputs[(3 * at + 5 * i + round) % inputs.len()]);
            let read = |input| modality.windows(&modality.read(input).unwrap()).remove(0).x;
            let samples: Vec<Tensor> = chosen.map(read).collect();
            modality.batch(&samples.iter().collect::<Vec<_>>())
        };
        let batches: Vec<Batch> = opened.iter().enumerate().map(batch).collect();
        // In another order, and without some; one is asked twice.
        let order = |i: usize| (i * 5 + round) % opened.len();
        let mut asked: Vec<_> = (0..opened.len()).map(order).collect();
        asked.dedup();
        asked.truncate(opened.len() - round);
        asked.push(asked[0]);
        let with: Vec<_> = asked.iter().map(|&at| (at, &batches[at])).collect();
        let passed = tunings.forward(&with);
        assert_eq!(passed.len(), asked.len());
        for (&at, passed) in asked.iter().zip(&passed) {
            let classifier = opened[at].0.classifier();
            let alone =
                tch::no_grad(|| classifier.forward_from(&batches[at], CutPoint::Inputs, false));
            let there = alone.attention_mask.map(|mask| mask.unsqueeze(-1).to_kind(Kind::Float));
            let together = match alone.x.dim() {
                // What pads is nobody's answer.
                3 => passed.logits.x.narrow(1, 0, alone.x.size()[1]),
                _ => passed.logits.x.shallow_clone(),
            };
            assert_eq!(together.size(), alone.x.size());
            let mut off = (together - &alone.x).abs();
            if let Some(there) = there {
                off *= there;
            }
            let off = off.max().double_value(&[]);
            assert!(off.is_finite(), "{at}");
            furthest = furthest.max(off);
        }
    }
    furthest
}

/// Which models pass how many parts together, each list in order.
fn shared(tunings: &Tunings) -> Vec<(Vec<usize>, usize)> {
    let one = |(models, parts): (&[usize], usize)| {
        let mut models = models.to_vec();
        models.sort_unstable();
        (models, parts)
    };
    let mut all: Vec<_> = tunings.shared().map(one).collect();
    all.sort();
    all
}

fn sentences() -> Vec<Input> {
    let texts = "(one |two |three |four |seven ){1,20}".prop_map(Input::Text);
    some(&texts, 17)
}

#[test]
fn each_answers_as_it_does_alone() {
    let tunings = [
        Tuning::lora(2, &["*.attn.q", "*.attn.v"]),
        Tuning::lora(5, &["*.mlp.up", "*.attn.q"]).pooled(Pool::First).asked(Task::MultiLabel, 4),
        Tuning::changing(biases).asked(Task::Regression, 2),
        Tuning::changing(norms).pooled(Pool::FirstTwo),
        Tuning::probe(5),
        Tuning::changing(|name| name.starts_with("trunk.blocks.1.")).pooled(Pool::Last),
        Tuning::changing(|_| true),
        Tuning::changing(|name| biases(name) && name.contains("mlp"))
            .pooled(Pool::Positions)
            .asked(Task::Tagging, 3),
    ];
    let opened = opened(&fixture("text/tiny-bert"), &TextSettings::new(Some(48)), &tunings);
    let together = together(&opened);
    // Up to the last block, in which one is fine-tuned; there is no final norm.
    assert_eq!(shared(&together), [(vec![0, 1, 2, 3, 4, 5, 7], 1)]);
    let off = furthest(&opened, &together, &sentences());
    assert!(off < WITHIN, "off by {off:e}");

    let (once, each) = together.bytes(&(0..opened.len()).collect::<Vec<_>>());
    let size = |at: usize| -> usize {
        let values = opened[at].0.store().variables().into_values();
        values.map(|value| 4 * value.numel()).sum()
    };
    assert_eq!(each, (0..opened.len()).map(size).sum::<usize>());
    // The base, another base, half of the blocks of a third, and little else.
    let base = size(4);
    assert!(once > 2 * base && once < 3 * base, "{once} bytes where one has {base}");
}

/// Families that differ in where layers and norms are, and in what they are applied to.
#[test]
fn of_every_kind_of_trunk() {
    let text = ["tiny-bert", "tiny-albert", "tiny-deberta-v3", "tiny-gpt2", "tiny-llama"];
    let more = ["tiny-gemma3", "tiny-modernbert", "tiny-mpnet", "tiny-xlm-roberta-xl"];
    for name in text.into_iter().chain(more) {
        holds(with_tokenizer(name).path(), &TextSettings::new(None), &sentences());
    }
    let inputs = some(&pictures(), 17);
    let image = ["tiny-vit", "tiny-dinov2", "tiny-timm-qk-norm", "tiny-swin", "tiny-swinv2"];
    let more = ["tiny-beit", "tiny-convnext-hf", "tiny-resnet-hf-basic", "tiny-siglip"];
    for name in image.into_iter().chain(more) {
        holds(&fixture(&format!("image/{name}")), &ImageSettings::default(), &inputs);
    }
    let inputs = some(&recordings(), 17);
    let audio = ["tiny-ast", "tiny-wav2vec2", "tiny-wavlm", "tiny-wav2vec2-conformer"];
    for name in audio.into_iter().chain(["tiny-wav2vec2-bert", "tiny-whisper", "tiny-clap"]) {
        holds(&fixture(&format!("audio/{name}")), &AudioSettings::default(), &inputs);
    }
    // New embedders, one for each, ahead of one trunk.
    holds(&fixture("text/tiny-bert"), &ImageSettings::default(), &some(&pictures(), 17));
    holds(&fixture("text/tiny-bert"), &AudioSettings::default(), &inputs);
    holds(&fixture("image/tiny-vit"), &TextSettings::new(Some(32)), &sentences());
}

fn holds<M: Modality>(path: &Path, settings: &M, inputs: &[Input]) {
    let mut settings = settings.clone();
    let source = Pretrained::open(path).unwrap();
    settings.adopt(&source).unwrap();
    settings.survey(&inputs.iter().collect::<Vec<_>>());
    let mut tunings =
        vec![Tuning::changing(biases), Tuning::changing(norms), Tuning::probe(3), Tuning::probe(4)];
    // A network of convolutions may have no linear layer.
    let name = source.config().name.clone();
    if !name.contains("resnet") {
        tunings.extend([Tuning::lora(2, &["*"]), Tuning::lora(3, &["*"])]);
    }
    let opened = opened(path, &settings, &tunings);
    let together = together(&opened);
    let off = furthest(&opened, &together, inputs);
    assert!(off < WITHIN, "{name} of {}: off by {off:e}, {:?}", M::SAMPLES, shared(&together));
    let all = shared(&together);
    assert!(!all.is_empty(), "{name} of {}: probes have all in common", M::SAMPLES);
    let part = |name: &str| opened[2].0.store().variables()[name].data_ptr();
    let first = opened[2].0.store().variables().into_keys().find(|name| name.ends_with("weight"));
    let first = first.filter(|name| name.starts_with("trunk.blocks")).unwrap_or_default();
    if !first.is_empty() {
        assert_eq!(part(&first), opened[3].0.store().variables()[&first].data_ptr());
    }
}
