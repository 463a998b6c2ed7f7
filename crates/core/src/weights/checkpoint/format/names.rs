//! The names of a pickle's tensors.
//!
//! | in the pickle | name |
//! |---|---|
//! | a dict of tensors, or an attribute of a TorchScript module | its key |
//! | dicts and lists in one another | their keys with dots between |
//! | the weights in a training checkpoint, under a key like `state_dict` ([`WRAPPERS`]) | as if they were alone |
//! | `module.` before every name (`DataParallel`), or `_orig_mod.` (`torch.compile`) | left out |
//! | a whole module, whose class is not known | as its `state_dict()` would name them |
//! | the state of an optimizer | skipped |

use std::collections::BTreeMap;

use super::contents::ONLY;
use super::limits::{MOST_TENSORS, quote};
use super::pickle::{Heap, Node, TensorRef, Value};

/// The keys under which training checkpoints hold a model's weights, the most certain first.
const WRAPPERS: [&str; 8] = [
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "network",
    "net",
    "params",
];

/// The prefixes that wrappers of a whole model add to each of its names.
const PREFIXES: [&str; 2] = ["module.", "_orig_mod."];

/// The deepest that containers may nest.
const DEEPEST: usize = 64;

/// The most values that are visited, counting each occurrence.
const MOST_VALUES: usize = 1 << 21;

/// The most bytes of all names together.
const MOST_NAMES: usize = 16 << 20;

/// The tensors and the other values by name.
#[derive(Debug)]
pub(super) struct Named<'h> {
    pub(super) tensors: BTreeMap<String, &'h TensorRef>,
    pub(super) skipped: BTreeMap<String, String>,
    /// The key of the weights that were taken, of several, and the others.
    pub(super) chosen: Option<(String, Vec<String>)>,
}

/// What becomes of the keys under which a training checkpoint holds weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// The most certain weights are named as if they were alone.
    Unwrapped,
    /// Everything is named as it is found.
    Kept,
}

/// Names what a pickle built.
pub(super) fn name<'a, 'h>(
    heap: &'h Heap<'a>,
    root: Value<'a>,
    keys: Keys,
) -> Result<Named<'h>, String> {
    let mut walk = Walk {
        heap,
        named: Named { tensors: BTreeMap::new(), skipped: BTreeMap::new(), chosen: None },
        values: MOST_VALUES,
        names: MOST_NAMES,
    };
    let weights = match keys {
        Keys::Unwrapped => unwrap(heap, root, &mut walk.named),
        Keys::Kept => root,
    };
    if !walk.visit(weights, &mut String::new(), 0)? {
        return Err(match heap.first_opaque() {
            Some(name) => format!(
                "refused: it asks for {name}, which is neither a dense tensor nor a plain value, and \
                 loading it elsewhere may run code; save the weights alone (`model.state_dict()`)"
            ),
            None => {
                let is = heap.describe(weights);
                format!("no tensor in it, only a {is}; name a file with weights")
            }
        });
    }
    let mut named = walk.named;
    if matches!(heap.get(weights), Some(Node::Object(_) | Node::Opaque(_))) {
        // A module's settings, such as `training`, are not worth reporting.
        named.skipped.clear();
    }
    for prefix in PREFIXES {
        if named.tensors.keys().all(|name| name.len() > prefix.len() && name.starts_with(prefix)) {
            let tensors = named.tensors.into_iter();
            named.tensors = tensors.map(|(name, t)| (name[prefix.len()..].into(), t)).collect();
        }
    }
    Ok(named)
}

/// The weights in a training checkpoint; what is beside them is skipped.
fn unwrap<'a>(heap: &Heap<'a>, root: Value<'a>, named: &mut Named<'_>) -> Value<'a> {
    let Some(Node::Dict(items)) = heap.get(root) else { return root };
    let holds_tensors = |value| match heap.get(value) {
        Some(Node::Dict(items)) => {
            items.iter().any(|(_, value)| matches!(heap.get(*value), Some(Node::Tensor(_))))
        }
        Some(Node::Opaque(opaque)) => module(heap.attributes(opaque)).is_some(),
        _ => false,
    };
    let under = |key: &str| {
        let found = items.iter().find(|(k, _)| matches!(k, Value::Str(k) if *k == key));
        found.filter(|(_, value)| holds_tensors(*value))
    };
    let Some((wrapper, weights)) = WRAPPERS.iter().find_map(|key| under(key)) else { return root };
    let mut left = vec![];
    for (key, value) in items.iter().take(MOST_TENSORS) {
        if let (Value::Str(key), Value::Str(wrapper)) = (key, wrapper)
            && key != wrapper
        {
            let what = format!("{}, beside `{wrapper}`", heap.describe(*value));
            named.skipped.insert((*key).into(), what);
            if holds_tensors(*value) {
                left.push((*key).into());
            }
        }
    }
    if let (Value::Str(taken), false) = (wrapper, left.is_empty()) {
        named.chosen = Some(((*taken).into(), left));
    }
    *weights
}

struct Walk<'h, 'a> {
    heap: &'h Heap<'a>,
    named: Named<'h>,
    values: usize,
    names: usize,
}

impl<'h, 'a> Walk<'h, 'a> {
    /// Names all tensors below a value; returns whether there are any.
    fn visit(&mut self, value: Value<'a>, path: &mut String, depth: usize) -> Result<bool, String> {
        self.count(1)?;
        if depth > DEEPEST {
            return Err(format!("its containers nest deeper than {DEEPEST}"));
        }
        match self.heap.get(value) {
            Some(Node::Tensor(tensor)) => {
                let name = if path.is_empty() { ONLY.to_owned() } else { path.clone() };
                self.spend(&name)?;
                if self.named.tensors.len() >= MOST_TENSORS {
                    return Err(format!("more than {MOST_TENSORS} tensors; that is no checkpoint"));
                }
                if self.named.tensors.contains_key(&name) {
                    return Err(format!("two tensors are called {}", quote(&name)));
                }
                self.named.tensors.insert(name, tensor);
                Ok(true)
            }
            Some(Node::Object(Some(state))) => self.visit(*state, path, depth + 1),
            Some(Node::Dict(items)) => {
                self.count(items.len())?;
                if is_optimizer(items) {
                    return Ok(false);
                }
                let items = items.iter().map(|&(key, value)| (label(key), value));
                self.children(items, path, depth)
            }
            Some(Node::List(items) | Node::Tuple(items)) => {
                let items = items.iter().enumerate();
                self.children(items.map(|(i, &value)| (Some(i.to_string()), value)), path, depth)
            }
            Some(Node::Opaque(opaque)) => {
                let attributes = self.heap.attributes(opaque);
                self.count(attributes.len() + opaque.items.len())?;
                if let Some(parts) = module(attributes) {
                    return parts.into_iter().try_fold(false, |any, part| {
                        Ok(self.visit(part, path, depth + 1)? || any)
                    });
                }
                let items = opaque.items.iter().map(|&(key, value)| (label(key), value));
                self.children(items, path, depth)
            }
            _ => Ok(false),
        }
    }

    /// The same for the items of a container. Beside tensors, other values are noted.
    fn children(
        &mut self,
        items: impl Iterator<Item = (Option<String>, Value<'a>)>,
        path: &mut String,
        depth: usize,
    ) -> Result<bool, String> {
        let (mut any, mut others) = (false, Vec::new());
        for (label, value) in items {
            // What has no name cannot be asked for.
            let Some(label) = label else { continue };
            let end = path.len();
            if end > 0 {
                path.push('.');
            }
            path.push_str(&label);
            if self.visit(value, path, depth + 1)? {
                any = true;
            } else {
                let what = self.heap.describe(value);
                self.spend(path)?;
                self.spend(&what)?;
                others.push((path.clone(), what.into()));
            }
            path.truncate(end);
        }
        if any {
            self.named.skipped.extend(others);
        }
        Ok(any)
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        let left = self.values.checked_sub(values);
        self.values = left.ok_or("its pickle repeats itself without end")?;
        Ok(())
    }

    fn spend(&mut self, name: &str) -> Result<(), String> {
        let left = self.names.checked_sub(name.len() + size_of::<String>());
        self.names = left.ok_or("its names are longer than any checkpoint's")?;
        Ok(())
    }
}

/// What an `nn.Module` of any class consists of, by its attributes: parameters, buffers and modules,
/// each a dict.
fn module<'a>(attributes: &[(Value<'a>, Value<'a>)]) -> Option<[Value<'a>; 3]> {
    let part = |name| {
        let is = |(key, _): &&(Value<'a>, _)| matches!(key, Value::Str(key) if *key == name);
        attributes.iter().find(is).map(|(_, part)| *part)
    };
    Some([part("_parameters")?, part("_buffers")?, part("_modules")?])
}

/// The state dict of an optimizer.
fn is_optimizer(items: &[(Value<'_>, Value<'_>)]) -> bool {
    let has = |name| items.iter().any(|(key, _)| matches!(key, Value::Str(key) if *key == name));
    has("state") && has("param_groups")
}

fn label(key: Value<'_>) -> Option<String> {
    match key {
        Value::Str(key) => Some(key.into()),
        Value::Int(key) => Some(key.to_string()),
        _ => None,
    }
}
