//! The inputs in a request: what its body is, its content type says.

use std::num::NonZeroUsize;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use crosstune_core::data::text_lines;
use crosstune_core::{Input, InputKind, Item, Layout, Location, Modality};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::refusal::Refusal;
use crate::served::Version;

/// What is asked.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) items: Vec<Item>,
    /// How many classes are told, if the body says so.
    pub(crate) top: Option<NonZeroUsize>,
}

/// How inputs without a name are called.
const BODY: &str = "body";

/// How those of a list are called.
const INPUTS: &str = "inputs";

/// Finds the inputs for a model in a body.
///
/// # Errors
/// If it is of another type than the model takes, or not what its type says.
pub(crate) async fn find<M: Modality>(
    version: &Version<M>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Asking, Refusal> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Refusal::form("send the body as it is, without a content encoding"));
    }
    let texts = M::INPUTS == InputKind::Texts;
    let content_type = headers.get(header::CONTENT_TYPE);
    let unknown = HeaderValue::from_static("application/octet-stream");
    let essence = essence(content_type.unwrap_or(&unknown));
    let asking = match (&*essence, texts) {
        ("multipart/form-data", _) => parts(version, headers, body).await?,
        ("application/json", true) => json(version, &body)?,
        ("application/json", false) => {
            return Err(Refusal::form(format!(
                "{} are files: send one as it is, or several as multipart/form-data",
                M::SAMPLES
            )));
        }
        ("text/plain" | "application/octet-stream", true) => one(version, BODY, body)?,
        ("application/octet-stream", false) => one(version, BODY, body)?,
        (media, false) if media.starts_with("image/") || media.starts_with("audio/") => {
            one(version, BODY, body)?
        }
        (other, _) => {
            let forms = match texts {
                true => "application/json, text/plain or multipart/form-data",
                false => "multipart/form-data, application/octet-stream or the file's own type",
            };
            return Err(Refusal::form(format!(
                "the content type is {other}; for {} it is {forms}",
                M::SAMPLES
            )));
        }
    };
    match asking.items.is_empty() {
        true => Err(Refusal::malformed("there is no input in the body")),
        false => Ok(asking),
    }
}

/// A content type without its parameters, in lower case.
fn essence(content_type: &HeaderValue) -> String {
    let text = content_type.to_str().unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What one file holds.
fn one<M: Modality>(version: &Version<M>, name: &str, body: Bytes) -> Result<Asking, Refusal> {
    Ok(Asking { items: file(version, name, body)?, top: None })
}

fn file<M: Modality>(version: &Version<M>, name: &str, body: Bytes) -> Result<Vec<Item>, Refusal> {
    if M::INPUTS == InputKind::Texts {
        let layout = Layout { pairs: version.modality.takes_pairs(), ..M::layout() };
        let lines = text_lines(Path::new(name), &body, &layout);
        return lines.map_err(|e| {
            let said = e.to_string().replace("; --skip-bad leaves it out", "");
            Refusal::input(said.replace(" (--skip-bad leaves them out)", ""))
        });
    }
    let input = Input::Bytes { name: name.to_string(), bytes: body[..].into() };
    Ok(vec![Item::new(input, place(name, None))])
}

fn place(name: &str, line: Option<u64>) -> Location {
    Location { path: Path::new(name).into(), line }
}

/// Files of a form.
async fn parts<M: Modality>(
    version: &Version<M>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Asking, Refusal> {
    let mut request = Request::new(Body::from(body));
    *request.headers_mut() = headers.clone();
    // The body is within the limit already.
    DefaultBodyLimit::disable().apply(&mut request);
    let bad = |e: &dyn std::fmt::Display| Refusal::malformed(format!("multipart/form-data: {e}"));
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| bad(&e.body_text()))?;
    let mut items = vec![];
    while let Some(field) = form.next_field().await.map_err(|e| bad(&e.body_text()))? {
        let name = field.file_name().or(field.name()).filter(|name| !name.is_empty());
        let name = name.unwrap_or(BODY).to_string();
        let bytes = field.bytes().await.map_err(|e| bad(&e.body_text()))?;
        items.extend(file(version, &name, bytes)?);
    }
    Ok(Asking { items, top: None })
}

/// A request in JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    inputs: OneOrMany,
    #[serde(default, deserialize_with = "whole")]
    top: Option<NonZeroUsize>,
}

/// A number that is whole, also if it is written as 3.0: to JSON they are the same.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NonZeroUsize>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(from)? else { return Ok(None) };
    let count = if number.fract() == 0. { NonZeroUsize::new(number as usize) } else { None };
    match count.filter(|_| number > 0.) {
        Some(count) => Ok(Some(count)),
        None => Err(D::Error::custom(format!("top {number}: a whole number from 1 is expected"))),
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a list of texts or of lists of texts")]
enum OneOrMany {
    One(String),
    Many(Vec<Text>),
}

/// One input.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
enum Text {
    Whole(String),
    Parts(Vec<String>),
}

fn json<M: Modality>(version: &Version<M>, body: &[u8]) -> Result<Asking, Refusal> {
    let Texts { inputs, top } = serde_json::from_slice(body)
        .map_err(|e| Refusal::malformed(format!("the JSON cannot be used: {e}")))?;
    let inputs = match inputs {
        OneOrMany::One(text) => vec![Text::Whole(text)],
        OneOrMany::Many(inputs) => inputs,
    };
    let [pairs, words] = [version.modality.takes_pairs(), version.takes_words()];
    let item = |(line, input)| {
        let input = input_of(input, pairs, words);
        let problem = |problem| Refusal::input(format!("{INPUTS}:{line}: {problem}"));
        input.map(|input| Item::new(input, place(INPUTS, Some(line)))).map_err(problem)
    };
    let items = (1..).zip(inputs).map(item).collect::<Result<_, _>>()?;
    Ok(Asking { items, top })
}

/// The input of a model that takes pairs, or labels words.
fn input_of(input: Text, pairs: bool, takes_words: bool) -> Result<Input, &'static str> {
    match input {
        Text::Whole(_) if pairs => {
            Err("the model was trained on pairs: give two texts, [\"a\", \"b\"]")
        }
        Text::Whole(text) if text.trim().is_empty() => Err("the text is empty"),
        Text::Whole(text) => Ok(Input::Text(text)),
        Text::Parts(words) if takes_words && words.is_empty() => Err("there are no words in it"),
        Text::Parts(words) if takes_words => Ok(Input::Words(words)),
        // As in a table with two columns of texts, whatever the model was trained on.
        Text::Parts(parts) => match <[String; 2]>::try_from(parts) {
            Ok(pair) => Ok(Input::Pair(pair)),
            Err(_) => Err("expected a text, or a list of the two of a pair"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(body: &str) -> Result<Vec<Input>, String> {
        let Texts { inputs, .. } = serde_json::from_str(body).map_err(|e| e.to_string())?;
        let inputs = match inputs {
            OneOrMany::One(text) => vec![Text::Whole(text)],
            OneOrMany::Many(inputs) => inputs,
        };
        let of = |input| input_of(input, false, false).map_err(str::to_string);
        inputs.into_iter().map(of).collect()
    }

    #[test]
    fn texts_come_alone_or_in_a_list() {
        let text = |text: &str| Input::Text(text.into());
        assert_eq!(texts(r#"{"inputs": "a"}"#), Ok(vec![text("a")]));
        assert_eq!(texts(r#"{"inputs": ["a", "b"], "top": 2}"#), Ok(vec![text("a"), text("b")]));
        assert_eq!(texts(r#"{"inputs": "a", "top": 3.0}"#), Ok(vec![text("a")]));
        for (body, problem) in [
            (r#"{"inputs": 7}"#, "expected a text"),
            (r#"{"inputs": ["a", 7]}"#, "expected a text"),
            (r#"{"input": "a"}"#, "unknown field `input`"),
            (r#"{"inputs": "a", "top": 0}"#, "from 1"),
            (r#"{"inputs": "a", "top": 2.5}"#, "top 2.5"),
            (r#"{"inputs": "#, "EOF"),
            (r#"{"inputs": [["a", "b", "c"]]}"#, "two of a pair"),
            (r#"{"inputs": " "}"#, "empty"),
        ] {
            assert!(texts(body).unwrap_err().contains(problem), "{body}: {:?}", texts(body));
        }
    }

    #[test]
    fn lists_are_pairs_or_words_as_the_model_takes_them() {
        let of = |parts: &[&str], pairs, words| {
            let parts = Text::Parts(parts.iter().map(ToString::to_string).collect());
            input_of(parts, pairs, words)
        };
        let pair = Ok(Input::Pair(["a".into(), "b".into()]));
        assert_eq!(
            (of(&["a", "b"], true, false), of(&["a", "b"], false, false)),
            (pair.clone(), pair)
        );
        assert_eq!(of(&["a", "b"], false, true), Ok(Input::Words(vec!["a".into(), "b".into()])));
        assert!(of(&["a"], true, false).is_err() && of(&[], false, true).is_err());
        assert!(input_of(Text::Whole("a".into()), true, false).is_err());
    }

    #[test]
    fn a_content_type_is_told_by_its_essence() {
        let of = |text| essence(&HeaderValue::from_static(text));
        assert_eq!(of("Application/JSON; charset=utf-8"), "application/json");
        assert_eq!(of(""), "");
    }
}
