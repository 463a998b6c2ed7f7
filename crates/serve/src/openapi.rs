//! What can be asked, for programs: OpenAPI 3.1.

use axum::http::header;
use axum::response::{IntoResponse, Response};

const DESCRIPTION: &str = include_str!("openapi.json");

pub(crate) fn response() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, DESCRIPTION.replace("VERSION", env!("CARGO_PKG_VERSION"))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_json_and_its_references_are_there() {
        let text = DESCRIPTION.replace("VERSION", "1");
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        for part in text.split("\"$ref\": \"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(all.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
