//! The page of a server, opened in a headless Chromium, and what it shows.

use std::path::Path;

use crosstune_browser::{AUDIT, Page, Result, find};
use serde_json::{Value, json};

use super::server::Server;

/// Remembers what the page asks, what it is answered, and what it plays.
pub(super) const LISTEN: &str = "window.asked = []; window.played = []; \
    { const real = fetch; window.fetch = async (path, options = {}) => { \
        const response = await real(path, options); \
        if (options.method === 'POST') { \
            const answer = await response.clone().json(); \
            asked.push({path: String(path), body: options.body, answer}); } \
        return response; }; \
      const start = AudioBufferSourceNode.prototype.start; \
      AudioBufferSourceNode.prototype.start = function (...when) { \
        played.push(when); return start.apply(this, when); }; } 0";

/// The page of a server, with what it can be asked; none without a Chromium.
pub(super) fn opened(server: &Server, arguments: &[&str]) -> Result<Option<Page>> {
    let Some(chrome) = find("crosstune-tests") else { return Ok(None) };
    let mut page = Page::launch(&chrome, arguments)?;
    page.open(&format!("http://{}/", server.address))?;
    page.until("!document.querySelector('#input').hidden")?;
    page.evaluate(LISTEN)?;
    Ok(Some(page))
}

/// What the page shows once so many answers are there.
pub(super) fn shown(page: &mut Page, answers: usize) -> Result<Value> {
    page.until(&format!(
        "document.querySelectorAll('.answer .drawn, .answer .fault').length === {answers} && \
         !document.querySelector('.answer[aria-busy=true]')"
    ))?;
    page.evaluate(include_str!("shown.js"))
}

/// The answers of a model to what was asked of it, in that order: predictions, or else errors.
pub(super) fn answered(page: &mut Page, model: &str) -> Result<Vec<Value>> {
    let asked = page.evaluate("asked.map(({path, answer}) => ({path, answer}))")?;
    let path = format!("v1/models/{model}/predict?top=5");
    let of = asked.as_array().ok_or("no list")?.iter().filter(|asked| asked["path"] == json!(path));
    Ok(of.map(|asked| asked["answer"].clone()).collect())
}

/// What is shown of an answer is what the server has said, to the last digit.
pub(super) fn agrees(shown: &Value, answer: &Value) {
    if answer["error"].is_object() {
        assert_eq!(shown["fault"], answer["error"]["message"], "{shown}");
        return;
    }
    let said = &answer["predictions"][0];
    let mut some = false;
    for (kind, list) in [
        ("labels", &said["labels"]),
        ("values", &said["values"]),
        ("words", &said["transcript"]["words"]),
        ("entities", &said["entities"]),
    ] {
        let mut list = list.clone();
        // Entities are marked where they stand, and so read as they do there.
        for entity in list.as_array_mut().into_iter().flatten().filter(|_| kind == "entities") {
            let [start, end] = ["start", "end"].map(|at| entity[at].as_u64().unwrap() as usize);
            let text = said["text"].as_str().unwrap().chars();
            let word: String = text.skip(start).take(end - start).collect();
            *entity = json!({"entity_group": entity["entity_group"], "score": entity["score"], "word": word});
        }
        some |= list.as_array().is_some_and(|list| !list.is_empty());
        if !list.as_array().is_some_and(Vec::is_empty) {
            assert_eq!(shown[kind], list, "{shown}");
        }
    }
    assert!(some, "nothing was said: {answer}");
    let probabilities = said["labels"].as_array().into_iter().flatten();
    for (at, label) in probabilities.enumerate() {
        let probability = label["probability"].as_f64().unwrap();
        let bar = shown["bars"][at].as_f64().unwrap();
        assert!((bar - probability).abs() < 0.02, "a bar of {bar} for {label}");
        let percent: f64 =
            shown["percents"][at].as_str().unwrap().trim_end_matches(" %").parse().unwrap();
        assert!((percent - 100. * probability).abs() < 0.051, "{percent} % for {label}");
    }
}

/// Audits the page in both widths and both themes, and takes pictures of it.
pub(super) fn audit(page: &mut Page, name: &str) -> Result {
    for width in [1280, 400] {
        for scheme in ["light", "dark"] {
            page.show(width, scheme)?;
            let file = format!("serve-{name}-{width}-{scheme}.png");
            page.picture("body", &Path::new(env!("CARGO_TARGET_TMPDIR")).join(file))?;
            assert_eq!(page.evaluate(AUDIT)?, json!([]), "{name}, {width} wide, {scheme}");
        }
    }
    page.show(1280, "light")
}

/// The browser has complained of nothing, but says that a request was refused, which it was to be.
pub(super) fn content(page: &mut Page) -> Result {
    let complaints = page.complaints()?;
    let unexpected: Vec<_> =
        complaints.iter().filter(|said| !said.contains("Failed to load resource")).collect();
    assert_eq!(unexpected, [""; 0]);
    Ok(())
}

/// Chooses a model in one of the two lists.
pub(super) fn select(page: &mut Page, list: &str, model: &str) -> Result {
    page.evaluate(&format!(
        "{{ const list = document.getElementById('{list}'); list.value = '{model}'; \
         list.dispatchEvent(new Event('change')); }} document.getElementById('{list}').value"
    ))
    .map(|now| assert_eq!(now, json!(model)))
}
