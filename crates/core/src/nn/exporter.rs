//! What modules describe themselves in for ONNX, each beside its forward pass.

use std::cell::Cell;
use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use super::features::Batch;
use crate::error::{Error, Result};
use crate::onnx::{Dim, Element, Graph, Payload, Value};

/// A graph, and what modules have to know to describe themselves in it: the names of the parameters, and
/// which inputs the model is made for.
#[derive(Debug)]
pub struct Exporter {
    graph: Graph,
    /// By where their values are, and how many.
    names: HashMap<(usize, usize), String>,
    example: Batch,
    leaves_positions: Cell<bool>,
}

impl Exporter {
    /// An empty graph that computes in `float`, for a model with these parameters, as a store holds
    /// them. `example` is a batch of the greatest length: the sides of pictures are its sides.
    pub fn new(
        float: Element,
        parameters: impl IntoIterator<Item = (String, Tensor)>,
        example: Batch,
    ) -> Self {
        let place = |(name, tensor): (String, Tensor)| (place(&tensor), name);
        Self {
            graph: Graph::new(float),
            names: parameters.into_iter().map(place).collect(),
            example,
            leaves_positions: Cell::new(false),
        }
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// A batch of the greatest length.
    pub fn example(&self) -> &Batch {
        &self.example
    }

    /// Whether the model answers at every position.
    pub fn leaves_positions(&self) -> bool {
        self.leaves_positions.get()
    }

    pub(super) fn set_leaves_positions(&self, leaves: bool) {
        self.leaves_positions.set(leaves);
    }

    /// A parameter, under its own name: whole, in its own shape or viewed in another. What is none is a
    /// constant.
    pub fn parameter(&self, tensor: &Tensor) -> Value {
        match self.names.get(&place(tensor)) {
            Some(name) => self.stored(name, tensor),
            None => self.constant(tensor),
        }
    }

    /// The weight of a linear layer, `[d_out, d_in]`, under its own name and transposed: as ONNX's
    /// product of matrices takes it, and its quantisers look for it.
    pub(super) fn transposed(&self, weight: &Tensor) -> Value {
        let transposed = weight.transpose(0, 1);
        match self.names.get(&place(weight)) {
            Some(name) => self.stored(name, &transposed),
            None => self.constant(&transposed),
        }
    }

    /// What is computed of a parameter before any input is known, under its name and `what` it is.
    pub(super) fn derived(&self, of: &Tensor, what: &str, value: &Tensor) -> Value {
        match self.names.get(&place(of)) {
            Some(name) => self.stored(&format!("{name}.{what}"), value),
            None => self.constant(value),
        }
    }

    fn stored(&self, name: &str, tensor: &Tensor) -> Value {
        let element = self.element(tensor);
        let tensor = tensor.detach();
        let stored = || -> Box<dyn Payload> {
            let (name, tensor) = (name.to_string(), tensor.shallow_clone());
            Box::new(Stored { name, tensor, element })
        };
        self.graph.initializer(name, element, &tensor.size(), stored)
    }

    /// A constant; numbers are in the type that the graph computes in.
    pub fn constant(&self, tensor: &Tensor) -> Value {
        self.constant_as(tensor, self.element(tensor))
    }

    /// A constant of another type.
    pub fn constant_as(&self, tensor: &Tensor, element: Element) -> Value {
        self.graph.constant(element, &tensor.size(), bytes(tensor, element))
    }

    /// In which type a tensor is stored.
    fn element(&self, tensor: &Tensor) -> Element {
        match tensor.kind() {
            Kind::Int64 => Element::I64,
            Kind::Bool => Element::Bool,
            _ => self.graph.float(),
        }
    }

    /// The input that tells which of `side` positions hold data: 1 there, as [`Batch::attention_mask`]
    /// has it, `[B, side]`, bool.
    pub fn attention_mask(&self, side: Dim) -> Value {
        let mask = self.graph.input("attention_mask", Element::I64, &[Dim::BATCH, side]);
        mask.to(Element::Bool)
    }

    /// The input of pictures, `pixel_values [B, C, H, W]`, of the example's sides.
    pub fn pictures(&self) -> GraphMap {
        let size = self.example.x.size();
        let sides = [size[size.len() - 2], size[size.len() - 1]];
        let dims = [Dim::BATCH, Dim::Fixed(size[1]), Dim::Fixed(sides[0]), Dim::Fixed(sides[1])];
        let x = self.graph.input("pixel_values", Element::F32, &dims).to_float();
        GraphMap { x, sides }
    }
}

/// Where a tensor's values are, and how many.
fn place(tensor: &Tensor) -> (usize, usize) {
    (tensor.data_ptr() as usize, tensor.numel())
}

/// A parameter as it is stored.
#[derive(Debug)]
struct Stored {
    name: String,
    tensor: Tensor,
    element: Element,
}

impl Payload for Stored {
    fn bytes(&self) -> Result<Vec<u8>> {
        if self.element == Element::F16 {
            let largest = self.tensor.abs().max().double_value(&[]);
            if largest > LARGEST_HALF {
                let problem = format!(
                    "f16: `{}` holds {largest}, and the largest of its numbers is {LARGEST_HALF}; export \
                     as f32",
                    self.name
                );
                return Err(Error::setting("--dtype", problem));
            }
        }
        Ok(bytes(&self.tensor, self.element))
    }
}

/// The largest 16-bit number.
const LARGEST_HALF: f64 = 65504.;

/// The elements of a tensor, row by row.
fn bytes(tensor: &Tensor, element: Element) -> Vec<u8> {
    let kind = match element {
        Element::F32 => Kind::Float,
        Element::F16 => Kind::Half,
        Element::I64 => Kind::Int64,
        Element::Bool => Kind::Bool,
    };
    let tensor = tensor.detach().to_device(Device::Cpu).to_kind(kind).contiguous();
    let mut bytes = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

/// What flows through a graph, as [`Features`](super::features::Features) flow through a model.
#[derive(Debug, Clone)]
pub enum GraphFeatures {
    /// A sequence of vectors.
    Sequence(GraphSequence),
    /// A feature map.
    FeatureMap(GraphMap),
}

/// Hidden states in a graph.
#[derive(Debug, Clone)]
pub struct GraphSequence {
    /// `[B, T, D]`.
    pub x: Value,
    /// Which of the `T` positions hold data: `[B, T]`, bool. `None`: all of them.
    pub attention_mask: Option<Value>,
}

/// A feature map in a graph.
#[derive(Debug, Clone)]
pub struct GraphMap {
    /// `[B, C, H, W]`.
    pub x: Value,
    /// `H` and `W`, which are those of the example.
    pub sides: [i64; 2],
}

impl GraphMap {
    /// Another map of the same sides.
    pub(crate) fn with(&self, x: Value) -> Self {
        Self { x, sides: self.sides }
    }
}

/// What an embedder makes of a model's inputs in a graph.
#[derive(Debug, Clone)]
pub struct GraphEmbedding {
    /// What the trunk takes.
    pub features: GraphFeatures,
    /// Where the trunk sees padding as it sees data and the model answers at every position: which of the
    /// inputs' positions hold data, `[B, T]`, bool.
    pub mask: Option<Value>,
}

impl GraphEmbedding {
    /// Of what has no other mask.
    pub fn of(features: GraphFeatures) -> Self {
        Self { features, mask: None }
    }
}
