//! ONNX: each fixture's model on each modality is a valid graph, and one that onnxruntime computes alike.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crosstune_audio::{AudioOptions, AudioSettings};
use crosstune_core::{
    Batch, CutPoint, Device, Input, Item, LoadParts, Location, MemoryBudget, Modality, Model,
    Origin, Pool, Pretrained, ReadMode, Samples, Target, Task, export,
    onnx::{
        Element, OPSET,
        wire::{GraphProto, ModelProto, ValueInfoProto},
    },
};
use crosstune_image::{ImageOptions, ImageSettings};
use crosstune_text::{TextSettings, Units};
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::{
    every_fixture::{is_of, picture, recorded, sources, with_tokenizer},
    support::{Ran, crosstune, root, seeded, train, words},
};

/// What a model that is exported is asked: two lengths, in an order that pads.
const LENGTHS: [bool; 3] = [true, false, false];

/// Which of those make a batch: each length alone, both, and two of one length.
const BATCHES: [&[usize]; 4] = [&[0], &[1], &[0, 1, 2], &[1, 2]];

/// A model and inputs for it.
struct Exported<M: Modality> {
    model: Model,
    modality: M,
    batches: Vec<Batch>,
}

/// A source on a modality; with a head at every position, or of its own. `input` makes a long or a short
/// one.
fn built<M: Modality>(
    path: &Path,
    mut modality: M,
    input: impl Fn(usize, bool) -> Input,
    at_positions: bool,
) -> Exported<M> {
    let shown = format!("{} on {}", path.display(), M::SAMPLES);
    let source = Pretrained::open(path).unwrap_or_else(|e| panic!("{shown}: {e}"));
    let embedder = modality.adopt(&source).unwrap_or_else(|e| panic!("{shown}: {e}"));
    let item = |(at, &long): (usize, &bool)| {
        let place = Location { path: Path::new("inputs").into(), line: Some(at as u64 + 1) };
        Item { target: Target::Class(at % 2), ..Item::new(input(at, long), place) }
    };
    let items: Vec<Item> = LENGTHS.iter().enumerate().map(item).collect();
    modality.survey(&items.iter().map(|item| &item.input).collect::<Vec<_>>());
    let memory = &mut MemoryBudget::default();
    let (train, bad) = Samples::read(&modality, &items, ReadMode::Training, memory, || ());
    assert!(bad.is_empty(), "{shown}: {bad:?}");
    modality.fit_normalization(train.moments());

    let labels = ["blank", "heron", "stork"].map(String::from).to_vec();
    let mut spec = M::spec(&source, embedder, labels);
    let head = &source.config().head;
    if embedder == Origin::Pretrained && head.pool != Pool::Positions {
        spec = match at_positions {
            // Over the hidden states, where the source's head is.
            true => spec.with_head(head.pool, Default::default()),
            false => spec.with_head(head.pool, head.config),
        };
    }
    if at_positions {
        spec = spec.for_task(Task::Transcription, &[]).unwrap();
    }
    let weights = source.source().unwrap();
    let from = Some((&weights, LoadParts::Body));
    let model = seeded(1, || Model::new(spec, &modality, from, Device::Cpu));
    let model = model.unwrap_or_else(|e| panic!("{shown}: {e}"));
    let sample = |item: &Item| {
        let read = modality.read(&item.input).unwrap();
        modality.windows(&read).remove(0).x
    };
    let samples: Vec<Tensor> = items.iter().map(sample).collect();
    let batch = |chosen: &&[usize]| {
        modality.batch(&chosen.iter().map(|&at| &samples[at]).collect::<Vec<_>>())
    };
    let batches = BATCHES.iter().map(batch).collect();
    Exported { model, modality, batches }
}

impl<M: Modality> Exported<M> {
    /// Exports the model to `folder`, checks its graph, and writes what it is asked and what it answers
    /// beside it.
    fn write(&self, folder: &Path) {
        let shown = folder.display().to_string();
        let Self { model, modality, batches } = self;
        fs::create_dir_all(folder).unwrap();
        let file = folder.join("model.onnx");
        export::onnx(model, modality, Element::F32, &file)
            .unwrap_or_else(|e| panic!("{shown}: {e}"));
        let proto = ModelProto::read(&file).unwrap();
        let graph = proto.graph.as_ref().unwrap();
        check(&proto, graph, model, &shown);
        for (at, batch) in batches.iter().enumerate() {
            let answer =
                tch::no_grad(|| model.classifier().forward_from(batch, CutPoint::Inputs, false));
            let stacked = stacked(graph, batch);
            let fed = |input: &ValueInfoProto| (input.name.clone(), fed(input, stacked, batch));
            let mut all: Vec<(String, Tensor)> = graph.input.iter().map(fed).collect();
            let positions = graph.output.get(1).map(|_| answer.x.size()[..2].to_vec());
            all.push(("logits".into(), answer.x.contiguous()));
            if let Some(size) = positions {
                let ones = || Tensor::ones(&size, (Kind::Int64, Device::Cpu));
                let mask = answer.attention_mask.map(|mask| mask.to_kind(Kind::Int64));
                all.push(("logits_mask".into(), mask.unwrap_or_else(ones)));
            }
            Tensor::write_safetensors(&all, folder.join(format!("{at}.safetensors"))).unwrap();
        }
    }
}

/// What an exported model is fed for a batch of ours, by the name and the sides of its input. `stacked` of
/// our frames stand side by side in one position of its own.
fn fed(input: &ValueInfoProto, stacked: i64, batch: &Batch) -> Tensor {
    let Batch { x, attention_mask } = batch;
    let (sides, size) = (sides(input), x.size());
    let whole = match (&input.name[..], x.dim()) {
        ("input_ids", 3) => x.select(1, 0),
        ("token_type_ids", 3) => x.select(1, 1),
        ("token_type_ids", _) => x.zeros_like(),
        ("attention_mask", _) => {
            let all =
                [size[0], if x.kind() == Kind::Int64 { size[size.len() - 1] } else { size[1] }];
            let ones = || Tensor::ones(all, (Kind::Bool, Device::Cpu));
            let mask = attention_mask.as_ref().map_or_else(ones, Tensor::shallow_clone);
            // The last of the frames of a position tells whether it holds data, but for the first.
            let full = mask.slice(1, 2 * stacked - 1, None, stacked);
            Tensor::cat(&[mask.narrow(1, 0, 1), full], 1).to_kind(Kind::Int64)
        }
        // Whisper's frames are columns.
        ("input_features", _) if sides[1..] == [Some(size[2]), Some(size[1])] => x.transpose(1, 2),
        ("input_features", _) if stacked > 1 => {
            let positions = size[1] / stacked;
            x.narrow(1, 0, positions * stacked).reshape([size[0], positions, -1])
        }
        _ => x.shallow_clone(),
    };
    whole.contiguous()
}

/// How many of our frames stand side by side in one position of a model.
fn stacked(graph: &GraphProto, batch: &Batch) -> i64 {
    let frames = graph.input.iter().find(|input| input.name == "input_features").map(sides);
    match (frames.as_deref(), &batch.x.size()[..]) {
        (Some([_, None, Some(all)]), [_, _, bands]) => all / bands,
        _ => 1,
    }
}

/// The sides of an input; `None`: one is open.
fn sides(input: &ValueInfoProto) -> Vec<Option<i64>> {
    let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).unwrap();
    tensor.shape.as_ref().unwrap().dim.iter().map(|dim| dim.dim_value).collect()
}

/// What every file must be, whatever runs it: each value is made once, before it is used; nothing is left
/// over; the tensors are the model's parameters, all of them, under their names.
fn check(proto: &ModelProto, graph: &GraphProto, model: &Model, shown: &str) {
    assert_eq!((proto.ir_version, proto.opset_import[0].version), (10, OPSET), "{shown}");
    let mut known: HashSet<&str> = graph.input.iter().map(|input| &*input.name).collect();
    for tensor in &graph.initializer {
        assert!(known.insert(&tensor.name), "{shown}: {} is there twice", tensor.name);
        let count: i64 = tensor.dims.iter().product();
        let size = [(1, 4), (7, 8), (9, 1), (10, 2)]
            .into_iter()
            .find(|(kind, _)| *kind == tensor.data_type);
        let bytes = tensor.raw_data.as_ref().unwrap().len() as i64;
        assert_eq!(bytes, count * size.unwrap().1, "{shown}: {}", tensor.name);
    }
    let (mut names, mut used) = (HashSet::new(), HashSet::new());
    for node in &graph.node {
        assert!(names.insert(&node.name), "{shown}: {} is there twice", node.name);
        for input in node.input.iter().filter(|input| !input.is_empty()) {
            assert!(known.contains(&**input), "{shown}: {} uses {input} too soon", node.name);
            used.insert(&**input);
        }
        for output in &node.output {
            assert!(known.insert(output), "{shown}: {output} is made twice");
        }
    }
    for output in &graph.output {
        assert!(known.contains(&*output.name), "{shown}: no {}", output.name);
        used.insert(&output.name);
    }
    for input in graph.input.iter().chain(&graph.output) {
        let tensor = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).unwrap();
        let batch = tensor.shape.as_ref().unwrap().dim[0].dim_param.as_deref();
        assert_eq!(batch, Some("batch"), "{shown}: {}", input.name);
    }
    known.retain(|name| graph.input.iter().all(|input| input.name != *name));
    let unused: Vec<_> = known.difference(&used).collect();
    assert!(unused.is_empty(), "{shown}: {unused:?}");

    let tensors = graph.initializer.iter().map(|tensor| &*tensor.name);
    let kept: BTreeSet<&str> = tensors
        .filter(|name| !name.starts_with("constants/"))
        .map(|name| name.trim_end_matches(".interpolated").trim_end_matches(".standardised"))
        .collect();
    let variables = model.store().variables();
    let ours: BTreeSet<&str> = variables.keys().map(String::as_str).collect();
    // A final norm is not used where hidden states ahead of it are summed.
    let lost: Vec<_> = ours.difference(&kept).filter(|n| !n.starts_with("trunk.norm.")).collect();
    let added: Vec<_> = kept.difference(&ours).collect();
    assert!(lost.is_empty() && added.is_empty(), "{shown}: lost {lost:?}, added {added:?}");
    let metadata: BTreeMap<_, _> =
        proto.metadata_props.iter().map(|entry| (&*entry.key, &*entry.value)).collect();
    let labels: Vec<String> = serde_json::from_str(metadata["labels"]).unwrap();
    assert_eq!(labels, model.spec().labels, "{shown}");
    for key in ["modality", "family", "task", "preprocessing"] {
        assert!(metadata.contains_key(key), "{shown}: {key}");
    }
}

/// All sources on all modalities, each with a head of its own and with one at every position, to `folder`;
/// how many.
fn all(folder: &Path) -> usize {
    let mut count = 0;
    let mut each = |path: &Path, to: &str, write: &dyn Fn(&Path, bool)| {
        let fixtures = path.strip_prefix(root().join("crates")).unwrap_or(path);
        let name =
            fixtures.display().to_string().replace(['/', '\\'], "-").replace("-tests-fixtures", "");
        for (at_positions, task) in [(false, "class"), (true, "positions")] {
            write(&folder.join(format!("{name}-to-{to}-{task}")), at_positions);
            count += 1;
        }
    };
    let sentence = |at: usize, long: bool| {
        let long = if long { " and then tells all of the others where it was" } else { "" };
        Input::Text(format!("{} sees the moon{long}", ["Anna", "Борис", "Chloë"][at]))
    };
    for path in sources() {
        each(&path, "recordings", &|to, at_positions| {
            let settings = AudioSettings::new(AudioOptions::default()).unwrap();
            let input = |at, long| recorded(at % 2, at as u64, if long { 8000 } else { 5200 });
            built(&path, settings, input, at_positions).write(to);
        });
        each(&path, "pictures", &|to, at_positions| {
            let size = (!is_of(&path, "image")).then_some(32);
            let settings = ImageSettings::new(ImageOptions { size, ..ImageOptions::default() });
            let input = |at, _| picture(at % 2, at as u64);
            built(&path, settings.unwrap(), input, at_positions).write(to);
        });
        let folder = tempfile::tempdir().unwrap();
        let (at, units) = match is_of(&path, "text") {
            true => (with_tokenizer(&path, folder.path()), None),
            false => (Some(path.clone()), Some(Units::Bytes)),
        };
        if let Some(at) = at {
            each(&path, "sentences", &|to, at_positions| {
                let settings = match units {
                    Some(units) => TextSettings::new(Some(64)).with_units(Some(units)),
                    None => TextSettings::new(None),
                };
                built(&at, settings, sentence, at_positions).write(to);
            });
        }
    }
    count
}

#[test]
fn every_model_is_a_graph_of_all_its_parameters() {
    let folder = tempfile::tempdir().unwrap();
    assert!(all(folder.path()) > 500);
}

/// `cargo xtask onnx --python PYTHON` runs it.
#[test]
#[ignore = "it needs Python with onnx, onnxruntime and safetensors: CROSSTUNE_PYTHON"]
fn onnxruntime_computes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    all(folder.path());
    let python = env::var_os("CROSSTUNE_PYTHON").unwrap_or_else(|| "python3".into());
    let script = root().join("xtask/scripts/onnx_models.py");
    let done = Command::new(python).arg(script).arg(folder.path()).status().unwrap();
    assert!(done.success());
}

/// A short training on sentences, exported: what stands beside the file, and what is refused.
#[test]
fn a_run_becomes_a_file_or_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let short = ["--max-steps", "1", "--limit-per-class", "2", "--validation", "0"];
    train("text", &run, &[&short[..], &["--head", "pretrained"]].concat()).ok();
    let export = |out: &Path, more: &[&str]| {
        let mut all = words!["export", &run, "--format", "onnx", "--out", out].to_vec();
        all.extend(more.iter().map(Into::into));
        crosstune("text", &all)
    };

    let file = folder.path().join("model.onnx");
    let Ran { code, stderr: said, .. } = export(&file, &[]);
    assert_eq!(code, 0, "{said}");
    for line in ["input_ids int64 [batch, sequence]", "token_type_ids int64 [batch, sequence]"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(said.contains("logits float32 [batch, 10]"), "{said}");
    let halves = folder.path().join("halves.onnx");
    export(&halves, &["--dtype", "f16"]).ok();
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    assert!(size(&halves) * 3 < size(&file) * 2, "{} {}", size(&halves), size(&file));
    let halves = ModelProto::read(&halves).unwrap().graph.unwrap();
    let kinds: BTreeSet<i32> = halves.initializer.iter().map(|tensor| tensor.data_type).collect();
    assert!(kinds.contains(&10) && !kinds.contains(&1), "{kinds:?}");

    let place = folder.path().join("tuned");
    export(&place, &[]).ok();
    let names: BTreeSet<_> =
        fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for name in ["model.onnx", "config.json", "tokenizer.json"] {
        assert!(names.contains(Path::new(name).as_os_str()), "{names:?}");
    }
    let config: Value =
        serde_json::from_slice(&fs::read(place.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["id2label"].as_object().unwrap().len(), 10);

    let again = export(&file, &[]).error(2);
    assert!(again.contains("is there already"), "{again}");
    let words = words!["export", &run, "--dtype", "f16", "--out", folder.path().join("hf")];
    let refused = crosstune("text", &words).error(2);
    assert!(refused.starts_with("--dtype: "), "{refused}");
}
