//! What calling a known name makes. Nothing is executed: each case is written out here.

use safetensors::Dtype;

use super::globals::{Global, Rebuild};
use super::value::{Heap, Node, StorageRef, TensorRef, Value};
use crate::weights::checkpoint::format::limits::MOST_DIMENSIONS;

/// The longest key of a storage, a number or an address.
const LONGEST_KEY: usize = 256;

/// `function(*arguments)`.
pub(super) fn call<'a>(
    heap: &mut Heap<'a>,
    function: Value<'a>,
    arguments: Value<'a>,
) -> Result<Value<'a>, String> {
    // Not called, whatever it is called with.
    if let Some(name) = heap.opaque(function) {
        return heap.add_opaque(name);
    }
    let Value::Global(function) = function else {
        return Err(format!("refused: its pickle calls a {}", heap.describe(function)));
    };
    let Some(Node::Tuple(arguments)) = heap.get(arguments) else {
        return Err("its pickle calls a function with no tuple of arguments".into());
    };
    // A clone also for the copies below.
    let arguments = arguments.clone();
    heap.charge(size_of_val(&arguments[..]))?;
    call_known(heap, function, &arguments)
}

fn call_known<'a>(
    heap: &mut Heap<'a>,
    function: Global,
    arguments: &[Value<'a>],
) -> Result<Value<'a>, String> {
    let unfit = || format!("its pickle calls {function:?} with arguments that do not fit");
    let unknown = arguments.iter().find_map(|&argument| heap.opaque(argument));
    match function {
        // A tensor of a kind that is not known.
        Global::Rebuild(_) if let Some(name) = unknown => heap.add_opaque(name),
        Global::Rebuild(how) => {
            let tensor = tensor(heap, how, arguments).ok_or_else(unfit)?;
            heap.add(Node::Tensor(tensor))
        }
        Global::OrderedDict => {
            let items = match arguments {
                [] => vec![],
                [items] => pairs(heap, *items).ok_or_else(unfit)?,
                _ => return Err(unfit()),
            };
            heap.add(Node::Dict(items))
        }
        Global::First => match arguments {
            [] => heap.add(Node::List(vec![])),
            [first, ..] => Ok(*first),
        },
        Global::RebuildFromType => match arguments {
            // A function that calls functions would nest without end.
            [Value::Global(function @ (Global::Rebuild(_) | Global::First)), _, inner, ..] => {
                let inner = heap.items(*inner).ok_or_else(unfit)?.to_vec();
                heap.charge(size_of_val(&inner[..]))?;
                call_known(heap, *function, &inner)
            }
            [function, ..] if let Some(name) = heap.opaque(*function) => heap.add_opaque(name),
            _ => Err(unfit()),
        },
        Global::Encode => Ok(Value::Inert("bytes")),
        Global::Inert(name) => Ok(Value::Inert(name)),
        Global::Script => heap.add(Node::Object(None)),
        Global::Storage(_) | Global::Dtype(_) => Err(unfit()),
    }
}

/// `object.__setstate__(state)`, or the same for its attributes.
pub(super) fn build<'a>(
    heap: &mut Heap<'a>,
    object: Value<'a>,
    state: Value<'a>,
) -> Result<(), String> {
    match heap.get_mut(object) {
        Some(Node::Object(old @ None)) => *old = Some(state),
        Some(Node::Opaque(opaque)) => opaque.state = Some(state),
        // The attributes of a dict, such as the `_metadata` of a state dict, or of a parameter.
        Some(Node::Dict(_) | Node::Tensor(_)) => {}
        None if matches!(object, Value::Inert(_)) => {}
        _ => {
            return Err(format!(
                "refused: its pickle gives a state to a {}",
                heap.describe(object)
            ));
        }
    }
    Ok(())
}

/// The storage that a persistent id names: `("storage", type, key, location, numel)`, in the oldest
/// files followed by the offset of a view into another storage. Or a class, of which they also keep
/// the source: `("module", class, file, source)`.
pub(super) fn storage<'a>(heap: &mut Heap<'a>, id: Value<'a>) -> Result<Value<'a>, String> {
    if let Some([Value::Str("storage" | "module"), class, ..]) = heap.items(id)
        && let Some(name) = heap.opaque(*class)
    {
        return heap.add_opaque(name);
    }
    let storage = storage_ref(heap, id)
        .ok_or("refused: its pickle refers to something outside that is not a storage")?;
    heap.add(Node::Storage(storage))
}

fn storage_ref<'a>(heap: &Heap<'a>, id: Value<'a>) -> Option<StorageRef<'a>> {
    let (id, view) = match heap.items(id)? {
        [id @ .., Value::None] if id.len() == 5 => (id, None),
        [id @ .., view] if id.len() == 5 => (id, Some(*view)),
        id => (id, None),
    };
    let [Value::Str("storage"), Value::Global(Global::Storage(dtype)), Value::Str(key), _, len] =
        id
    else {
        return None;
    };
    if key.len() > LONGEST_KEY {
        return None;
    }
    let len = size(*len)?;
    let part = match view {
        None => (0, len),
        Some(view) => {
            let [_, offset, part] = heap.items(view)? else { return None };
            let (offset, part) = (size(*offset)?, size(*part)?);
            offset.checked_add(part).filter(|&end| end <= len)?;
            (offset, part)
        }
    };
    Some(StorageRef { key, dtype: *dtype, len, part })
}

fn tensor<'a>(heap: &Heap<'a>, how: Rebuild, arguments: &[Value<'a>]) -> Option<TensorRef> {
    let [storage, offset, shape, strides, rest @ ..] = arguments else { return None };
    let (Value::Node(index), Some(Node::Storage(of))) = (*storage, heap.get(*storage)) else {
        return None;
    };
    let dtype = match (how, of.dtype, rest.get(2)) {
        (Rebuild::Untyped, _, Some(Value::Global(Global::Dtype(dtype)))) => *dtype,
        (Rebuild::Typed, Some(dtype), _) => dtype,
        // Bytes without a type.
        (Rebuild::Typed, None, _) => Dtype::U8,
        (Rebuild::Untyped, ..) => return None,
    };
    // Whether the numbers are to be read as negated or conjugated.
    let metadata = rest.get(if how == Rebuild::Typed { 2 } else { 3 });
    match metadata.map(|&metadata| (metadata, heap.get(metadata))) {
        None | Some((Value::None, _)) => {}
        Some((_, Some(Node::Dict(metadata)))) if metadata.is_empty() => {}
        Some(_) => return None,
    }
    let (shape, strides) = (sizes(heap, *shape)?, sizes(heap, *strides)?);
    Some(TensorRef { storage: index, dtype, offset: size(*offset)?, shape, strides })
}

/// A count: no negative stride or offset passes here.
fn size(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(n) => n.try_into().ok(),
        _ => None,
    }
}

fn sizes<'a>(heap: &Heap<'a>, value: Value<'a>) -> Option<Vec<usize>> {
    let items = heap.items(value).filter(|items| items.len() <= MOST_DIMENSIONS)?;
    items.iter().map(|&n| size(n)).collect()
}

/// The items of a list of pairs.
fn pairs<'a>(heap: &Heap<'a>, items: Value<'a>) -> Option<Vec<(Value<'a>, Value<'a>)>> {
    if let Node::Dict(items) = heap.get(items)? {
        return Some(items.clone());
    }
    let pair = |&pair| match heap.items(pair)? {
        [key, value] => Some((*key, *value)),
        _ => None,
    };
    heap.items(items)?.iter().map(pair).collect()
}
