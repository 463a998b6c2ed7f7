//! The values that a pickle builds.

use std::borrow::Cow;

use safetensors::Dtype;

use super::globals::Global;
use crate::weights::checkpoint::format::limits::quote;

/// A value. Copies are shallow, as Python's references are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    None,
    Int(i64),
    Str(&'a str),
    Global(Global),
    /// An index of the heap.
    Node(usize),
    /// A plain value that no tensor needs, by the name of its type.
    Inert(&'static str),
}

/// A value that other values may point to.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    Tuple(Vec<Value<'a>>),
    /// A list, or a set.
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// An object of a TorchScript class, and its state once that is known.
    Object(Option<Value<'a>>),
    Storage(StorageRef<'a>),
    Tensor(TensorRef),
    /// What has a name that is not known, and whatever is made with it.
    Opaque(Box<Opaque<'a>>),
}

/// A class or function that is not known, or what its code would make if it were run. It never is:
/// only what the pickle itself says is kept.
#[derive(Debug, Clone)]
pub(crate) struct Opaque<'a> {
    /// The name: module and name in it.
    pub(super) name: (&'a str, &'a str),
    /// The attributes, once they are known.
    pub(super) state: Option<Value<'a>>,
    /// The items, of a kind of dict.
    pub(crate) items: Vec<(Value<'a>, Value<'a>)>,
}

/// A storage that the pickle names and the file holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StorageRef<'a> {
    /// The name of the record with its bytes.
    pub(crate) key: &'a str,
    /// The element type, unless it is a storage of bytes for tensors of any type.
    pub(crate) dtype: Option<Dtype>,
    /// The number of elements of the record.
    pub(crate) len: usize,
    /// The elements of the record that this storage is: in the oldest files it may view another.
    pub(crate) part: (usize, usize),
}

/// A view of a storage, not checked against it.
#[derive(Debug)]
pub(crate) struct TensorRef {
    /// The storage's index of the heap.
    pub(crate) storage: usize,
    /// The element type.
    pub(crate) dtype: Dtype,
    /// The first element.
    pub(crate) offset: usize,
    /// The shape.
    pub(crate) shape: Vec<usize>,
    /// The steps along each dimension, in elements.
    pub(crate) strides: Vec<usize>,
}

/// The most bytes that may be built: some 10⁶ values.
const BUDGET: usize = 64 << 20;

/// All nodes of a pickle.
#[derive(Debug)]
pub(crate) struct Heap<'a> {
    nodes: Vec<Node<'a>>,
    budget: usize,
}

impl<'a> Heap<'a> {
    /// An empty heap.
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), budget: BUDGET }
    }

    /// Accounts for memory that is about to be used. Nothing is ever given back, so that time is
    /// bounded, too.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.budget.checked_sub(bytes);
        self.budget = left.ok_or("its pickle builds more than any checkpoint needs")?;
        Ok(())
    }

    /// Adds a node.
    pub(super) fn add(&mut self, node: Node<'a>) -> Result<Value<'a>, String> {
        let items = match &node {
            Node::Tuple(items) | Node::List(items) => size_of_val(&items[..]),
            Node::Dict(items) => size_of_val(&items[..]),
            Node::Tensor(tensor) => 2 * size_of_val(&tensor.shape[..]),
            Node::Opaque(_) => size_of::<Opaque<'_>>(),
            Node::Object(_) | Node::Storage(_) => 0,
        };
        self.charge(size_of::<Node<'_>>() + items)?;
        self.nodes.push(node);
        Ok(Value::Node(self.nodes.len() - 1))
    }

    /// The node that a value points to.
    pub(crate) fn get(&self, value: Value<'a>) -> Option<&Node<'a>> {
        match value {
            Value::Node(i) => self.nodes.get(i),
            _ => None,
        }
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, value: Value<'a>) -> Option<&mut Node<'a>> {
        match value {
            Value::Node(i) => self.nodes.get_mut(i),
            _ => None,
        }
    }

    /// The items of a tuple or list.
    pub(super) fn items(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match self.get(value)? {
            Node::Tuple(items) | Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// The storage of a tensor.
    pub(crate) fn storage(&self, tensor: &TensorRef) -> Option<StorageRef<'a>> {
        match self.nodes.get(tensor.storage)? {
            Node::Storage(storage) => Some(*storage),
            _ => None,
        }
    }

    /// All storages.
    pub(crate) fn storages(&self) -> impl Iterator<Item = &StorageRef<'a>> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    /// Adds what has an unknown name.
    pub(super) fn add_opaque(&mut self, name: (&'a str, &'a str)) -> Result<Value<'a>, String> {
        self.add(Node::Opaque(Box::new(Opaque { name, state: None, items: vec![] })))
    }

    /// The name that makes a value unknown.
    pub(super) fn opaque(&self, value: Value<'a>) -> Option<(&'a str, &'a str)> {
        match self.get(value)? {
            Node::Opaque(opaque) => Some(opaque.name),
            _ => None,
        }
    }

    /// The first unknown name, for messages.
    pub(crate) fn first_opaque(&self) -> Option<String> {
        self.nodes.iter().find_map(|node| match node {
            Node::Opaque(opaque) => Some(quoted(opaque.name)),
            _ => None,
        })
    }

    /// The attributes of an object of an unknown class.
    pub(crate) fn attributes(&self, opaque: &Opaque<'a>) -> &[(Value<'a>, Value<'a>)] {
        match opaque.state.and_then(|state| self.get(state)) {
            Some(Node::Dict(attributes)) => attributes,
            _ => &[],
        }
    }

    /// The kind of a value, in a word, or its unknown name.
    pub(crate) fn describe(&self, value: Value<'a>) -> Cow<'static, str> {
        if let Some(name) = self.opaque(value) {
            return quoted(name).into();
        }
        let kind = match value {
            Value::None => "None",
            Value::Int(_) => "int",
            Value::Str(_) => "str",
            Value::Global(_) => "type",
            Value::Inert(name) => name,
            Value::Node(_) => match self.get(value) {
                Some(Node::Tuple(_)) => "tuple",
                Some(Node::List(_)) => "list",
                Some(Node::Dict(_)) => "dict",
                Some(Node::Object(_)) => "object",
                Some(Node::Storage(_)) => "storage",
                Some(Node::Tensor(_)) => "tensor",
                Some(Node::Opaque(_)) | None => "nothing",
            },
        };
        kind.into()
    }
}

fn quoted((module, name): (&str, &str)) -> String {
    quote(&format!("{}.{}", cut(module), cut(name)))
}

/// The beginning of a name, which may be as long as its file.
fn cut(name: &str) -> &str {
    const SHOWN: usize = 100;
    name.char_indices().nth(SHOWN).map_or(name, |(at, _)| &name[..at])
}
