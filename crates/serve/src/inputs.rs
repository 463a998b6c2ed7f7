//! The inputs in a request: what its body is, its content type says.

use std::num::NonZeroUsize;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use crosstune_core::data::{Gathered, text_lines};
use crosstune_core::error::one_line;
use crosstune_core::{Error, Input, InputKind, Item, Layout, Location, Modality};
use tokio::task::block_in_place;

use crate::refusal::Refusal;
use crate::served::Version;
use crate::texts::{Text, Texts};

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

/// Finds the inputs for a model in a body: all, or if there are more than `most`, one more than that.
///
/// # Errors
/// If it is of another type than the model takes, or not what its type says.
pub(crate) async fn find<M: Modality>(
    version: &Version<M>,
    headers: &HeaderMap,
    body: Bytes,
    most: usize,
) -> Result<Asking, Refusal> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Refusal::form("send the body as it is, without a content encoding"));
    }
    let texts = M::INPUTS == InputKind::Texts;
    let content_type = headers.get(header::CONTENT_TYPE);
    let unknown = HeaderValue::from_static("application/octet-stream");
    let essence = essence(content_type.unwrap_or(&unknown));
    let one = |body: Bytes| {
        let items = at_leisure(&body, || file(version, BODY, &body, most))?;
        Ok(Asking { items, top: None })
    };
    let asking = match (&*essence, texts) {
        ("multipart/form-data", _) => parts(version, headers, body, most).await?,
        ("application/json", true) => at_leisure(&body, || json(version, &body, most))?,
        ("application/json", false) => {
            return Err(Refusal::form(format!(
                "{} are files: send one as it is, or several as multipart/form-data",
                M::SAMPLES
            )));
        }
        ("text/plain" | "application/octet-stream", true) => one(body)?,
        ("application/octet-stream", false) => one(body)?,
        (media, false) if media.starts_with("image/") || media.starts_with("audio/") => one(body)?,
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

/// Does what takes time for a large body beside the thread that others' requests need.
fn at_leisure<T>(body: &Bytes, work: impl FnOnce() -> T) -> T {
    const LARGE: usize = 64 << 10;
    if body.len() > LARGE { block_in_place(work) } else { work() }
}

/// What one file holds.
fn file<M: Modality>(
    version: &Version<M>,
    name: &str,
    body: &[u8],
    most: usize,
) -> Result<Vec<Item>, Refusal> {
    if M::INPUTS == InputKind::Texts {
        let pairs = version.modality.takes_pairs();
        let layout = Layout { pairs, skip_bad: true, ..M::layout() };
        let refused = |e: Error| Refusal::input(one_line(&e));
        let Gathered { items, bad, .. } =
            text_lines(Path::new(name), body, &layout, most).map_err(refused)?;
        return match &bad[..] {
            [] => Ok(items),
            [one] => Err(Refusal::input(one.to_string())),
            [first, rest @ ..] => {
                let rest = rest.len();
                Err(Refusal::input(format!("{first}; {rest} more cannot be used, either")))
            }
        };
    }
    let input = Input::Bytes { name: name.to_string(), bytes: body.into() };
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
    most: usize,
) -> Result<Asking, Refusal> {
    let mut request = Request::new(Body::from(body));
    *request.headers_mut() = headers.clone();
    // The body is within the limit already.
    DefaultBodyLimit::disable().apply(&mut request);
    let bad = |e: &dyn std::fmt::Display| Refusal::malformed(format!("multipart/form-data: {e}"));
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| bad(&e.body_text()))?;
    let mut items = vec![];
    while items.len() <= most
        && let Some(field) = form.next_field().await.map_err(|e| bad(&e.body_text()))?
    {
        let name = field.file_name().or(field.name()).filter(|name| !name.is_empty());
        let name = name.unwrap_or(BODY).to_string();
        let bytes = field.bytes().await.map_err(|e| bad(&e.body_text()))?;
        items.extend(at_leisure(&bytes, || file(version, &name, &bytes, most))?);
    }
    Ok(Asking { items, top: None })
}

fn json<M: Modality>(version: &Version<M>, body: &[u8], most: usize) -> Result<Asking, Refusal> {
    let Texts { inputs, top } = Texts::read(body, most)
        .map_err(|e| Refusal::malformed(format!("the JSON cannot be used: {e}")))?;
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
            Ok(pair) if pair.iter().any(|text| text.trim().is_empty()) => {
                Err("a text of the pair is empty")
            }
            Ok(pair) => Ok(Input::Pair(pair)),
            Err(_) => Err("expected a text, or a list of the two of a pair"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(
            of(&["a", "b", "c"], false, false).is_err() && of(&["", "b"], true, false).is_err()
        );
        for (text, pairs) in [("a", true), (" ", false)] {
            assert!(input_of(Text::Whole(text.into()), pairs, false).is_err());
        }
    }

    #[test]
    fn a_content_type_is_told_by_its_essence() {
        let of = |text| essence(&HeaderValue::from_static(text));
        assert_eq!(of("Application/JSON; charset=utf-8"), "application/json");
        assert_eq!(of(""), "");
    }
}
