//! Published models that transcribe, as transformers computes them, from their symbols to recordings that
//! are longer than they take. `xtask/scripts/fixtures/ctc_models.py` made the files.

use std::fs;

use crosstune_audio::{AudioOptions, AudioSettings, Long};
use crosstune_core::predict::{Answer, Transcript, answers, score};
use crosstune_core::{
    Batch, Checkpoint, Device, Input, Item, MemoryBudget, Modality, Model, Pool, Pretrained,
    ReadMode, Samples, Scores, Task, export,
};
use hound::{SampleFormat, WavSpec};
use serde_json::Value;
use tch::{IndexOp, Kind, Tensor};

use crate::families::WITHIN;
use crate::{fixture, spec, tone, write};

const NAMES: [&str; 7] = [
    "tiny-wav2vec2-ctc",
    "tiny-hubert-ctc",
    "tiny-wavlm-ctc",
    "tiny-data2vec-audio-ctc",
    "tiny-unispeech-sat-ctc",
    "tiny-wav2vec2-conformer-ctc",
    "tiny-wav2vec2-bert-ctc",
];

fn open(folder: &std::path::Path, options: AudioOptions) -> (Model, AudioSettings) {
    let source = Pretrained::open(folder).unwrap();
    let mut audio = AudioSettings::new(options).unwrap();
    let unnamed = |_, _| panic!("its symbols are known");
    let model = Model::pretrained(&source, &mut audio, unnamed, Device::Cpu).unwrap();
    assert_eq!((model.spec().task, model.spec().pool), (Task::Transcription, Pool::Positions));
    (model, audio)
}

fn expected(name: &str) -> (Checkpoint, Value) {
    let folder = fixture(name);
    let texts = fs::read_to_string(folder.join("expected.json")).unwrap();
    let tensors = Checkpoint::open(folder.join("expected.safetensors")).unwrap();
    (tensors, serde_json::from_str(&texts).unwrap())
}

/// A file of floats at 16 kHz.
fn recording(folder: &tempfile::TempDir, samples: Vec<f32>) -> Input {
    let floats =
        WavSpec { bits_per_sample: 32, sample_format: SampleFormat::Float, ..spec(16_000) };
    Input::File(write(folder.path(), "recording.wav", floats, samples))
}

/// The scores of one recording.
fn heard(model: &Model, audio: &AudioSettings, input: &Input) -> Tensor {
    let item = Item { input: input.clone(), ..Item::file("recording".as_ref()) };
    let mut budget = MemoryBudget::default();
    let (samples, bad) = Samples::read(audio, &[item], ReadMode::Inference, &mut budget, || ());
    assert!(bad.is_empty(), "{bad:?}");
    let mut found = None;
    score(model, audio, &samples, 16, |_, scores| {
        let Scores::Sequences(all) = scores else { panic!("not of positions") };
        found = Some(all[0].shallow_clone());
        Ok(())
    })
    .unwrap();
    found.unwrap()
}

fn told(model: &Model, scores: Tensor) -> Answer {
    let scores = Scores::Sequences(vec![scores]);
    answers(model.spec().task_config(), &scores).unwrap().remove(0)
}

fn transcript(answer: Answer) -> Transcript {
    let Answer::Transcript(transcript) = answer else { panic!("no text: {answer:?}") };
    transcript
}

fn far(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.size(), want.size());
    (got - want).abs().max().double_value(&[])
}

#[test]
fn models_that_transcribe_write_what_transformers_writes() {
    for name in NAMES {
        let (model, _) = open(&fixture(name), AudioOptions::default());
        assert_eq!(model.report().fresh, Vec::<String>::new());
        let (tensors, texts) = expected(name);
        let want = |name| tensors.tensor(name).unwrap();
        let input = if name.contains("2-bert") { "frames" } else { "waveform" };
        let mask = want("mask").to_kind(Kind::Bool);
        let batch = Batch { x: want(input), attention_mask: Some(mask) };
        let cut = crosstune_core::CutPoint::Inputs;
        let logits = tch::no_grad(|| model.classifier().forward_from(&batch, cut, false));
        let frames = want("mask.frames").to_kind(Kind::Bool);
        assert_eq!(logits.attention_mask, Some(frames.shallow_clone()), "{name}");
        let got = logits.x * frames.unsqueeze(-1);
        let far = far(&got, &want("logits.alone"));
        assert!(far < 4. * WITHIN, "{name} differs by {far:e}");
        for row in 0..2 {
            let length = frames.get(row).sum(Kind::Int64).int64_value(&[]);
            let text = transcript(told(&model, got.i((row, ..length)))).text;
            // Here there is one space between words.
            let want = texts["texts"][row as usize].as_str().unwrap();
            let want = want.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(text, want, "{name}");
        }
    }
}

#[test]
fn what_symbols_mean_is_read_from_all_places_that_tell_it() {
    let of = |name| Pretrained::open(fixture(name)).unwrap();
    let symbols = |name| of(name).class_names().unwrap().join(" ");
    assert_eq!(symbols("tiny-wav2vec2-ctc"), "<pad> <s> </s> <unk> | A B C D E F G");
    assert_eq!(symbols("tiny-hubert-ctc"), "<pad> <s> </s> <unk> | a b c d e f g");
    assert_eq!(symbols("tiny-wavlm-ctc"), "| a b c d e f g [UNK] [PAD] <s> </s>");
    assert_eq!(symbols("tiny-data2vec-audio-ctc"), "<pad> <unk> A B C D E F G |");
    assert_eq!(symbols("tiny-unispeech-sat-ctc"), "<pad> <s> </s> <unk> | A B <7> C D E F G");
    let wavlm = of("tiny-wavlm-ctc");
    let vocabulary = wavlm.vocabulary().unwrap();
    assert_eq!((vocabulary.blank, vocabulary.delimiter), (9, Some(0)));
    assert_eq!((vocabulary.unknown, &vocabulary.special[..]), (Some(8), &[10, 11][..]));
    // Texts are written as the symbols are.
    let labels = wavlm.class_names().unwrap();
    assert_eq!(vocabulary.encode("A b", labels), (vec![1, 0, 2], vec![]));
    let hubert = of("tiny-hubert-ctc");
    let encoded = hubert.vocabulary().unwrap().encode("A", hubert.class_names().unwrap());
    assert_eq!(encoded, (vec![5], vec![]));
    let upper = of("tiny-wav2vec2-ctc");
    let encoded = upper.vocabulary().unwrap().encode("gé", upper.class_names().unwrap());
    assert_eq!(encoded, (vec![11, 3], vec!['É']));
}

#[test]
fn symbols_that_are_missing_or_broken_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(fixture("tiny-wav2vec2-ctc")).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let error = |file: &str, content: &str| {
        fs::write(folder.path().join(file), content).unwrap();
        let error = Pretrained::open(folder.path()).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    let said = error("vocab.json", r#"{"en": {"a": 0}}"#);
    assert!(said.contains(r#"vocab.json: "en" has no number"#), "{said}");
    assert!(error("vocab.json", "[]").contains("expected symbols with their numbers"));
    fs::write(folder.path().join("config.json"), {
        let config = fs::read_to_string(fixture("tiny-wav2vec2-ctc/config.json")).unwrap();
        config.replace(r#""pad_token_id": 0"#, r#""pad_token_id": null"#)
    })
    .unwrap();
    fs::write(folder.path().join("tokenizer_config.json"), "{}").unwrap();
    assert!(error("vocab.json", r#"{"a": 1}"#).contains("no symbol is the blank"));
    fs::remove_file(folder.path().join("vocab.json")).unwrap();
    // The rest of it can be tuned all the same.
    let source = Pretrained::open(folder.path()).unwrap();
    assert_eq!(source.task().unwrap(), Task::Transcription);
    let said = source.labels(|_, _| panic!("asked")).unwrap_err().to_string();
    assert!(said.contains("put its vocab.json beside it"), "{said}");
}

#[test]
fn windows_are_joined_as_the_pipeline_joins_its_chunks() {
    let (tensors, texts) = expected("tiny-wav2vec2-ctc");
    let options = AudioOptions { frames: Some(40), ..AudioOptions::default() };
    let source = fixture("tiny-wav2vec2-ctc");
    let (model, audio) = open(&source, options);
    let folder = tempfile::tempdir().unwrap();
    let wave = Vec::try_from(tensors.tensor("recording").unwrap()).unwrap();
    let input = recording(&folder, wave);
    let windows = audio.windows(&audio.read(&input).unwrap());
    // 41 positions of 20 samples, of which 27 are each window's own.
    let lengths: Vec<i64> = windows.iter().map(|window| window.x.size()[0]).collect();
    assert_eq!(lengths, [820, 820, 820, 820, 820, 820, 760]);
    let joined = heard(&model, &audio, &input);
    let want = tensors.tensor("joined").unwrap().log_softmax(-1, Kind::Float);
    let far = far(&joined, &want);
    assert!(far < 4. * WITHIN, "differs by {far:e}");
    let places = audio.places(&input, joined.size()[0] as usize).unwrap();
    let heard = transcript(told(&model, joined).located(&places));
    assert_eq!(texts["joined"], heard.text.as_str());
    let words = texts["words"].as_array().unwrap();
    assert_eq!(words.len(), heard.words.len());
    for (word, want) in heard.words.iter().zip(words) {
        assert_eq!(want[0], word.word.as_str());
        let seconds = word.seconds.unwrap();
        for (got, want) in seconds.into_iter().zip([&want[1], &want[2]]) {
            assert!((got - want.as_f64().unwrap()).abs() < 1e-9, "{got} {want}");
        }
    }
    // A run folder's settings hear the same.
    let again: AudioSettings =
        serde_json::from_str(&serde_json::to_string(&audio).unwrap()).unwrap();
    assert_eq!(again.windows(&again.read(&input).unwrap()).len(), windows.len());
}

#[test]
fn times_are_those_of_the_file_though_silence_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let silence = |length| std::iter::repeat_n(0_i16, length);
    let samples = silence(8000).chain(tone(440., 16_000, 4000)).chain(silence(16_000));
    let input = Input::File(write(folder.path(), "a.wav", spec(16_000), samples));
    let places = |name: &str, trim_db| {
        let options = AudioOptions { trim_db, ..AudioOptions::default() };
        let mut audio = AudioSettings::new(options).unwrap();
        audio.adopt(&Pretrained::open(fixture(name)).unwrap()).unwrap();
        audio.set_task(Task::Transcription).unwrap();
        let places = audio.places(&input, 25).unwrap();
        (places.starts_at, places.seconds_per_position)
    };
    // A position is 20 samples, or as many as what is heard is divided into.
    assert_eq!(places("tiny-wav2vec2-ctc", None), (0., Some(20. / 16_000.)));
    assert_eq!(places("tiny-wav2vec2-ctc", Some(40.)), (0.5, Some(20. / 16_000.)));
    for name in ["tiny-honk/res8.pt", "tiny-ast"] {
        assert_eq!(places(name, None), (0., Some(1.75 / 25.)), "{name}");
        assert_eq!(places(name, Some(40.)), (0.5, Some(0.25 / 25.)), "{name}");
    }
    assert_eq!(places("tiny-clap", Some(40.)), (0., None));
}

#[test]
fn a_tuned_model_goes_back_to_transformers_and_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let (model, audio) = open(&fixture(name), AudioOptions::default());
        let out = folder.path().join(name);
        export::hugging_face(&model, &audio, &out).unwrap();
        let config: Value =
            serde_json::from_str(&fs::read_to_string(out.join("config.json")).unwrap()).unwrap();
        assert!(config["architectures"][0].as_str().unwrap().ends_with("ForCTC"));
        assert_eq!(config["vocab_size"], model.spec().labels.len());
        assert!(config["problem_type"].is_null() && config["id2label"].is_null());
        let (again, _) = open(&out, AudioOptions::default());
        assert_eq!(again.spec().vocabulary, model.spec().vocabulary, "{name}");
        assert_eq!(again.spec().labels, model.spec().labels);
        let mut ours = model.store().variables();
        for (name, value) in again.store().variables() {
            assert!((ours.remove(&name).unwrap() - value).abs().max().double_value(&[]) < 1e-6);
        }
        assert!(ours.is_empty());
    }
}

#[test]
fn recordings_of_all_kinds_are_heard_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let options = AudioOptions { frames: Some(40), ..AudioOptions::default() };
    let (model, audio) = open(&fixture("tiny-wav2vec2-ctc"), options);
    let stereo = WavSpec { channels: 2, ..spec(8000) };
    let file = |name: &str, spec, samples: Vec<i16>| {
        Input::File(write(folder.path(), name, spec, samples))
    };
    for (input, positions) in [
        // 2000 samples at 8 kHz are 4000 at 16 kHz.
        (file("a.wav", spec(8000), tone(440., 8000, 2000).collect()), 199),
        (file("b.wav", stereo, tone(440., 8000, 4000).collect()), 199),
        (file("c.wav", spec(16_000), vec![0; 4000]), 199),
        // Less than a position is filled up to one.
        (file("d.wav", spec(16_000), vec![100; 7]), 1),
    ] {
        assert_eq!(heard(&model, &audio, &input).size(), [positions, 12]);
        let extent = audio.extent(&input).unwrap().unwrap();
        assert_eq!(extent.taken, extent.whole);
    }
}

#[test]
fn only_whole_recordings_are_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let long = Input::File(write(folder.path(), "a.wav", spec(16_000), tone(440., 16_000, 4000)));
    let short = Input::File(write(folder.path(), "b.wav", spec(16_000), tone(440., 16_000, 700)));
    let adopted = |frames, file| {
        let options = AudioOptions { frames, ..AudioOptions::default() };
        let mut audio = AudioSettings::new(options).unwrap();
        audio.adopt(&Pretrained::open(fixture(file)).unwrap()).unwrap();
        audio.set_task(Task::Transcription).unwrap();
        audio.survey(&[&long, &short]);
        audio
    };
    let asked = adopted(Some(40), "tiny-wav2vec2-ctc");
    let error = asked.read_for_training(&long).unwrap_err().to_string();
    let says =
        "0.25 s, but a text is learned of a whole recording, and the model takes 0.05 s at once";
    assert_eq!(error, format!("{says}: add --frames 199"));
    assert_eq!(asked.read_for_training(&short).unwrap().size(), [700]);
    // As many as the longest needs.
    let audio = adopted(None, "tiny-wav2vec2-ctc");
    assert_eq!(audio.options().frames, Some(199));
    assert_eq!(audio.read_for_training(&long).unwrap().size(), [4000]);
    assert!(!audio.augments());
    // What a model takes at most bounds it: 40 frames of 160 samples.
    let whisper = adopted(None, "tiny-whisper");
    assert_eq!(whisper.options().frames, Some(26));
    let cut = adopted(Some(20), "tiny-whisper");
    let error = cut.read_for_training(&long).unwrap_err().to_string();
    assert!(error.ends_with("takes 0.20 s at once: add --frames 25"), "{error}");
    let longer = Input::File(write(folder.path(), "c.wav", spec(16_000), tone(440., 16_000, 9000)));
    let error = cut.read_for_training(&longer).unwrap_err().to_string();
    assert!(error.ends_with("at once: cut it, with its text"), "{error}");
    let mut other = AudioSettings::default();
    other.set_task(Task::Transcription).unwrap();
    other.survey(&[&long]);
    assert_eq!(other.options().frames, Some(26));
    let kept = other.read_for_training(&long).unwrap();
    assert_eq!(kept.size(), [26, 40]);
    // Nothing is cropped.
    assert_eq!(
        other.augment(&kept, &mut rand_chacha::rand_core::SeedableRng::seed_from_u64(0)),
        kept
    );
    for long in [Long::Cut, Long::Crop] {
        let options = AudioOptions { long: Some(long), ..AudioOptions::default() };
        let error = AudioSettings::new(options).unwrap().set_task(Task::Transcription).unwrap_err();
        assert!(error.to_string().starts_with("--long: a text is that of a whole"), "{error}");
    }
    assert!(other.set_task(Task::Tagging).is_err());
}
