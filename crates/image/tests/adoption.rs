//! What a pretrained model brings along for pictures, and how it is fitted to others.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crosstune_core::{
    Device, FeatureShape, Features, FitOptions, Freeze, Input, LoadParts, Modality, Model, Origin,
    Pretrained, Resampling, Reshaped, RunWriter, Trainer, run, seed, weights::resize,
};
use crosstune_image::{Channels, Geometry, ImageOptions, ImageSettings, Margin, Resample};
use tch::{Kind, Tensor};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

fn labels() -> Vec<String> {
    ["a", "b"].map(String::from).into()
}

/// Two pictures of noise.
fn pictures(folder: &Path) -> Vec<Input> {
    let noise = |seed: u32, i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24) as u8;
    let paths = (0..2).map(|seed| {
        let path = folder.join(format!("{seed}.png"));
        let bytes: Vec<u8> = (0..36 * 36 * 3).map(|i| noise(seed * 977, i)).collect();
        image::save_buffer(&path, &bytes, 36, 36, image::ExtendedColorType::Rgb8).unwrap();
        Input::File(path)
    });
    paths.collect()
}

/// A copy of a model with a file beside it.
fn with(name: &str, file: &str, contents: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    fs::write(folder.path().join(file), contents).unwrap();
    folder
}

/// The model of a source, before it is trained.
fn model(source: &Pretrained, settings: &ImageSettings, embedder: Origin) -> Model {
    let spec = ImageSettings::spec(source, embedder, labels());
    let taken = source.source().unwrap();
    Model::new(spec, settings, Some((&taken, LoadParts::Body)), Device::Cpu).unwrap()
}

/// The same, for pictures prepared as a person asks and the source has it.
fn build(source: &Pretrained, asked: ImageOptions) -> (Model, ImageSettings) {
    let mut settings = ImageSettings::new(asked).unwrap();
    let embedder = settings.adopt(source).unwrap();
    (model(source, &settings, embedder), settings)
}

/// Trains one step, saves, opens, and checks that the opened model answers alike. Returns the model
/// before the step.
fn trains_and_opens(source: &Pretrained, asked: ImageOptions) -> (Model, ImageSettings) {
    let folder = tempfile::tempdir().unwrap();
    let inputs = pictures(folder.path());
    let mut settings = ImageSettings::new(asked).unwrap();
    let origin = settings.adopt(source).unwrap();
    settings.survey(&inputs.iter().collect::<Vec<_>>());
    let samples: Vec<_> = inputs.iter().map(|input| settings.read(input).unwrap()).collect();
    settings.fit_normalization(&samples.iter().filter_map(|x| settings.moments(x)).collect());
    let batch = settings.batch(&samples.iter().collect::<Vec<_>>());

    seed(7);
    let before = model(source, &settings, origin);
    seed(7);
    let model = model(source, &settings, origin);
    Freeze::nothing().apply(model.store(), model.outline()).unwrap();
    let options = FitOptions::default();
    let mut trainer = Trainer::new(&model, &options, 1);
    trainer.step(&batch, &Tensor::from_slice(&[0i64, 1]).into()).unwrap();
    let was = before.store().variables();
    for (name, tensor) in model.store().variables() {
        let fixed = name.ends_with("attn.k.bias"); // Softmax does not see it.
        assert!(fixed || tensor != was[&name], "{name} stands still");
    }

    let writer = RunWriter::create(folder.path().join("run"), false).unwrap();
    writer.finish(&model, &settings, &"").unwrap();
    let (opened, reopened) =
        run::open::<ImageSettings>(&folder.path().join("run"), Device::Cpu).unwrap();
    assert_eq!((reopened.geometry(), reopened.scale()), (settings.geometry(), settings.scale()));
    let again = reopened.batch(&samples.iter().collect::<Vec<_>>());
    let answer = |model: &Model, batch| model.classifier().forward(batch, false);
    assert_eq!(answer(&opened, &again), answer(&model, &batch));
    (before, settings)
}

#[test]
fn a_model_of_pictures_keeps_its_geometry_and_scale() {
    let rgb = |size, resize, patch| Geometry::new(size, resize, patch, Channels::Rgb);
    for (name, geometry, mean) in [
        ("tiny-vit", rgb(32, 32, Some(8)), [0.5; 3]),
        ("tiny-deit", rgb(32, 32, Some(8)), [0.485, 0.456, 0.406]),
        // Its config crops to nine tenths, and scales with the cubic filter.
        (
            "tiny-timm-vit",
            Geometry { resample: Resample::Bicubic, ..rgb(32, 35, Some(8)) },
            [0.5; 3],
        ),
        ("tiny-resnet-hf-basic", rgb(224, 256, None), [0.485, 0.456, 0.406]),
        ("tiny-resnet-cifar/resnet.th", rgb(32, 32, None), [0.485, 0.456, 0.406]),
        ("tiny-regnet-torchvision", rgb(224, 256, None), [0.485, 0.456, 0.406]),
        ("tiny-densenet-torchvision", rgb(224, 256, None), [0.485, 0.456, 0.406]),
        (
            "tiny-swin",
            Geometry { resample: Resample::Bicubic, ..rgb(20, 20, Some(2)) },
            [0.485, 0.456, 0.406],
        ),
    ] {
        let source = Pretrained::open(fixture(name)).unwrap();
        let (model, settings) = trains_and_opens(&source, ImageOptions::default());
        assert_eq!(*settings.geometry(), geometry, "{name}");
        assert_eq!(settings.scale().mean, mean, "{name}");
        assert_eq!(model.report().fresh, ["head.bias", "head.weight"], "{name}");
        assert_eq!(model.report().reshaped, [], "{name}");
    }
}

#[test]
fn a_processor_says_how_pictures_are_prepared() {
    let processor = r#"{"size": {"shortest_edge": 20}, "crop_size": 16, "image_std": [0.25]}"#;
    let folder = with("tiny-dinov2", "preprocessor_config.json", processor);
    let source = Pretrained::open(folder.path()).unwrap();
    let (model, settings) = trains_and_opens(&source, ImageOptions::default());
    let (patch, channels) = (Some(8), Channels::Rgb);
    // As `BitImageProcessor` scales where nothing is said.
    let resample = Resample::Bicubic;
    let expected =
        Geometry { margin: Margin::Down, resample, ..Geometry::new(16, 20, patch, channels) };
    assert_eq!(*settings.geometry(), expected);
    assert_eq!(settings.scale().std, [0.25; 3]);
    // The model was trained at 32 pixels: a grid of 4 × 4, of which 2 × 2 is left.
    let position = Reshaped {
        name: "dinov2.embeddings.position_embeddings".into(),
        from: vec![1, 17, 32],
        to: vec![1, 5, 32],
    };
    assert_eq!(model.report().reshaped, [position]);

    let broken = with("tiny-vit", "preprocessor_config.json", r#"{"size": {"height": 9}}"#);
    let source = Pretrained::open(broken.path()).unwrap();
    let error = ImageSettings::default().adopt(&source).unwrap_err().to_string();
    assert!(error.contains("preprocessor_config.json: expected a size"), "{error}");
}

#[test]
fn a_vit_is_fitted_to_another_size_patch_and_colour() {
    let source = Pretrained::open(fixture("tiny-vit")).unwrap();
    let asked = ImageOptions {
        size: Some(30),
        patch: Some(5),
        channels: Some(Channels::Grey),
        ..ImageOptions::default()
    };
    let (model, settings) = trains_and_opens(&source, asked);
    assert_eq!(settings.scale().mean, [0.5]);
    let reshaped = |name: &str, from: &[i64], to: &[i64]| Reshaped {
        name: format!("vit.embeddings.{name}"),
        from: from.to_vec(),
        to: to.to_vec(),
    };
    assert_eq!(
        model.report().reshaped,
        [
            reshaped("patch_embeddings.projection.weight", &[32, 3, 8, 8], &[32, 1, 5, 5]),
            reshaped("position_embeddings", &[1, 17, 32], &[1, 37, 32]),
        ]
    );
    let tensors = source.checkpoint();
    let kernel = tensors.tensor("vit.embeddings.patch_embeddings.projection.weight").unwrap();
    let grey = resize::input_channels(&kernel, 1).unwrap().unwrap();
    let wanted = resize::patch_kernel(&grey, [5, 5]).unwrap().unwrap();
    assert_eq!(model.store().variables()["embed.project.weight"], wanted);

    let asked = ImageOptions { size: Some(30), ..ImageOptions::default() };
    let error = ImageSettings::new(asked).unwrap().adopt(&source).unwrap_err().to_string();
    assert!(
        error.starts_with("--size: the model's patches of 8 pixels do not divide 30"),
        "{error}"
    );
}

#[test]
fn positions_are_resampled_as_the_library_of_the_model_does_it() {
    for (name, tensor, by) in [
        ("tiny-vit", "vit.embeddings.position_embeddings", Resampling::Bicubic),
        ("tiny-timm-vit", "pos_embed", Resampling::Antialiased),
    ] {
        let source = Pretrained::open(fixture(name)).unwrap();
        let asked = ImageOptions { size: Some(16), ..ImageOptions::default() };
        let model = build(&source, asked).0;
        let table = source.checkpoint().tensor(tensor).unwrap();
        let wanted = resize::position_embedding(&table, 1, [4, 4], [2, 2], by).unwrap().unwrap();
        assert_eq!(model.store().variables()["embed.position"], wanted, "{name}");
    }
}

#[test]
fn a_grey_picture_looks_the_same_in_one_channel_as_in_three() {
    let source = Pretrained::open(fixture("tiny-vit")).unwrap();
    let plane = Tensor::arange(32 * 32, (Kind::Int64, Device::Cpu)).remainder(251);
    let plane = plane.to_kind(Kind::Uint8).view([1, 32, 32]);
    let embedded = [Channels::Grey, Channels::Rgb].map(|channels| {
        let asked = ImageOptions { channels: Some(channels), ..ImageOptions::default() };
        let (model, settings) = build(&source, asked);
        let picture = plane.repeat([channels.count() as i64, 1, 1]);
        let features = model.classifier().encoder().embed(&settings.batch(&[&picture]), false);
        let Features::Sequence(sequence) = features else { panic!("a sequence") };
        sequence.x
    });
    let far = (&embedded[0] - &embedded[1]).abs().max().double_value(&[]);
    assert!(far < 5e-6, "{far:e}");
}

#[test]
fn a_resnet_is_fitted_to_another_size_and_to_grey() {
    let source = Pretrained::open(fixture("tiny-resnet-timm")).unwrap();
    let channels = Some(Channels::Grey);
    let asked = ImageOptions { size: Some(33), channels, ..ImageOptions::default() };
    let (model, settings) = trains_and_opens(&source, asked);
    assert_eq!((settings.geometry().size, settings.geometry().patch), (33, None));
    let [Reshaped { name, from, to }] = &model.report().reshaped[..] else { panic!("one") };
    assert_eq!(
        (name.as_str(), &from[..], &to[..]),
        ("conv1.weight", &[4, 3, 7, 7][..], &[4, 1, 7, 7][..])
    );

    let asked = ImageOptions { patch: Some(4), ..ImageOptions::default() };
    let error = ImageSettings::new(asked).unwrap().adopt(&source).unwrap_err().to_string();
    assert_eq!(error, "--patch: the model takes pictures whole, not in patches; leave it out");
}

#[test]
fn models_of_sound_meet_pictures_with_a_fresh_embedder() {
    let audio = |name: &str| {
        let path = format!("../../../audio/tests/fixtures/{name}");
        Pretrained::open(fixture(&path)).unwrap()
    };
    for (name, whole) in [
        ("tiny-ast", false),
        ("tiny-honk/res8.pt", true),
        ("tiny-clap", true),
        ("tiny-wavlm", false),
    ] {
        let source = audio(name);
        assert_eq!(ImageSettings::default().adopt(&source).unwrap(), Origin::Fresh);
        let form = source.config().trunk.accepts();
        assert_eq!(matches!(form, FeatureShape::FeatureMap { .. }), whole);
        let (model, settings) = trains_and_opens(&source, ImageOptions::default());
        assert_eq!(settings.geometry().size, 36, "as the pictures are");
        assert_eq!(settings.geometry().patches(), if whole { None } else { Some(81) });
        assert_ne!(settings.scale().mean, [0.5; 3], "measured");
        let fresh = &model.report().fresh;
        assert!(fresh.iter().any(|name| name.starts_with("embed.")), "{fresh:?}");
        let error = Model::pretrained(
            &source,
            &mut ImageSettings::default(),
            |_, _| Ok(vec![]),
            Device::Cpu,
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains("for the modality audio; train it on pictures first"), "{error}");
    }
}

#[test]
fn a_large_picture_is_made_smaller_by_a_fresh_stem() {
    let source =
        Pretrained::open(fixture("../../../audio/tests/fixtures/tiny-honk/res8.pt")).unwrap();
    let asked = ImageOptions { size: Some(80), ..ImageOptions::default() };
    let (model, settings) = build(&source, asked);
    let FeatureShape::FeatureMap { channels } = source.config().trunk.accepts() else {
        panic!("planes")
    };
    let pixels = settings.batch(&[&Tensor::zeros([3, 80, 80], (Kind::Uint8, Device::Cpu))]);
    let Features::FeatureMap(x) = model.classifier().encoder().embed(&pixels, false) else {
        panic!("planes")
    };
    assert_eq!(x.size(), [1, channels, 20, 20]);
}

#[test]
fn classes_without_names_take_those_of_the_data() {
    let source = Pretrained::open(fixture("tiny-resnet-cifar/resnet.th")).unwrap();
    let error = source.labels(|_, _| Ok(labels())).unwrap_err().to_string();
    assert!(
        error.contains("tells 10 classes apart") && error.contains("the data has 2"),
        "{error}"
    );

    let unnamed = fs::read_to_string(fixture("tiny-vit/config.json")).unwrap();
    let unnamed =
        ["heron", "stork", "crane"].iter().enumerate().fold(unnamed, |text, (i, name)| {
            text.replace(&format!("\"{i}\": \"{name}\""), &format!("\"{i}\": \"LABEL_{i}\""))
        });
    let folder = with("tiny-vit", "config.json", &unnamed);
    let source = Pretrained::open(folder.path()).unwrap();
    let three = ["x", "y", "z"].map(String::from);
    assert_eq!(source.labels(|_, _| Ok(three.to_vec())).unwrap(), three);
}

#[test]
fn a_run_folder_of_before_opens() {
    let folder = tempfile::tempdir().unwrap();
    let saved = r#"{"size": 12, "resize": 12, "patch": 2, "channels": "grey", "mean": [0.5], "deviation": [0.25]}"#;
    fs::write(folder.path().join("preprocessing.json"), saved).unwrap();
    let settings = ImageSettings::open(folder.path()).unwrap();
    let channels = Channels::Grey;
    assert_eq!(*settings.geometry(), Geometry::new(12, 12, Some(2), channels));
}
