//! What answers are due to: as Captum has it, exactly where a model is linear, and on pages.

use std::fs;
use std::path::{Path, PathBuf};

use crosstune_audio::{AudioOptions, AudioSettings, Long};
use crosstune_core::predict::{
    Attributions, ExplainMethod, ExplainOptions, ExplainTarget, Explanation, Occluder, explain,
};
use crosstune_core::{
    Baseline, Batch, CutPoint, Device, FinalNorm, Input, Modality, Model, Origin, Pool, Pretrained,
    Task, TrunkConfig,
};
use crosstune_image::{ImageOptions, ImageSettings};
use crosstune_text::TextSettings;
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::support::{crosstune, names, root, train, words};

/// f32 along 50 points; a wrong baseline, path or sum shows by more than a hundredth.
const WITHIN: f64 = 2e-4;

/// Fifty points and no more, as Captum takes them.
fn gradients() -> ExplainOptions {
    let method = ExplainMethod::IntegratedGradients { steps: 50, tolerance: 0.9999 };
    ExplainOptions { method, batch_size: 7, ..ExplainOptions::default() }
}

fn occlusion(by: Occluder) -> ExplainOptions {
    ExplainOptions {
        method: ExplainMethod::Occlusion(by),
        batch_size: 7,
        ..ExplainOptions::default()
    }
}

/// A published model of a fixture, and what Captum computes of it.
fn fixture<M: Modality>(name: &str, modality: &mut M) -> (Model, impl Fn(&str) -> Tensor + use<M>) {
    let folder = root().join("crates").join(name);
    let source = Pretrained::open(&folder).unwrap();
    let unnamed = |_, _| panic!("the classes are published");
    let model = Model::pretrained(&source, modality, unnamed, Device::Cpu).unwrap();
    let expected = Tensor::read_safetensors(folder.join("explained.safetensors")).unwrap();
    let tensor = move |name: &str| {
        let found = expected.iter().find(|(key, _)| key == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.shallow_clone()
    };
    (model, tensor)
}

fn numbers(x: &Tensor) -> Vec<f64> {
    Vec::try_from(x.to_kind(Kind::Double).contiguous().view(-1)).unwrap()
}

fn near(got: &[f64], want: &Tensor, what: &str) {
    let want = numbers(want);
    let largest = want.iter().fold(1e-3f64, |most, value| most.max(value.abs()));
    assert_eq!(got.len(), want.len(), "{what}");
    let off = got.iter().zip(&want).map(|(a, b)| (a - b).abs() / largest).fold(0., f64::max);
    assert!(off < WITHIN, "{what}: {off:e} of the largest apart\n{got:?}\n{want:?}");
}

/// Both methods beside Captum's.
fn check<M: Modality>(
    model: &Model,
    modality: &M,
    input: &Input,
    by: Occluder,
    expected: &dyn Fn(&str) -> Tensor,
) -> Explanation {
    let class = expected("class").int64_value(&[0]) as usize;
    let question = ExplainTarget::Label(class);
    let of = explain(model, modality, input, &question, &gradients()).unwrap();
    assert_eq!((of.steps, of.converged), (50, true));
    near(&[of.score], &expected("score"), "the score");
    near(of.attributions.values(), &expected("gradients"), "gradients");
    let sum = of.attributions.values().iter().sum::<f64>() + of.rest;
    near(&[sum], &expected("gradients_sum"), "their sum");
    // However many rows are computed at a time.
    let at_once = ExplainOptions { batch_size: 64, ..gradients() };
    let again = explain(model, modality, input, &question, &at_once).unwrap();
    near(again.attributions.values(), &expected("gradients"), "gradients");
    let covered = explain(model, modality, input, &question, &occlusion(by)).unwrap();
    near(covered.attributions.values(), &expected("occlusion"), "occlusion");
    of
}

#[test]
fn words_as_captum_has_them() {
    let mut settings = TextSettings::new(None);
    let (model, expected) = fixture("text/tests/fixtures/tiny-bert-pairs", &mut settings);
    let pairs = root().join("crates/text/tests/fixtures/tiny-bert-pairs/pairs.tsv");
    let line = fs::read_to_string(pairs).unwrap().lines().next().unwrap().to_string();
    let (first, second) = line.split_once('\t').unwrap();
    let input = Input::Pair([first, second].map(String::from));
    settings.survey(&[&input]);
    let by = Occluder::Share(1.);
    let of = check(&model, &settings, &input, by, &expected);
    assert_eq!(of.baseline, Baseline::Padding);
}

/// A picture as a BMP file, of planes `[3, H, W]`.
fn bmp(pixels: &Tensor) -> Input {
    let (_, high, wide) = pixels.size3().unwrap();
    let rows = pixels.flip([0, 1]).permute([1, 2, 0]).contiguous().view(-1);
    let rows = Vec::<u8>::try_from(rows).unwrap();
    assert_eq!(3 * wide % 4, 0, "rows are filled up to four bytes");
    let mut file = b"BM".to_vec();
    let header = [54 + rows.len(), 0, 54, 40, wide as usize, high as usize, 1 + (24 << 16)];
    let all = header.into_iter().chain([0; 6]);
    file.extend(all.flat_map(|n| (n as u32).to_le_bytes()));
    file.extend(rows);
    Input::Bytes { name: "noise.bmp".into(), bytes: file.into() }
}

#[test]
fn pixels_as_captum_has_them() {
    let options = ImageOptions { size: Some(32), resize: Some(32), ..ImageOptions::default() };
    let mut settings = ImageSettings::new(options).unwrap();
    let (model, expected) = fixture("image/tests/fixtures/tiny-resnet-hf-basic", &mut settings);
    let input = bmp(&expected("pixels"));
    let by = Occluder::Exact { size: [8, 6], stride: [5, 4] };
    let of = check(&model, &settings, &input, by, &expected);
    let Attributions::Map { rows, columns, .. } = of.attributions else { panic!("no map") };
    assert_eq!((rows, columns, of.baseline), (8, 8, Baseline::Black));
}

/// A recording at 16 kHz as a WAV file.
fn wav(samples: &Tensor) -> Input {
    let samples = Vec::<i16>::try_from(samples).unwrap();
    let data: Vec<u8> = samples.into_iter().flat_map(i16::to_le_bytes).collect();
    let number = |n: usize| (n as u32).to_le_bytes();
    let mut file =
        [&b"RIFF"[..], &number(36 + data.len()), b"WAVEfmt \x10\0\0\0\x01\0\x01\0"].concat();
    file.extend([16_000, 32_000].map(number).concat());
    file.extend(b"\x02\0\x10\0data");
    file.extend(number(data.len()));
    file.extend(data);
    Input::Bytes { name: "tone.wav".into(), bytes: file.into() }
}

#[test]
fn moments_as_captum_has_them() {
    let options = AudioOptions { long: Some(Long::Cut), ..AudioOptions::default() };
    let mut settings = AudioSettings::new(options).unwrap();
    let (model, expected) = fixture("audio/tests/fixtures/tiny-ast", &mut settings);
    let input = wav(&expected("samples"));
    let by = Occluder::Exact { size: [6, 4], stride: [4, 3] };
    let of = check(&model, &settings, &input, by, &expected);
    assert_eq!(of.baseline, Baseline::Silence);
}

#[test]
fn of_a_linear_model_every_part_is_exact() {
    let folder = root().join("crates/image/tests/fixtures/tiny-vit");
    let source = Pretrained::open(folder).unwrap();
    let mut settings = ImageSettings::default();
    settings.adopt(&source).unwrap();
    let mut spec = ImageSettings::spec(&source, Origin::Pretrained, vec!["size".into()]);
    spec.task = Task::Regression;
    spec.pool = Pool::MeanOfPatches;
    let TrunkConfig::Transformer(trunk) = &mut spec.trunk else { panic!("no transformer") };
    trunk.final_norm = FinalNorm::Without;
    let model = Model::new(spec, &settings, None, Device::Cpu).unwrap();
    // Blocks that add nothing to what goes past them.
    tch::no_grad(|| {
        for (name, mut value) in model.store().variables() {
            if name.starts_with("trunk.") {
                let _ = value.zero_();
            }
        }
    });
    let pixels = Tensor::randint_low(0, 256, [3, 32, 32], (Kind::Uint8, Device::Cpu));
    let input = bmp(&pixels);
    let method = ExplainMethod::IntegratedGradients { steps: 1, tolerance: 1e-3 };
    let options = ExplainOptions { method, ..ExplainOptions::default() };
    let of = explain(&model, &settings, &input, &ExplainTarget::Value(0), &options).unwrap();
    assert_eq!((of.steps, of.converged), (1, true));

    let sample = settings.read(&input).unwrap();
    let embedded = |sample: &Tensor| {
        model.classifier().forward_to(&settings.batch(&[sample]), CutPoint::Trunk(0)).x
    };
    let way = embedded(&sample) - embedded(&sample.zeros_like());
    let weight = model.store().variables()["head.weight"].squeeze_dim(0);
    let patches =
        (way.narrow(1, 1, 16) * weight).sum_dim_intlist([-1].as_slice(), false, Kind::Double);
    near(of.attributions.values(), &(patches / 16.), "patches");
    assert!(of.rest.abs() < 1e-6, "the class token is not pooled: {}", of.rest);
}

#[test]
fn windows_are_computed_apart_and_give_the_same() {
    let samples = Tensor::randint_low(-9000, 9000, [16_000], (Kind::Int16, Device::Cpu));
    let input = wav(&samples);
    let options =
        AudioOptions { frames: Some(24), long: Some(Long::Windows), ..AudioOptions::default() };
    let mut settings = AudioSettings::new(options).unwrap();
    let (model, _) = fixture("audio/tests/fixtures/tiny-ast", &mut settings);
    let windows = settings.windows(&settings.read(&input).unwrap()).len();
    assert!(windows > 4, "{windows}");
    let of = |batch_size: usize| {
        let options = ExplainOptions { batch_size, ..gradients() };
        explain(&model, &settings, &input, &ExplainTarget::Label(0), &options).unwrap()
    };
    let (few, all) = (of(3), of(1000));
    let Attributions::Map { columns, values, .. } = &all.attributions else { panic!("no map") };
    near(few.attributions.values(), &Tensor::from_slice(values), "in parts");
    assert!(*columns > 20, "{columns} columns over a second");
    // The score is that of the probabilities' mean.
    let batch: Vec<Tensor> =
        settings.windows(&settings.read(&input).unwrap()).into_iter().map(|w| w.x).collect();
    let Batch { x, attention_mask } = settings.batch(&batch.iter().collect::<Vec<_>>());
    let logits = tch::no_grad(|| model.classifier().forward(&Batch { x, attention_mask }, false));
    let p = logits.softmax(-1, Kind::Double).mean_dim([0].as_slice(), false, None);
    near(&[all.score], &p.get(0).logit(None::<f64>).view(1), "the score");
}

fn explained(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("explanations.json")).unwrap()).unwrap()
}

/// Explains some of the samples that ship with a crate by a model that was just trained on them.
fn pages(
    modality: &str,
    inputs: &dyn Fn(&Path) -> Vec<PathBuf>,
    more: &[&str],
) -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(modality, &run, &["--epochs", "1"]).ok();
    let out = folder.path().join("why");
    let mut words = words!["explain", run, "--out", out].to_vec();
    words.extend(inputs(folder.path()).iter().map(|input| input.into()));
    words.extend(more.iter().map(Into::into));
    let said = crosstune(modality, &words).ok();
    let record = explained(&out);
    let all = record["explanations"].as_array().unwrap();
    assert_eq!(said.lines().count(), all.len());
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && !page.contains("<script"), "{modality}");
    for one in all {
        let file = out.join(one["file"].as_str().unwrap());
        assert!(fs::read(file).unwrap().starts_with(b"\x89PNG"), "{modality}");
        assert_eq!(one["converged"], true, "{one}");
        assert!(page.contains(one["asked"].as_str().unwrap()), "{one}");
    }
    assert_eq!(names(&out).len(), all.len() + 2);
    // What is there is not replaced unasked.
    let again = crosstune(modality, &words).error(2);
    assert!(again.contains("--overwrite"), "{again}");
    (folder, record)
}

/// Some of the files that ship with a crate.
fn samples(modality: &str, ending: &str, count: usize) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![root().join(format!("crates/{modality}/samples/digits"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|of| of == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() >= count);
    found.truncate(count);
    found
}

#[test]
fn sentences_are_explained_by_their_words() {
    let sentences = |folder: &Path| {
        let file = folder.join("in.txt");
        fs::write(&file, "I have three cats.\n<b>Nine</b>, \"no\"\n").unwrap();
        vec![file]
    };
    let (_folder, record) = pages("text", &sentences, &[]);
    let words = |at: usize| -> Vec<&str> {
        let words = record["explanations"][at]["words"].as_array().unwrap();
        words.iter().map(|word| word["word"].as_str().unwrap()).collect()
    };
    assert_eq!(words(0), ["I", "have", "three", "cats", "."]);
    assert_eq!(words(1)[..4], ["<", "b", ">", "Nine"]);
    let (_folder, record) = pages("text", &sentences, &["--method", "occlusion"]);
    assert_eq!(record["explanations"][0]["steps"], 5);
}

#[test]
fn pictures_and_recordings_are_explained_by_maps() {
    let pictures = |_: &Path| samples("image", "png", 2);
    let (_folder, record) = pages("image", &pictures, &["--baseline", "mean"]);
    let map = &record["explanations"][0]["map"];
    assert_eq!(map["attributions"].as_array().unwrap().len() as u64, map["rows"].as_u64().unwrap());
    let recordings = |_: &Path| samples("audio", "wav", 2);
    let (folder, record) = pages("audio", &recordings, &[]);
    let map = &record["explanations"][0]["map"];
    assert!(map["seconds"].as_f64().unwrap() > 0.1, "{map}");

    let run = folder.path().join("run");
    let refused = |more: &[&str]| {
        let mut words = words!["explain", run, "--out", folder.path().join("new")].to_vec();
        words.extend(recordings(folder.path()).iter().map(|input| input.into()));
        words.extend(more.iter().map(Into::into));
        crosstune("audio", &words).error(2)
    };
    for (more, says) in [
        (&["--baseline", "black"][..], "choose one of silence, mean, zero"),
        (&["--target", "eleven"], "the model answers with 0, 1"),
        (&["--word", "2"], "one answer for the whole input"),
        (&["--window", "0.5"], "belongs to --method occlusion"),
        (&["--method", "occlusion", "--baseline", "zero"], "nothing can be covered"),
        (&["--tolerance", "2"], "above 0 and below 1"),
    ] {
        let said = refused(more);
        assert!(said.contains(says), "{more:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert!(!folder.path().join("new").exists());
}
