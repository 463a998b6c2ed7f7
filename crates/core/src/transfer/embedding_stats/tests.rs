//! Statistics estimated from weights, against independent computations on the fixtures of other
//! crates; and that a new embedder ends up with them.

use tch::nn::VarStore;

use super::*;
use crate::nn::{
    Embedder, FrameEmbedder, FrameEmbedderConfig, Pool, Positions, StemConfig, StemEmbedder,
    StemPool, Trunk,
};
use crate::weights::{Fresh, LoadReport, VarBuilder};

fn fixture(name: &str) -> Pretrained {
    Pretrained::open(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn stats(name: &str) -> Option<EmbeddingStats> {
    EmbeddingStats::of(&fixture(name)).unwrap()
}

fn near(got: &Tensor, at: &[i64], want: f64) {
    let got = got.double_value(at);
    assert!((got - want).abs() < 5e-6, "{got}, not {want}");
}

/// Against NumPy in f64, over the whole vocabulary.
#[test]
fn tokens_are_measured_position_by_position() {
    let bert = stats("text/tests/fixtures/tiny-bert").unwrap();
    assert_eq!(bert.mean.size(), [64, 32]);
    near(&bert.mean, &[3, 5], -0.584_437_664_482_621);
    near(&bert.std, &[3, 5], 0.755_964_211_071_420);
    let (mean, std) = bert.trunk_input();
    near(&mean, &[5], -0.514_647_982_701_799);
    near(&std, &[5], 1.238_129_771_207_07);
    let gpt2 = stats("text/tests/fixtures/tiny-gpt2").unwrap();
    near(&gpt2.mean, &[3, 5], -0.639_570_317_479_471);
    near(&gpt2.std, &[3, 5], 0.422_019_369_244_157);
    near(&gpt2.trunk_input().1, &[5], 0.540_632_890_559_135);
}

/// Against NumPy: the Kronecker product of the three correlations, written out.
#[test]
fn patches_are_measured_by_their_kernel() {
    let vit = stats("image/tests/fixtures/tiny-vit").unwrap();
    assert_eq!(vit.mean.size(), [16, 32]);
    near(&vit.mean, &[2, 5], -0.105_541_461_147_367);
    near(&vit.std, &[2, 5], 1.173_210_789_209_223);
}

/// Against the numerical integral (SciPy's `quad`) over a rectified normal distribution (ReLU).
#[test]
fn feature_maps_are_measured_after_their_relu() {
    let resnet = stats("image/tests/fixtures/tiny-resnet-cifar/resnet.th").unwrap();
    near(&resnet.mean, &[0, 1], 0.032_656_077_295_542);
    let (mean, std) = resnet.trunk_input();
    near(&mean, &[1], 0.292_212_063_233_413);
    near(&std, &[1], 0.414_403_149_807_953);
}

#[test]
fn what_cannot_be_estimated_is_not_made_up() {
    for (name, told) in [
        ("audio/tests/fixtures/tiny-honk/res8.pt", false),
        ("audio/tests/fixtures/tiny-whisper", false),
        ("audio/tests/fixtures/tiny-wav2vec2", true),
        ("audio/tests/fixtures/tiny-wav2vec2-large", false),
    ] {
        assert_eq!(stats(name).is_some(), told, "{name}");
    }
}

/// An encoder of a new embedder on a source's trunk, initialised from `batch` and matched.
fn matched(
    source: &str,
    embedder: impl FnOnce(VarBuilder<'_>, FeatureShape) -> Box<dyn Embedder>,
    batch: &Batch,
) -> (EmbeddingStats, Features) {
    tch::manual_seed(1);
    let pretrained = fixture(source);
    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let root = VarBuilder::root(&store, &fresh);
    let trunk = Trunk::new(&root.sub("trunk"), &pretrained.config().trunk).unwrap();
    let embedder = embedder(root.sub("embed"), trunk.accepts());
    let encoder = Encoder::join(embedder, trunk, Pool::Mean).unwrap();
    encoder.init_from_data(batch);
    let stats = EmbeddingStats::of(&pretrained).unwrap().unwrap();
    let report = LoadReport::new(None, &fresh);
    stats.match_to(&encoder, &store.variables(), &report, batch);
    let features = tch::no_grad(|| encoder.embed(batch, false));
    (stats, features)
}

#[test]
fn new_frames_get_the_statistics_of_tokens() {
    let x = Tensor::randn([64, 8, 5], (Kind::Float, Device::Cpu));
    // Half of the sequences end early; padding does not count.
    let mask = Tensor::ones([64, 8], (Kind::Bool, Device::Cpu));
    let _ = mask.narrow(0, 0, 32).narrow(1, 4, 4).fill_(0);
    let batch = Batch { x, attention_mask: Some(mask) };
    for source in ["text/tests/fixtures/tiny-bert", "text/tests/fixtures/tiny-gpt2"] {
        let frames = |vb: VarBuilder<'_>, form| {
            let config = FrameEmbedderConfig { features: 5, positions: Positions::Sequence(8) };
            Box::new(FrameEmbedder::new(vb, config, form).unwrap()) as Box<dyn Embedder>
        };
        let (stats, features) = matched(source, frames, &batch);
        let ((mean, std), (want, spread)) = (feature_stats(&features), stats.trunk_input());
        let off = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        assert!(off(&mean, &want) < 1e-5, "{source}: {}", off(&mean, &want));
        // A later position differs from the first as in the source.
        let Features::Sequence(sequence) = &features else { panic!("not a sequence") };
        let error = stats.off(sequence).square().mean(Kind::Float).double_value(&[]);
        let pattern = &stats.mean.narrow(0, 0, 8) - stats.trunk_input().0;
        let all = pattern.square().mean(Kind::Float).double_value(&[]);
        assert!(error < 0.2 * all, "{source}: {error} of {all}");
        assert!(off(&std, &spread) < 1e-5, "{source}: {}", off(&std, &spread));
    }
}

#[test]
fn new_feature_maps_get_the_statistics_of_a_stem() {
    let x = Tensor::randn([32, 1, 12, 12], (Kind::Float, Device::Cpu)) * 3. + 1.;
    let stem = |vb: VarBuilder<'_>, form| {
        let config = StemConfig::new((1, 4), 3, 1, StemPool::Without);
        Box::new(StemEmbedder::new(vb, &config, &config, form).unwrap()) as Box<dyn Embedder>
    };
    let batch = Batch { x, attention_mask: None };
    let source = "image/tests/fixtures/tiny-resnet-cifar/resnet.th";
    let (stats, features) = matched(source, stem, &batch);
    let ((mean, std), (want, spread)) = (feature_stats(&features), stats.trunk_input());
    // As far as the convolution's output for random pixels is normally distributed.
    assert!((mean - want).abs().max().double_value(&[]) < 0.02);
    assert!((std - spread).abs().max().double_value(&[]) < 0.02);
}
