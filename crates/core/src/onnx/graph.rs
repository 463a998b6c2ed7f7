//! A graph under construction.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::element::{Dim, Element, half, value_info};
use super::file::{Initializer, Model, Payload};
use super::wire::{AttributeProto, NodeProto, ValueInfoProto};

/// A graph under construction. Its values know it, and each operation on them adds a node; what is
/// computed twice is one node. Cheap to clone: all clones are one graph.
#[derive(Debug, Clone)]
pub struct Graph {
    inner: Rc<RefCell<Inner>>,
    float: Element,
}

#[derive(Debug, Default)]
struct Inner {
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    shown: Vec<String>,
    nodes: Vec<NodeProto>,
    initializers: Vec<Initializer>,
    /// Of each named initializer, what it holds.
    named: HashMap<String, Value>,
    /// What each operator makes of its inputs and attributes.
    known: HashMap<String, Value>,
    constants: HashMap<(Element, Vec<i64>, Vec<u8>), Value>,
    names: HashSet<String>,
    /// The module whose parameter was used last.
    module: String,
}

impl Graph {
    /// An empty graph that computes in `float`, [`Element::F32`] or [`Element::F16`].
    pub fn new(float: Element) -> Self {
        Self { inner: Rc::default(), float }
    }

    /// The type that it computes in.
    pub fn float(&self) -> Element {
        self.float
    }

    /// A new input.
    pub fn input(&self, name: &str, element: Element, dims: &[Dim]) -> Value {
        let mut inner = self.inner.borrow_mut();
        inner.inputs.push(value_info(name, element, dims));
        inner.shown.push(shown(name, element, dims));
        inner.names.insert(name.into());
        drop(inner);
        self.value(name, element)
    }

    /// Makes an output of a value.
    pub fn output(&self, name: &str, value: &Value, dims: &[Dim]) {
        let mut inner = self.inner.borrow_mut();
        inner.names.insert(name.into());
        inner.outputs.push(value_info(name, value.element(), dims));
        inner.shown.push(shown(name, value.element(), dims));
        inner.nodes.push(NodeProto {
            input: vec![value.name().into()],
            output: vec![name.into()],
            name: name.into(),
            op_type: "Identity".into(),
            attribute: vec![],
        });
    }

    /// The tensor `name` of the file: what is there under that name already, or a new one with what
    /// `payload` gives.
    pub fn initializer(
        &self,
        name: &str,
        element: Element,
        dims: &[i64],
        payload: impl FnOnce() -> Box<dyn Payload>,
    ) -> Value {
        if let Some(known) = self.inner.borrow().named.get(name) {
            return known.clone();
        }
        let value = self.value(name, element);
        let mut inner = self.inner.borrow_mut();
        inner.names.insert(name.into());
        inner.named.insert(name.into(), value.clone());
        let (name, dims) = (name.into(), dims.to_vec());
        inner.initializers.push(Initializer { name, element, dims, payload: payload() });
        value
    }

    /// A constant without a name of its own; equal ones are one.
    pub fn constant(&self, element: Element, dims: &[i64], bytes: Vec<u8>) -> Value {
        let key = (element, dims.to_vec(), bytes);
        if let Some(known) = self.inner.borrow().constants.get(&key) {
            return known.clone();
        }
        let name = self.free_name("constants/");
        let value = self.initializer(&name, element, dims, || Box::new(key.2.clone()));
        self.inner.borrow_mut().constants.insert(key, value.clone());
        value
    }

    /// Integers, `[n]`.
    pub fn ints(&self, numbers: &[i64]) -> Value {
        let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.constant(Element::I64, &[numbers.len() as i64], bytes)
    }

    /// One integer, `[]`.
    pub(super) fn int(&self, number: i64) -> Value {
        self.constant(Element::I64, &[], number.to_le_bytes().into())
    }

    /// What an operator makes of its inputs. One that is left out has no name.
    pub(super) fn node(
        &self,
        op: &'static str,
        inputs: &[Option<&Value>],
        attributes: Vec<AttributeProto>,
        element: Element,
    ) -> Value {
        let input: Vec<String> =
            inputs.iter().map(|value| value.map_or("", Value::name).to_string()).collect();
        let key = format!("{op} {input:?} {attributes:?}");
        if let Some(known) = self.inner.borrow().known.get(&key) {
            return known.clone();
        }
        let name = self.free_name(&format!("{}/{op}", self.module_of(&input)));
        let mut inner = self.inner.borrow_mut();
        let (output, op_type) = (vec![name.clone()], op.to_string());
        let value = self.value(&name, element);
        inner.nodes.push(NodeProto { input, output, name, op_type, attribute: attributes });
        inner.known.insert(key, value.clone());
        value
    }

    /// The module that a node belongs to: that of a parameter among its inputs, or else what that of
    /// the last one is part of.
    fn module_of(&self, inputs: &[String]) -> String {
        let mut inner = self.inner.borrow_mut();
        let is_parameter =
            |name: &&String| inner.named.contains_key(*name) && !name.starts_with("constants/");
        let parameter = inputs.iter().rfind(is_parameter);
        let parent =
            |name: &str| name.rsplit_once('.').map_or("", |(parent, _)| parent).to_string();
        match parameter {
            Some(name) => {
                inner.module = parent(name);
                inner.module.clone()
            }
            None => parent(&inner.module),
        }
    }

    /// This name, or with a number where it is taken.
    fn free_name(&self, wanted: &str) -> String {
        let mut inner = self.inner.borrow_mut();
        let numbered = (1..).map(|n| match (n, wanted.ends_with('/')) {
            (n, true) => format!("{wanted}{n}"),
            (1, false) => wanted.to_string(),
            (n, false) => format!("{wanted}_{n}"),
        });
        let name = numbered.skip_while(|name| inner.names.contains(name)).take(1);
        let name: String = name.collect();
        inner.names.insert(name.clone());
        name
    }

    fn value(&self, name: &str, element: Element) -> Value {
        Value::new(self.clone(), name.into(), element)
    }

    /// The whole as a file holds it, with entries that tell of it: without nodes and tensors that
    /// nothing needs. The graph is empty then.
    pub fn finish(self, name: &str, metadata: Vec<(String, String)>) -> Model {
        let inner = self.inner.take();
        let mut needed: BTreeSet<String> = inner.outputs.iter().map(|o| o.name.clone()).collect();
        let mut nodes = vec![];
        // Backwards, each node stands behind all that need it.
        for node in inner.nodes.into_iter().rev() {
            if node.output.iter().any(|output| needed.contains(output)) {
                needed.extend(node.input.iter().cloned());
                nodes.push(node);
            }
        }
        nodes.reverse();
        let mut initializers = inner.initializers;
        initializers.retain(|initializer| needed.contains(&initializer.name));
        Model {
            name: name.into(),
            inputs: inner.inputs,
            outputs: inner.outputs,
            shown: inner.shown,
            nodes,
            initializers,
            metadata,
        }
    }
}

/// A tensor in a graph that is still to be computed: an input, an initializer, or what a node makes.
/// Its methods are those of a tensor, by the names that libtorch gives them, and each adds a node.
#[derive(Debug, Clone)]
pub struct Value {
    graph: Graph,
    name: Rc<str>,
    element: Element,
}

impl Value {
    pub(super) fn new(graph: Graph, name: Rc<str>, element: Element) -> Self {
        Self { graph, name, element }
    }

    /// Its name, as nodes call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of its elements.
    pub fn element(&self) -> Element {
        self.element
    }

    /// The graph that it is part of.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What an operator makes of it and further inputs, with elements of its own type.
    pub(super) fn op(
        &self,
        op: &'static str,
        more: &[&Value],
        attributes: Vec<AttributeProto>,
    ) -> Self {
        self.op_to(op, more, attributes, self.element)
    }

    /// The same, with elements of another type.
    pub(super) fn op_to(
        &self,
        op: &'static str,
        more: &[&Value],
        attributes: Vec<AttributeProto>,
        element: Element,
    ) -> Self {
        let inputs: Vec<_> = [self].into_iter().chain(more.iter().copied()).map(Some).collect();
        self.graph.node(op, &inputs, attributes, element)
    }

    /// A number of its own type, `[]`.
    pub fn scalar(&self, number: f64) -> Self {
        let bytes = match self.element {
            Element::F32 => (number as f32).to_le_bytes().into(),
            Element::F16 => half(number as f32).to_le_bytes().into(),
            Element::I64 => (number as i64).to_le_bytes().into(),
            Element::Bool => vec![u8::from(number != 0.)],
        };
        self.graph.constant(self.element, &[], bytes)
    }
}

/// An input or output for people: `input_ids int64 [batch, sequence]`.
fn shown(name: &str, element: Element, dims: &[Dim]) -> String {
    let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
    format!("{name} {element} [{}]", dims.join(", "))
}
