//! Models of sound as transformers computes them: embedder, trunk, pool and head of every family.
//! `xtask/scripts/fixtures/audio_models.py` made the files.

use crosstune_audio::{
    FoldedSpectrogram, FrameStem, Sides, SpectrogramPatches, SpectrogramStem, StackedFrames,
    WaveformEmbedder,
};
use crosstune_core::{
    Batch, Checkpoint, Embedder, EmbedderConfig, Encoder, FeatureShape, Features, Fresh, Head,
    LoadReport, Pretrained, Trunk, VarBuilder,
};
use tch::{Device, Kind, Tensor, nn::VarStore};

use crate::fixture;

/// Nothing is left over.
pub(crate) const NONE: [&str; 0] = [];

/// Correct runs differ by at most 2e-6; a wrong epsilon or GELU shows by more.
pub(crate) const WITHIN: f64 = 5e-6;

fn embedder(vb: &VarBuilder<'_>, config: &EmbedderConfig, form: FeatureShape) -> Box<dyn Embedder> {
    match config {
        EmbedderConfig::Patches(c) => Box::new(SpectrogramPatches::new(vb, c, c, form).unwrap()),
        EmbedderConfig::Stem(c) => {
            Box::new(SpectrogramStem::new(vb, c, c, Sides::FramesByBands, form).unwrap())
        }
        EmbedderConfig::Folded(c) => Box::new(FoldedSpectrogram::new(vb, c, form).unwrap()),
        EmbedderConfig::Frames(c) => Box::new(FrameStem::new(vb, c, form).unwrap()),
        EmbedderConfig::StackedFrames(c) => Box::new(StackedFrames::new(vb, c, form).unwrap()),
        EmbedderConfig::Waveform(c) => Box::new(WaveformEmbedder::new(vb, c, form).unwrap()),
        other => panic!("not of sound: {other:?}"),
    }
}

/// The largest difference between two tensors, at places that hold data.
fn furthest(got: &Tensor, want: &Tensor, mask: Option<&Tensor>) -> f64 {
    assert_eq!(got.size(), want.size());
    let difference = (got - want).abs();
    match mask {
        Some(mask) if difference.dim() == 3 => difference * mask.unsqueeze(-1),
        _ => difference,
    }
    .max()
    .double_value(&[])
}

/// A model of a fixture, its head included where it has one.
pub(crate) struct Rebuilt {
    pub(crate) encoder: Encoder,
    pub(crate) head: Option<Head>,
    pub(crate) report: LoadReport,
    expected: Checkpoint,
}

impl Rebuilt {
    /// `file` is below the fixtures; `expected.safetensors` lies in the folder `folder`.
    pub(crate) fn new(file: &str, folder: &str) -> Self {
        let pretrained = Pretrained::open(fixture(file)).unwrap();
        let expected = Checkpoint::open(fixture(folder).join("expected.safetensors")).unwrap();
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let source = pretrained.source().unwrap();
        let family = pretrained.config();
        assert_eq!(family.modality, "audio");
        let root = VarBuilder::root(&store, &fresh).with_source(Some(&source));
        let trunk = Trunk::new(&root.sub("trunk"), &family.trunk).unwrap();
        let embedder = embedder(&root.sub("embed"), &family.embedder, trunk.accepts());
        let encoder = Encoder::join(embedder, trunk, family.head.pool).unwrap();
        let vb = root.sub("head");
        let head = pretrained
            .classes()
            .unwrap()
            .map(|classes| Head::new(&vb, family.head.config, encoder.width(), classes).unwrap())
            .map(|head| head.over_layers(&vb, encoder.layers()).unwrap());
        let report = LoadReport::new(Some(&source), &fresh);
        assert_eq!(report.fresh, Vec::<String>::new());
        Self { encoder, head, report, expected }
    }

    pub(crate) fn want(&self, name: &str) -> Tensor {
        self.expected.tensor(name).unwrap()
    }

    /// Compares with the expected tensors of these names with `suffix`. `mask` tells which places
    /// hold data.
    pub(crate) fn agrees(&self, batch: &Batch, suffix: &str, mask: Option<&Tensor>) {
        let _grad = tch::no_grad_guard();
        let close = |got: &Tensor, name: &str| {
            let name = format!("{name}{suffix}");
            let want = self.want(&name);
            let far = furthest(got, &want, mask);
            // A processor with other instructions rounds large values otherwise.
            let largest = want.abs().max().double_value(&[]).max(1.);
            assert!(far < WITHIN * largest, "{name} differs by {far:e}");
        };
        for (features, name) in [
            (self.encoder.embed(batch, false), "embedded"),
            (self.encoder.trunk_output(batch, false), "hidden"),
        ] {
            match features {
                Features::Sequence(sequence) => {
                    assert_eq!(sequence.attention_mask.as_ref(), mask);
                    close(&sequence.x, name);
                }
                Features::FeatureMap(planes) => close(&planes, name),
            }
        }
        if let Some(head) = &self.head {
            close(&head.forward(&self.encoder.forward(batch, false)), "logits");
        }
    }
}

pub(crate) fn frames(file: &str, folder: &str) -> Rebuilt {
    let model = Rebuilt::new(file, folder);
    model.agrees(&Batch { x: model.want("frames"), attention_mask: None }, "", None);
    model
}

/// Of one length without a mask; and with it, each as it is alone.
pub(crate) fn waveforms(folder: &str, expected: &str) -> Vec<String> {
    alone(folder, expected, "waveform")
}

/// The same of any input. Returns the names that were not taken.
pub(crate) fn alone(folder: &str, expected: &str, input: &str) -> Vec<String> {
    let model = Rebuilt::new(folder, expected);
    let x = || model.want(input);
    model.agrees(&Batch { x: x(), attention_mask: None }, "", None);
    let mask = |name| model.want(name).to_kind(Kind::Bool);
    let batch = Batch { x: x(), attention_mask: Some(mask("mask")) };
    model.agrees(&batch, ".alone", Some(&mask("mask.frames")));
    let masked = |name: &String| name.ends_with("masked_spec_embed");
    model.report.unused.into_iter().filter(|name| !masked(name)).collect()
}

#[test]
fn an_ast() {
    let model = frames("tiny-ast", "tiny-ast");
    assert!(model.head.is_some());
    assert_eq!(model.report.unused, Vec::<String>::new());
}

#[test]
fn a_honk() {
    let model = frames("tiny-honk/res8.pt", "tiny-honk");
    assert!(model.head.is_some());
    let counts = |name: &&String| !name.ends_with("num_batches_tracked");
    assert_eq!(model.report.unused.iter().find(counts), None);
}

#[test]
fn a_whisper_that_classifies() {
    let model = frames("tiny-whisper", "tiny-whisper");
    assert!(model.head.is_some());
    assert_eq!(model.report.unused, Vec::<String>::new());
}

#[test]
fn a_whisper_without_its_decoder() {
    let model = frames("tiny-whisper-speech", "tiny-whisper-speech");
    assert!(model.head.is_none());
    let rest: Vec<_> =
        model.report.unused.iter().filter(|n| !n.starts_with("model.decoder.")).collect();
    assert_eq!(rest, Vec::<&String>::new());
}

#[test]
fn a_whisper_that_sums_its_layers() {
    let model = frames("tiny-whisper-weighted", "tiny-whisper-weighted");
    assert!(model.head.is_some());
    assert_eq!(model.report.unused, Vec::<String>::new());
}

#[test]
fn a_base_wav2vec2_in_both_spellings_of_its_weight_norm() {
    assert_eq!(waveforms("tiny-wav2vec2", "tiny-wav2vec2"), NONE);
    assert_eq!(waveforms("tiny-wav2vec2-weight-g", "tiny-wav2vec2"), NONE);
}

#[test]
fn a_large_wav2vec2() {
    assert_eq!(waveforms("tiny-wav2vec2-large", "tiny-wav2vec2-large"), NONE);
}

#[test]
fn a_base_hubert() {
    assert_eq!(waveforms("tiny-hubert", "tiny-hubert"), NONE);
}

#[test]
fn a_large_hubert() {
    assert_eq!(waveforms("tiny-hubert-large", "tiny-hubert-large"), NONE);
}
