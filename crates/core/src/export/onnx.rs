//! A model as ONNX, written from our own graph.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use tch::Tensor;

use crate::error::{Error, Result};
use crate::family::publish;
use crate::files::{whole, write_json};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::{Exporter, GraphSequence};
use crate::onnx::{Dim, Element, Model as Onnx, Written};
use crate::spec::Spec;
use crate::task::Task;
use crate::weights::CONFIG;

/// The file in a folder, as optimum names it.
const FILE: &str = "model.onnx";

/// Writes an ONNX file that computes in `float`, [`Element::F32`] or [`Element::F16`], from inputs as the
/// modality prepares them, named as transformers names them, to `logits`: of classes `[B, classes]`; at
/// every position `[B, T, answers]`; values in their own units. Where the positions of a transcription are
/// others than the inputs', `logits_mask` is 1 at those that hold data. Adapters are merged. The batch is
/// open, and so is the length of sentences, of recordings as waveforms and of those as frames one after the
/// other; pictures, and spectrograms as pictures, have the sides that the model was trained at.
///
/// A `place` that ends in `.onnx` is the file; any other a folder with `model.onnx` and what transformers
/// keeps beside a model, as far as it has a class for this one. Tensors that are too large for one file are
/// in a second one beside it, which ends in `.data`.
///
/// Returns the inputs and outputs, for people: `input_ids int64 [batch, sequence]`.
///
/// # Errors
/// If a module has no form in ONNX: it is named, and nothing is written. If a weight is too large for 16
/// bits, or a file cannot be written.
pub fn onnx<M: Modality>(
    model: &Model,
    modality: &M,
    float: Element,
    place: &Path,
) -> Result<Vec<String>> {
    let merged = model.merged(modality)?;
    let graph = graph(merged.as_ref().unwrap_or(model), modality, float)?;
    write(&graph, model.spec(), modality, place, graph.place())?;
    Ok(graph.interface().to_vec())
}

/// A model without adapters as a graph.
fn graph<M: Modality>(model: &Model, modality: &M, float: Element) -> Result<Onnx> {
    let spec = model.spec();
    let exporter = Exporter::new(float, model.store().variables(), modality.example());
    let GraphSequence { x, attention_mask } = model.classifier().onnx(&exporter)?;
    let logits = x.to(Element::F32);
    let logits = match spec.scales.is_empty() {
        true => logits,
        false => {
            let of = |part: fn(&crate::task::TargetScale) -> f64| {
                let numbers: Vec<f64> = spec.scales.iter().map(part).collect();
                exporter.constant_as(&Tensor::from_slice(&numbers), Element::F32)
            };
            logits * of(|scale| scale.std) + of(|scale| scale.mean)
        }
    };
    let (graph, answers) = (exporter.graph().clone(), Dim::Fixed(spec.labels.len() as i64));
    let positions = Dim::Open("positions");
    match spec.pool.leaves_positions() {
        true => graph.output("logits", &logits, &[Dim::BATCH, positions, answers]),
        false => graph.output("logits", &logits, &[Dim::BATCH, answers]),
    }
    if let (Task::Transcription, Some(mask)) = (spec.task, attention_mask) {
        graph.output("logits_mask", &mask.to(Element::I64), &[Dim::BATCH, positions]);
    }
    Ok(graph.finish(&spec.family, metadata(spec, modality)?))
}

/// What the file tells of the model: each text as it is, all else as JSON.
fn metadata<M: Modality>(spec: &Spec, modality: &M) -> Result<Vec<(String, String)>> {
    let preprocessing = serde_json::to_value(modality).map_err(|error| Error::Modality {
        context: "cannot write the preprocessing".into(),
        source: error.into(),
    })?;
    // The logits of the graph are the model's own.
    let fitted = spec.calibration.as_ref();
    let thresholds = fitted.map(|of| &of.thresholds).filter(|all| !all.is_empty());
    let all = [
        ("modality", json!(spec.modality)),
        ("family", json!(spec.family)),
        ("task", json!(spec.task)),
        ("labels", json!(spec.labels)),
        ("vocabulary", json!(spec.vocabulary)),
        ("temperature", json!(fitted.and_then(|of| of.temperature))),
        ("thresholds", json!(thresholds)),
        ("preprocessing", preprocessing),
    ];
    let all = all.into_iter().filter(|(_, value)| !value.is_null());
    let text = |value: Json| value.as_str().map_or_else(|| value.to_string(), String::from);
    Ok(all.map(|(key, value)| (key.into(), text(value))).collect())
}

/// Writes a graph, its tensors where `tensors` says.
fn write<M: Modality>(
    graph: &Onnx,
    spec: &Spec,
    modality: &M,
    place: &Path,
    tensors: Written,
) -> Result<()> {
    let beside = |file: &Path| {
        let mut name = file.file_name().unwrap_or_default().to_os_string();
        name.push(".data");
        file.with_file_name(name)
    };
    if place.extension() == Some(OsStr::new("onnx")) {
        let file = |data: &Path| whole(place, |file| graph.write(file, tensors, data));
        return match tensors {
            Written::Whole => file(&beside(place)),
            Written::External => whole(&beside(place), file),
        };
    }
    whole(place, |folder| {
        fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        let file = folder.join(FILE);
        graph.write(&file, tensors, &beside(&file))?;
        let fields = modality.save_pretrained(folder)?;
        // Without a class of transformers, the metadata are all that there is.
        let embedder = modality.pretrained_embedder();
        let Ok(published) = publish::to_hugging_face(spec, embedder.as_ref()) else {
            return Ok(());
        };
        let mut config = published.config;
        for (field, value) in fields {
            config.entry(field).or_insert(value);
        }
        for (name, content) in &published.beside {
            write_json(&folder.join(name), content)?;
        }
        write_json(&folder.join(CONFIG), &Json::Object(config))
    })
}
