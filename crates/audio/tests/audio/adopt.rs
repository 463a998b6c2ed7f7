//! What pretrained models of sound bring along, from a recording to a step of training and back from
//! a run folder.

use std::{fs, path::Path};

use crosstune_audio::{AudioOptions, AudioSettings, Long};
use crosstune_core::{
    Batch, Checkpoint, Device, FitOptions, Freeze, Fresh, Input, LoadParts, Modality, Model,
    Origin, Pretrained, Trainer, VarBuilder, WeightSource, seed,
};
use tch::{Tensor, nn::VarStore};

use crate::{fixture, spec, tone, write};

/// A committed recording at 8 kHz.
pub(crate) fn digit(name: &str) -> Input {
    Input::File(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/digits/train").join(name))
}

pub(crate) fn adopt(file: &str, options: AudioOptions) -> (AudioSettings, Pretrained) {
    let mut audio = AudioSettings::new(options).unwrap();
    let source = Pretrained::open(fixture(file)).unwrap();
    assert_eq!(audio.adopt(&source).unwrap(), Origin::Pretrained);
    (audio, source)
}

fn refused(file: &str, options: AudioOptions) -> String {
    let source = Pretrained::open(fixture(file)).unwrap();
    AudioSettings::new(options).unwrap().adopt(&source).unwrap_err().to_string()
}

fn reopened(audio: &AudioSettings) -> AudioSettings {
    serde_json::from_str(&serde_json::to_string(audio).unwrap()).unwrap()
}

/// Adopts the model of a fixture, reads two recordings, takes a step of training with a fresh head,
/// and opens what was saved. Returns the shape of the batch.
pub(crate) fn tunes(file: &str, options: AudioOptions) -> Vec<i64> {
    seed(1);
    // Both recordings are longer than what the smallest of models take.
    let (mut audio, source) = adopt(file, AudioOptions { long: Some(Long::Cut), ..options });
    let inputs = [digit("0_gb-f4_0.wav"), digit("1_caribbean-m6_0.wav")];
    audio.survey(&[&inputs[0], &inputs[1]]);
    let samples = inputs.each_ref().map(|input| audio.read(input).unwrap());
    assert!(audio.moments(&samples[0]).is_none() && audio.scale().is_none());
    let batch = audio.batch(&[&samples[0], &samples[1]]);

    let labels = vec!["zero".to_string(), "one".to_string()];
    let spec = AudioSettings::spec(&source, Origin::Pretrained, labels);
    let tensors = source.source().unwrap();
    let taken = Some((&tensors, LoadParts::Body));
    let model = Model::new(spec.clone(), &audio, taken, Device::Cpu).unwrap();
    assert_eq!(model.report().fresh, ["head.bias", "head.weight"]);
    Freeze::nothing().apply(model.store(), model.outline()).unwrap();
    let before: Vec<(String, Tensor)> =
        model.store().variables().into_iter().map(|(name, x)| (name, x.copy())).collect();
    let options = FitOptions::default();
    let step =
        Trainer::new(&model, &options, 1).step(&batch, &Tensor::from_slice(&[0_i64, 1]).into());
    assert!(step.unwrap().loss.is_finite());
    for (name, value) in before {
        // A softmax does not see what is added to all of its scores, and the bias of the keys is.
        let moves = name.ends_with("weight") || name == "embed.position";
        assert!(!moves || model.store().variables()[&name] != value, "{name} stands still");
    }

    let folder = tempfile::tempdir().unwrap();
    audio.save(folder.path()).unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let audio = AudioSettings::open(folder.path()).unwrap();
    let saved = Checkpoint::open(&path).unwrap();
    let taken = WeightSource::ours(&saved);
    let again = Model::new(spec, &audio, Some((&taken, LoadParts::All)), Device::Cpu).unwrap();
    let samples = inputs.map(|input| audio.read(&input).unwrap());
    let same = audio.batch(&[&samples[0], &samples[1]]);
    assert_eq!(same.x, batch.x);
    let logits = |model: &Model| tch::no_grad(|| model.classifier().forward(&batch, false));
    assert_eq!(logits(&again), logits(&model));
    batch.x.size()
}

#[test]
fn a_wav2vec2_tunes_to_digits() {
    // 256 places, every 20 samples, of a field of 30.
    let options = AudioOptions { frames: Some(256), ..AudioOptions::default() };
    assert_eq!(tunes("tiny-wav2vec2", options), [2, 255 * 20 + 30]);
}

#[test]
fn a_whisper_tunes_to_digits() {
    assert_eq!(tunes("tiny-whisper", AudioOptions::default()), [2, 40, 8]);
    let shorter = AudioOptions { frames: Some(13), ..AudioOptions::default() };
    assert_eq!(tunes("tiny-whisper", shorter), [2, 13, 8]);
}

#[test]
fn an_ast_tunes_to_digits() {
    assert_eq!(tunes("tiny-ast", AudioOptions::default()), [2, 24, 16]);
    let shorter = AudioOptions { frames: Some(20), ..AudioOptions::default() };
    assert_eq!(tunes("tiny-ast", shorter), [2, 20, 16]);
}

#[test]
fn a_honk_tunes_to_digits() {
    assert_eq!(tunes("tiny-honk/res8.pt", AudioOptions::default()), [2, 101, 40]);
}

#[test]
fn an_ast_for_shorter_recordings_has_the_first_positions_in_time() {
    let positions = |frames| {
        let options = AudioOptions { frames: Some(frames), ..AudioOptions::default() };
        let (audio, source) = adopt("tiny-ast", options);
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let tensors = source.source().unwrap();
        let vb = VarBuilder::root(&store, &fresh).sub("embed").with_source(Some(&tensors));
        audio.embedder(vb, source.config().trunk.accepts()).unwrap();
        store.variables()["embed.position"].shallow_clone()
    };
    let (whole, short) = (positions(24), positions(20));
    assert_eq!((whole.size(), short.size()), (vec![1, 2 + 5 * 7, 32], vec![1, 2 + 5 * 6, 32]));
    assert_eq!(short.narrow(1, 0, 2), whole.narrow(1, 0, 2));
    let grid = |table: &Tensor| table.narrow(1, 2, table.size()[1] - 2).view([5, -1, 32]);
    assert_eq!(grid(&short), grid(&whole).narrow(1, 0, 6));
}

/// As its library does, or in windows where the model's positions end.
#[test]
fn a_published_model_takes_all_of_a_recording() {
    for (file, windows) in [("tiny-whisper", 2..9), ("tiny-ast", 2..9), ("tiny-wav2vec2", 1..2)] {
        let source = Pretrained::open(fixture(file)).unwrap();
        let mut audio = AudioSettings::default();
        Model::pretrained(&source, &mut audio, |_, _| Ok(vec![]), Device::Cpu).unwrap();
        let input = digit("0_gb-f4_0.wav");
        let extent = audio.extent(&input).unwrap().unwrap();
        assert_eq!(extent.taken, extent.whole, "{file}");
        let found = audio.windows(&audio.read(&input).unwrap()).len();
        assert!(windows.contains(&found), "{file}: {found}");
    }
}

#[test]
fn a_model_of_sound_classifies_with_its_own_head() {
    for (file, input) in
        [("tiny-whisper", "frames"), ("tiny-ast", "frames"), ("tiny-wav2vec2", "waveform")]
    {
        let source = Pretrained::open(fixture(file)).unwrap();
        let mut audio = AudioSettings::new(AudioOptions::default()).unwrap();
        let model = Model::pretrained(&source, &mut audio, |_, _| Ok(vec![]), Device::Cpu).unwrap();
        assert_eq!(model.report().fresh, Vec::<String>::new());
        assert_eq!(model.spec().labels, ["heron", "stork", "crane"]);
        let expected = Checkpoint::open(fixture(file).join("expected.safetensors")).unwrap();
        let batch = Batch { x: expected.tensor(input).unwrap(), attention_mask: None };
        let logits = tch::no_grad(|| model.classifier().forward(&batch, false));
        let far = (logits - expected.tensor("logits").unwrap()).abs().max().double_value(&[]);
        assert!(far < 5e-6, "{file}: {far:e}");
    }
}

#[test]
fn padding_is_masked() {
    let folder = tempfile::tempdir().unwrap();
    let record = |name, length| {
        Input::File(write(folder.path(), name, spec(16_000), tone(440., 16_000, length)))
    };
    for file in ["tiny-hubert", "tiny-hubert-large"] {
        let (audio, _) = adopt(file, AudioOptions::default());
        let [a, b] = [record("a.wav", 500), record("b.wav", 300)].map(|i| audio.read(&i).unwrap());
        // Each by itself.
        let (variance, mean) = b.var_mean_correction(0, 0, false);
        assert!(mean.abs().double_value(&[]) < 1e-6);
        assert!((variance - 1.).abs().double_value(&[]) < 1e-5);
        let batch = audio.batch(&[&a, &b]);
        assert_eq!(batch.x.get(1).narrow(0, 300, 200), Tensor::zeros([200], crate::FLOAT));
        let mask = batch.attention_mask.unwrap();
        let kept: Vec<i64> = mask.sum_dim_intlist([1].as_slice(), false, None).try_into().unwrap();
        assert_eq!(kept, [500, 300], "{file}");
        // One sample is followed by silence, so that there is a place for it.
        assert_eq!(audio.read(&record("c.wav", 1)).unwrap().size(), [30]);
    }
}

#[test]
fn what_is_published_beside_the_weights_counts() {
    let folder = tempfile::tempdir().unwrap();
    let published = |file: &str, preprocessor: &str| {
        for name in ["config.json", "model.safetensors"] {
            fs::copy(fixture(file).join(name), folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("preprocessor_config.json"), preprocessor).unwrap();
        let mut audio = AudioSettings::new(AudioOptions::default()).unwrap();
        let source = Pretrained::open(folder.path()).unwrap();
        audio.adopt(&source).map(|_| audio).map_err(|e| e.to_string())
    };
    let audio = published(
        "tiny-wav2vec2",
        r#"{"sampling_rate": 8000, "do_normalize": false, "return_attention_mask": true}"#,
    );
    let audio = audio.unwrap();
    assert_eq!(audio.options().sample_rate, Some(8000));
    let [a, b] = [500, 300].map(|length| {
        let path = write(folder.path(), "a.wav", spec(8000), tone(440., 8000, length));
        audio.read(&Input::File(path)).unwrap()
    });
    assert!((0.3..0.4).contains(&a.max().double_value(&[])), "as loud as it was recorded");
    assert!(audio.batch(&[&a, &b]).attention_mask.is_some());

    let error = published("tiny-whisper", r#"{"feature_size": 80}"#).unwrap_err();
    let says = "preprocessor_config.json: feature_size is 80, but the model takes 8 bands";
    assert!(error.ends_with(says), "{error}");
    let error = published("tiny-ast", r#"{"num_mel_bins": 128}"#).unwrap_err();
    assert!(error.ends_with("num_mel_bins is 128, but the model takes 16 bands"), "{error}");
    let error = published("tiny-ast", r#"{"std": 0}"#).unwrap_err();
    assert!(error.contains("a mean or a scale"), "{error}");
    let error = published("tiny-whisper", r#"{"hop_length": 0}"#).unwrap_err();
    assert!(error.contains("--hop-ms"), "{error}");
    let error = published("tiny-whisper", "{").unwrap_err();
    assert!(error.contains("preprocessor_config.json"), "{error}");
}

#[test]
fn a_choice_against_the_pretrained_model_is_refused() {
    let with = |change: fn(&mut AudioOptions)| {
        let mut options = AudioOptions::default();
        change(&mut options);
        options
    };
    let rate = with(|o| o.sample_rate = Some(8000));
    for file in ["tiny-wav2vec2", "tiny-whisper", "tiny-ast", "tiny-honk/res8.pt"] {
        assert_eq!(
            refused(file, rate.clone()),
            "--sample-rate: the pretrained model was trained at 16000, got 8000; leave it out"
        );
    }
    for (file, options, says) in [
        (
            "tiny-whisper",
            with(|o| o.bands = Some(40)),
            "--bands: the pretrained model was trained at 8",
        ),
        (
            "tiny-ast",
            with(|o| o.hop_ms = Some(5.)),
            "--hop-ms: the pretrained model was trained at 10",
        ),
        (
            "tiny-wav2vec2",
            with(|o| o.bands = Some(40)),
            "--bands: the pretrained model takes the waveform",
        ),
        (
            "tiny-whisper",
            with(|o| o.frames = Some(41)),
            "--frames: the pretrained model takes 1 to 40",
        ),
        ("tiny-ast", with(|o| o.frames = Some(3)), "--frames: the pretrained model takes 4 to 24"),
        (
            "tiny-honk/res8.pt",
            with(|o| o.frames = Some(102)),
            "--frames: the pretrained model takes 4 to 101",
        ),
    ] {
        let error = refused(file, options);
        assert!(error.starts_with(says), "{error}");
    }
    // What agrees may be said.
    let agreeing = AudioOptions {
        sample_rate: Some(16_000),
        window_ms: Some(25.),
        hop_ms: Some(10.),
        bands: Some(8),
        frames: Some(40),
        ..AudioOptions::default()
    };
    let (audio, _) = adopt("tiny-whisper", agreeing.clone());
    assert_eq!(audio.options(), &agreeing);
    let (open, _) = adopt("tiny-whisper", AudioOptions::default());
    assert_eq!(open.options(), &agreeing);
    assert_eq!(reopened(&open).options(), &agreeing);
}

#[test]
fn a_survey_settles_how_much_of_the_waveform_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let input = Input::File(write(folder.path(), "a.wav", spec(8000), tone(440., 8000, 1000)));
    let (mut audio, _) = adopt("tiny-wav2vec2", AudioOptions::default());
    audio.survey(&[&input]);
    // 2000 samples at 16 kHz: one place of 30, and another every 20.
    assert_eq!(audio.options().frames, Some(1 + 1970 / 20));
    assert_eq!(audio.options().bands, None);
    assert_eq!(audio.read(&input).unwrap().size(), [98 * 20 + 30]);
}

#[test]
fn a_fresh_embedder_does_not_get_the_norm_that_is_the_trunks() {
    // The last norm of a large model has the name of a base model's first.
    let source = Pretrained::open(fixture("tiny-wav2vec2-large")).unwrap();
    let audio = AudioSettings::new(AudioOptions::default()).unwrap();
    let labels = vec!["zero".to_string(), "one".to_string()];
    let spec = AudioSettings::spec(&source, Origin::Fresh, labels);
    let tensors = source.source().unwrap();
    let taken = Some((&tensors, LoadParts::Body));
    let model = Model::new(spec, &audio, taken, Device::Cpu).unwrap();
    assert!(model.report().fresh.contains(&"embed.norm.weight".to_string()));
}

#[test]
fn a_model_of_pictures_with_a_pool_of_its_own_learns_from_sound() {
    seed(1);
    let siglip = fixture("../../../image/tests/fixtures/tiny-siglip-both");
    let source = Pretrained::open(siglip).unwrap();
    let mut audio = AudioSettings::new(AudioOptions::default()).unwrap();
    assert_eq!(audio.adopt(&source).unwrap(), Origin::Fresh);
    let inputs = [digit("0_gb-f4_0.wav"), digit("1_caribbean-m6_0.wav")];
    audio.survey(&[&inputs[0], &inputs[1]]);
    let samples = inputs.each_ref().map(|input| audio.read(input).unwrap());
    let batch = audio.batch(&[&samples[0], &samples[1]]);
    let head = &source.config().head;
    let labels = vec!["zero".to_string(), "one".to_string()];
    let spec =
        AudioSettings::spec(&source, Origin::Fresh, labels).with_head(head.pool, head.config);
    let tensors = source.source().unwrap();
    let taken = Some((&tensors, LoadParts::BodyAndHead));
    let model = Model::new(spec, &audio, taken, Device::Cpu).unwrap();
    assert!(!model.report().fresh.iter().any(|name| name.starts_with("trunk.")));
    Freeze::nothing().apply(model.store(), model.outline()).unwrap();
    let options = FitOptions { lr: 3e-3, ..FitOptions::default() };
    let mut trainer = Trainer::new(&model, &options, 20);
    let targets = Tensor::from_slice(&[0_i64, 1]).into();
    let losses: Vec<f64> = (0..20).map(|_| trainer.step(&batch, &targets).unwrap().loss).collect();
    assert!(losses[19] < losses[0], "{losses:?}");
}
