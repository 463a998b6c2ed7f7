//! A finished graph, and its file.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use prost::Message;

use super::element::Element;
use super::wire::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    ValueInfoProto,
};
use crate::error::{Error, Result};

/// The version of the operators: the first that has layer norms, group norms and GELU, each as one
/// operator.
pub const OPSET: i64 = 21;

/// The version of the file format that came with those operators.
const IR: i64 = 10;

/// The values of an initializer, which are asked for once, when the file is written.
pub trait Payload: fmt::Debug {
    /// All elements, row by row, little-endian.
    ///
    /// # Errors
    /// If they cannot be had.
    fn bytes(&self) -> Result<Vec<u8>>;
}

impl Payload for Vec<u8> {
    fn bytes(&self) -> Result<Vec<u8>> {
        Ok(self.clone())
    }
}

/// A tensor that the file holds.
#[derive(Debug)]
pub(super) struct Initializer {
    pub(super) name: String,
    pub(super) element: Element,
    pub(super) dims: Vec<i64>,
    pub(super) payload: Box<dyn Payload>,
}

impl Initializer {
    /// How many bytes its values take.
    pub(super) fn len(&self) -> u64 {
        self.element.bytes() * self.dims.iter().map(|n| n.unsigned_abs()).product::<u64>()
    }
}

/// A finished graph with its tensors.
#[derive(Debug)]
pub struct Model {
    pub(super) name: String,
    pub(super) inputs: Vec<ValueInfoProto>,
    pub(super) outputs: Vec<ValueInfoProto>,
    pub(super) shown: Vec<String>,
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initializers: Vec<Initializer>,
    pub(super) metadata: Vec<(String, String)>,
}

/// Where the tensors of a written file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// In the file.
    Whole,
    /// In another beside it.
    External,
}

/// More no message of protobuf can have.
const LARGEST: u64 = 2 << 30;

/// Left for nodes and names.
const ROOM: u64 = 64 << 20;

/// Where each external tensor begins: at a multiple of this, so that files can be mapped.
const ALIGNED: u64 = 4096;

impl Model {
    /// The inputs and then the outputs, for people: `input_ids int64 [batch, sequence]`.
    pub fn interface(&self) -> &[String] {
        &self.shown
    }

    /// Where its tensors will be, unless they are asked to be external.
    pub fn place(&self) -> Written {
        let bytes: u64 = self.initializers.iter().map(Initializer::len).sum();
        if bytes + ROOM < LARGEST { Written::Whole } else { Written::External }
    }

    /// Writes `path`; of a model whose tensors are external, these to `data`, which is beside it under
    /// the name that it will have there.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, path: &Path, place: Written, data: &Path) -> Result<()> {
        let external = match place {
            Written::Whole => None,
            Written::External => Some(ExternalData::create(data)?),
        };
        let bytes = self.message(external)?.encode_to_vec();
        fs::write(path, bytes).map_err(Error::io(path, "write"))
    }

    fn message(&self, mut external: Option<ExternalData<'_>>) -> Result<ModelProto> {
        let tensor = |initializer: &Initializer| -> Result<TensorProto> {
            let tensor = TensorProto {
                dims: initializer.dims.clone(),
                data_type: initializer.element.number(),
                name: initializer.name.clone(),
                ..TensorProto::default()
            };
            let bytes = initializer.payload.bytes()?;
            match &mut external {
                // Shapes must be known when the file is opened: those stay in it.
                Some(external) if bytes.len() >= ALIGNED as usize => {
                    let external_data = external.add(&bytes)?;
                    let data_location = Some(TensorProto::EXTERNAL);
                    Ok(TensorProto { external_data, data_location, ..tensor })
                }
                _ => Ok(TensorProto { raw_data: Some(bytes), ..tensor }),
            }
        };
        let initializer = self.initializers.iter().map(tensor).collect::<Result<_>>()?;
        if let Some(external) = external {
            external.finish()?;
        }
        let graph = GraphProto {
            node: self.nodes.clone(),
            name: self.name.clone(),
            initializer,
            input: self.inputs.clone(),
            output: self.outputs.clone(),
        };
        let opset = OperatorSetIdProto { domain: String::new(), version: OPSET };
        Ok(ModelProto {
            ir_version: IR,
            producer_name: "crosstune".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(graph),
            opset_import: vec![opset],
            metadata_props: self.metadata.iter().map(|(key, value)| entry(key, value)).collect(),
        })
    }
}

fn entry(key: &str, value: impl ToString) -> StringStringEntryProto {
    StringStringEntryProto { key: key.into(), value: value.to_string() }
}

/// The file beside a model that has its tensors.
struct ExternalData<'p> {
    path: &'p Path,
    name: String,
    file: BufWriter<File>,
    length: u64,
}

impl<'p> ExternalData<'p> {
    fn create(path: &'p Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = File::create(path).map_err(Error::io(path, "create"))?;
        Ok(Self { path, name, file: BufWriter::new(file), length: 0 })
    }

    /// Adds a tensor, and tells where it is.
    fn add(&mut self, bytes: &[u8]) -> Result<Vec<StringStringEntryProto>> {
        let offset = self.length.next_multiple_of(ALIGNED);
        let zeros = vec![0; (offset - self.length) as usize];
        let written = self.file.write_all(&zeros).and_then(|()| self.file.write_all(bytes));
        written.map_err(Error::io(self.path, "write"))?;
        self.length = offset + bytes.len() as u64;
        Ok(vec![
            entry("location", &self.name),
            entry("offset", offset),
            entry("length", bytes.len()),
        ])
    }

    fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(Error::io(self.path, "write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{Dim, Graph};

    /// `y = (x + w) · 2`, twice the same, beside what nothing needs.
    fn model() -> Model {
        let graph = Graph::new(Element::F32);
        let x = graph.input("x", Element::F32, &[Dim::BATCH, Dim::Fixed(1024)]);
        let numbers: Vec<u8> = (0..1024).flat_map(|n| (n as f32).to_le_bytes()).collect();
        let w = graph.initializer("layer.weight", Element::F32, &[1024], || Box::new(numbers));
        let sum = || (&x + &w) * 2.;
        let _ = (&x * 3.).exp();
        graph.output("y", &(sum() / sum()), &[Dim::BATCH, Dim::Fixed(1024)]);
        graph.finish("test", vec![("task".into(), "sums".into())])
    }

    #[test]
    fn a_graph_has_each_node_once_and_none_for_nothing() {
        let model = model();
        let nodes: Vec<_> = model.nodes.iter().map(|n| (&*n.op_type, &*n.name)).collect();
        let wanted = [("Add", "layer/Add"), ("Mul", "/Mul_2"), ("Div", "/Div"), ("Identity", "y")];
        assert_eq!(nodes, wanted);
        let names: Vec<_> = model.initializers.iter().map(|i| &*i.name).collect();
        assert_eq!(names, ["layer.weight", "constants/2"]);
        assert_eq!(model.interface()[0], "x float32 [batch, 1024]");
    }

    #[test]
    fn tensors_are_in_the_file_or_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, data) = (folder.path().join("m.onnx"), folder.path().join("m.onnx.data"));
        let model = model();
        assert_eq!(model.place(), Written::Whole);
        model.write(&path, Written::Whole, &data).unwrap();
        assert!(!data.exists());
        let whole = ModelProto::read(&path).unwrap().graph.unwrap();
        model.write(&path, Written::External, &data).unwrap();
        let proto = ModelProto::read(&path).unwrap();
        let beside = proto.graph.unwrap();
        let external = &beside.initializer[0];
        assert_eq!(external.data_location, Some(TensorProto::EXTERNAL));
        let entries: Vec<_> = external.external_data.iter().map(|e| &*e.value).collect();
        assert_eq!(entries, ["m.onnx.data", "0", "4096"]);
        assert_eq!(fs::read(&data).unwrap(), *whole.initializer[0].raw_data.as_ref().unwrap());
        // A number for the shape of something stays.
        assert_eq!(beside.initializer[1], whole.initializer[1]);
        assert_eq!(proto.metadata_props[0].value, "sums");
    }

    #[test]
    fn what_is_no_onnx_file_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), [0xff; 32]).unwrap();
        let error = ModelProto::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("not an ONNX file"), "{error}");
    }
}
