//! What is said, as lines for machines: one JSON object each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Whether machines listen.
static MACHINES: AtomicBool = AtomicBool::new(false);

/// Speaks for machines from now on, or for people.
pub(crate) fn speak_for_machines(yes: bool) {
    MACHINES.store(yes, Ordering::Relaxed);
}

/// Whether what is said is for machines.
pub(crate) fn for_machines() -> bool {
    MACHINES.load(Ordering::Relaxed)
}

/// An event, with its time in seconds since 1970 and its name in front. `fields`: an object.
pub(super) fn event(name: &str, fields: &Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut line = format!("{{\"time\":{now:.3},\"event\":{}", json!(name));
    for (key, value) in fields.as_object().into_iter().flatten() {
        line += &format!(",{}:{value}", json!(key));
    }
    line + "}"
}

/// A line for people as an event: what is wrong is a warning, all else information.
pub(super) fn prose(name: &str, text: &str) -> String {
    match text.strip_prefix("warning: ") {
        Some(warning) => event("warning", &json!({ "text": warning })),
        None if name.is_empty() => event("info", &json!({ "text": text })),
        None => event("info", &json!({ "name": name, "text": text })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_that_begins_with_its_time_and_name() {
        let line = event("epoch", &json!({ "loss": f64::NAN, "a\"b": "c\nd" }));
        assert!(line.starts_with("{\"time\":") && !line.contains('\n'), "{line}");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event"], "epoch");
        assert_eq!((&value["loss"], &value["a\"b"]), (&Value::Null, &json!("c\nd")));
        assert!(value["time"].as_f64().unwrap() > 1.7e9);
        let warning: Value = serde_json::from_str(&prose("", "warning: no space")).unwrap();
        assert_eq!((&warning["event"], &warning["text"]), (&json!("warning"), &json!("no space")));
        let said: Value = serde_json::from_str(&prose("data", "ten")).unwrap();
        assert_eq!((&said["name"], &said["text"]), (&json!("data"), &json!("ten")));
    }
}
