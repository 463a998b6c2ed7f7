//! What a training is: whoever goes on with a checkpoint goes on with the same.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::Device;

use super::parts::Parts;
use crate::error::{Error, Result};
use crate::loader::Samples;

/// The name among a checkpoint's parts.
const NAME: &str = "conditions";

/// All that decides what a training comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct Conditions {
    version: String,
    model: Value,
    data: Value,
    options: Value,
    machine: Value,
    /// What the caller adds.
    caller: Value,
}

impl Conditions {
    /// The conditions of a training that is about to begin. `model`: what it is built from, and the
    /// hashes of its parameters.
    pub(in crate::train) fn new(
        model: Value,
        [train, validation]: [&Samples; 2],
        options: Value,
        device: Device,
        caller: Value,
    ) -> Self {
        let split = |s: &Samples| json!({ "samples": s.len(), "sha256": s.digest() });
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            model,
            data: json!({ "train": split(train), "validation": split(validation) }),
            options,
            machine: json!({ "threads": tch::get_num_threads(), "device": format!("{device:?}") }),
            caller,
        }
    }

    /// Adds them to a checkpoint.
    pub(in crate::train) fn save(&self, to: &mut Parts) -> Result<()> {
        to.put(NAME, self)
    }

    /// Checks that a checkpoint is of a training under these conditions.
    ///
    /// # Errors
    /// The first difference.
    pub(in crate::train) fn check(&self, of: &Parts) -> Result<()> {
        let version = of.get::<Value>(NAME)?["version"].clone();
        let problem = if version != self.version.as_str() {
            let then = version.as_str().unwrap_or("another one");
            Some(format!("is of version {then}, and this is version {}", self.version))
        } else {
            self.difference(&of.get::<Self>(NAME)?)
        };
        let Some(problem) = problem else { return Ok(()) };
        let problem = format!(
            "the checkpoint {problem}; go on with what it was trained with, or train anew elsewhere"
        );
        Err(Error::Path { path: of.path.clone(), problem })
    }

    /// The first difference to what was `then`.
    fn difference(&self, then: &Self) -> Option<String> {
        let sections = [
            ("of another model", &then.model, &self.model),
            ("of other data", &then.data, &self.data),
            ("of a training with other options", &then.options, &self.options),
            ("of a training that was computed otherwise", &then.machine, &self.machine),
            ("of another training", &then.caller, &self.caller),
        ];
        sections.into_iter().find_map(|(what, then, now)| {
            difference("", then, now).map(|where_to| format!("is {what} ({where_to})"))
        })
    }
}

/// The first place at which two values differ, and how.
fn difference(place: &str, then: &Value, now: &Value) -> Option<String> {
    if then == now {
        return None;
    }
    if let (Value::Object(a), Value::Object(b)) = (then, now) {
        let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
        return names.into_iter().find_map(|name| {
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            let side = |of: &serde_json::Map<String, Value>| of.get(name).cloned();
            difference(&place, &side(a).unwrap_or_default(), &side(b).unwrap_or_default())
        });
    }
    /// More characters of a value say no more.
    const SHOWN: usize = 40;
    let shown = |value: &Value| {
        let text = value.to_string();
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    Some(format!("{place}: {} then, {} now", shown(then), shown(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions() -> Conditions {
        let model = json!({ "spec": { "trunk": { "depth": 12 } }, "parameters": "a0" });
        let (none, options) = (Samples::default(), json!({ "lr": 0.1, "epochs": 3 }));
        Conditions::new(model, [&none, &none], options, Device::Cpu, json!({ "test": "b1" }))
    }

    #[test]
    fn a_difference_is_named() {
        let mut saved = Parts::default();
        conditions().save(&mut saved).unwrap();
        conditions().check(&saved).unwrap();
        let said = |change: &dyn Fn(&mut Conditions)| {
            let mut now = conditions();
            change(&mut now);
            let error = now.check(&saved).unwrap_err();
            assert!(error.is_usage_error());
            error.to_string()
        };
        for (said, wanted) in [
            (said(&|c| c.version = "9.9.9".into()), "is of version 0."),
            (
                said(&|c| c.model["spec"]["trunk"]["depth"] = json!(6)),
                "is of another model (spec.trunk.depth: 12 then, 6 now)",
            ),
            (
                said(&|c| c.data["train"]["samples"] = json!(7)),
                "is of other data (train.samples: 0 then, 7 now)",
            ),
            (
                said(&|c| c.options["lr"] = json!(0.2)),
                "is of a training with other options (lr: 0.1 then, 0.2 now)",
            ),
            (said(&|c| c.options["new"] = json!(1)), "(new: null then, 1 now)"),
            (
                said(&|c| c.machine["device"] = json!("Cuda(0)")),
                "computed otherwise (device: \"Cpu\"",
            ),
            (said(&|c| c.caller["test"] = json!("c".repeat(99))), "(test: \"b1\" then, \"cccc"),
        ] {
            assert!(said.contains(wanted), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}
