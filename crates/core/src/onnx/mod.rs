//! ONNX: a graph of operators, made value by value, and its file.

mod attribute;
mod element;
mod file;
mod graph;
mod layers;
mod operators;
mod shapes;
pub mod wire;

pub use element::{Dim, Element};
pub use file::{Model, OPSET, Payload, Written};
pub use graph::{Graph, Value};
pub use layers::{ConvShape, PoolShape};
