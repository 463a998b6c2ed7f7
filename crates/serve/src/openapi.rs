//! What can be asked, for programs: OpenAPI 3.1.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use crosstune_core::{InputKind, Modality};
use serde_json::Value;

const DESCRIPTION: &str = include_str!("openapi.json");

/// Where the description says what a body of inputs may be.
const BODIES: &str = "/paths/~1v1~1models~1{name}~1predict/post/requestBody/content";

/// For models of a modality.
pub(crate) fn response<M: Modality>() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, description(M::INPUTS).to_string()).into_response()
}

/// Without the bodies that hold inputs of another kind.
fn description(inputs: InputKind) -> Value {
    let text = DESCRIPTION.replace("VERSION", env!("CARGO_PKG_VERSION"));
    let mut all: Value = serde_json::from_str(&text).unwrap_or_default();
    let others: &[&str] = match inputs {
        InputKind::Texts => &["image/*", "audio/*"],
        InputKind::Files => &["application/json", "text/plain"],
    };
    if let Some(bodies) = all.pointer_mut(BODIES).and_then(Value::as_object_mut) {
        bodies.retain(|form, _| !others.contains(&form.as_str()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_json_and_its_references_are_there() {
        let all = description(InputKind::Files);
        for part in DESCRIPTION.split("\"$ref\": \"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(all.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn bodies_are_those_that_are_taken() {
        let forms = |inputs| -> Vec<String> {
            let bodies = description(inputs).pointer(BODIES).cloned().unwrap_or_default();
            bodies.as_object().into_iter().flatten().map(|(form, _)| form.clone()).collect()
        };
        let mut texts = forms(InputKind::Texts);
        texts.sort();
        let taken =
            ["application/json", "application/octet-stream", "multipart/form-data", "text/plain"];
        assert_eq!(texts, taken);
        let mut files = forms(InputKind::Files);
        files.sort();
        assert_eq!(
            files,
            ["application/octet-stream", "audio/*", "image/*", "multipart/form-data"]
        );
    }
}
