//! The values that a pickle builds.

use safetensors::Dtype;

use super::globals::Global;

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

    /// The kind of a value, in a word.
    pub(crate) fn describe(&self, value: Value<'a>) -> &'static str {
        match value {
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
                None => "nothing",
            },
        }
    }
}
