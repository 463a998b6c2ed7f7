//! The page at `/`, in a headless Chromium: a real file, microphone and sentence, and what it shows is what
//! the server answers. Pictures of it lie in the target folder, in `tmp`, to be looked at.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crosstune_browser::{Page, Result, find};
use crosstune_core::Input;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::opened::{LISTEN, agrees, answered, audit, content, opened, select, shown};
use super::server::{Server, files, predicted, run, same};
use crate::support::{crosstune, root, tiny_bert, tones, train, words};

/// `NAME=MODEL`, as `serve` takes it.
fn named(name: &str, model: &Path) -> String {
    format!("{name}={}", model.display())
}

fn fixture(path: &str) -> PathBuf {
    root().join("crates").join(path)
}

#[test]
fn pictures_have_classes_of_two_models() -> Result {
    let (run, folder) = (run("image"), tempfile::tempdir()?);
    let other = folder.path().join("other");
    train("image", &other, &["--epochs", "1", "--limit-per-class", "4", "--seed", "7"]).ok();
    let server = Server::start("image", &words![named("digits", &run), named("other", &other)]);
    let Some(mut page) = opened(&server, &[])? else { return Ok(()) };

    let pictures = files("image", 2);
    let broken = folder.path().join("<img src=x onerror=window.caught=1>.png");
    fs::write(&broken, "no picture")?;
    page.choose("#file", &[&pictures[0], &pictures[1], &broken])?;
    let entries = shown(&mut page, 3)?;
    let (said, wanted) = (answered(&mut page, "digits")?, predicted("image", &run, &pictures));
    assert_eq!(said.len(), 3);
    for (at, picture) in pictures.iter().enumerate() {
        let name = picture.file_name().unwrap().to_string_lossy();
        assert_eq!(entries[at]["name"], json!(name), "in their order");
        let answer = &entries[at]["answers"][0];
        let said = said.iter().find(|said| {
            said["predictions"][0]["labels"] == answer["labels"] && answer["labels"].is_array()
        });
        agrees(answer, said.ok_or("no such answer was given")?);
        // `predict` tells three classes, and the page five.
        let first = json!(answer["labels"].as_array().ok_or("no labels")?[..3]);
        assert!(same(&wanted[at]["labels"], &first), "{first}, not {}", wanted[at]);
    }
    assert_eq!(entries[2]["name"], json!("<img src=x onerror=window.caught=1>.png"));
    let error = said.iter().find(|said| said["error"].is_object()).ok_or("it was no picture")?;
    agrees(&entries[2]["answers"][0], error);
    assert!(!error["error"]["message"].as_str().unwrap().contains('\n'), "{error}");
    let drawn = "[...document.querySelectorAll('canvas.picture')].map(c => \
         new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 2)";
    assert_eq!(page.evaluate(drawn)?, json!([true, true]), "the pictures are seen");
    audit(&mut page, "pictures")?;

    select(&mut page, "second", "other")?;
    let entries = shown(&mut page, 6)?;
    for (model, column) in [("digits", 0), ("other", 1)] {
        let said = answered(&mut page, model)?;
        for entry in 0..2 {
            let answer = &entries[entry]["answers"][column];
            assert_eq!(answer["model"], model);
            let said =
                said.iter().find(|said| said["predictions"][0]["labels"] == answer["labels"]);
            agrees(answer, said.ok_or("no such answer was given")?);
        }
    }
    let top = |column: usize| entries[0]["answers"][column]["labels"][0]["label"].clone();
    let verdict = if top(0) == top(1) { "The same answer" } else { "Different answers" };
    assert_eq!(entries[0]["verdict"], verdict);
    audit(&mut page, "compared")?;
    assert_eq!(page.evaluate("typeof window.caught")?, json!("undefined"));
    content(&mut page)
}

/// How much of a WAV file's power, after its first tenth, is a tone of this frequency; and its seconds.
fn tone_of(wav: &[u8], frequency: f64) -> (f64, f64) {
    assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
    assert_eq!(wav[20..24], [1, 0, 1, 0], "PCM, one channel");
    let rate = f64::from(u32::from_le_bytes(wav[24..28].try_into().unwrap()));
    let whole =
        wav[44..].chunks_exact(2).map(|two| f64::from(i16::from_le_bytes([two[0], two[1]])));
    let whole: Vec<_> = whole.collect();
    let part = &whole[whole.len() / 10..];
    let (mut cos, mut sin, mut power) = (0., 0., 0.);
    for (at, value) in part.iter().enumerate() {
        let angle = std::f64::consts::TAU * frequency * at as f64 / rate;
        cos += value * angle.cos();
        sin += value * angle.sin();
        power += value * value;
    }
    let of_tone = (cos * cos + sin * sin) * 2. / part.len() as f64;
    (of_tone / power.max(1.), whole.len() as f64 / rate)
}

#[test]
fn a_microphone_is_heard_and_words_are_played() -> Result {
    let (run, heard) = (run("audio"), fixture("audio/tests/fixtures/tiny-wav2vec2-ctc"));
    let models = words![named("digits", &run), named("speech", &heard)];
    let server = Server::start("audio", &models);
    let folder = tempfile::tempdir()?;
    // What the microphone hears: 700 Hz.
    let sung = folder.path().join("sung.wav");
    let Input::Bytes { bytes, .. } = tones("aaaa", 16_000) else { panic!("a recording") };
    fs::write(&sung, &bytes)?;
    let microphone = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        &format!("--use-file-for-fake-audio-capture={}", sung.display()),
    ];
    let Some(mut page) = opened(&server, &microphone)? else { return Ok(()) };

    page.evaluate("document.querySelector('#record').click()")?;
    page.until("parseFloat(document.querySelector('#seconds').textContent) > 1.2")?;
    page.evaluate("document.querySelector('#record').click()")?;
    let entries = shown(&mut page, 1)?;
    agrees(&entries[0]["answers"][0], &answered(&mut page, "digits")?[0]);
    let sent = page.evaluate("asked[0].body.arrayBuffer().then(b => [...new Uint8Array(b)])")?;
    let sent: Vec<u8> = serde_json::from_value(sent)?;
    let (share, seconds) = tone_of(&sent, 700.);
    assert!(share > 0.9 && (1. ..10.).contains(&seconds), "{share} of {seconds} seconds");
    let (other, _) = tone_of(&sent, 1100.);
    assert!(other < 0.05, "{other} is at another frequency");
    // What was sent is a file that `predict` answers likewise.
    let recording = folder.path().join("recording.wav");
    fs::write(&recording, &sent)?;
    let wanted = &predicted("audio", &run, &[recording])[0];
    let first = json!(entries[0]["answers"][0]["labels"].as_array().ok_or("no labels")?[..3]);
    assert!(same(&wanted["labels"], &first), "{first}, not {wanted}");

    // 700 Hz, as it is drawn: 781 mel of 2840, in 64 bands between 65 corners.
    let drawn = page.evaluate(
        "import('./spectrogram.js').then(({spectrogram}) => { \
           const tone = Float32Array.from({length: 16000}, (_, i) => Math.sin(2 * Math.PI * 700 * i / 16000)); \
           const columns = spectrogram(tone, 16000); \
           return [columns.length, columns[50].length, columns[50].indexOf(Math.max(...columns[50]))]; })",
    )?;
    assert_eq!(drawn, json!([100, 64, 17]));
    let levels = "(c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size)\
         (document.querySelector('.spectrogram'))";
    assert!(page.evaluate(levels)?.as_u64().is_some_and(|levels| levels > 50));

    // A file, and its words.
    select(&mut page, "second", "speech")?;
    // Questions may overtake each other; the file's are then the last.
    shown(&mut page, 2)?;
    let recording = &files("audio", 1)[0];
    page.choose("#file", &[recording])?;
    let entries = shown(&mut page, 4)?;
    let said = answered(&mut page, "speech")?;
    let spoken = said.last().ok_or("nothing was asked")?;
    agrees(&entries[0]["answers"][1], spoken);
    let wanted = &predicted("audio", &heard, std::slice::from_ref(recording))[0];
    assert!(same(&wanted["transcript"]["words"], &entries[0]["answers"][1]["words"]), "{wanted}");
    let first = &spoken["predictions"][0]["transcript"]["words"][0];
    let [start, end] = ["start", "end"].map(|at| first[at].as_f64().unwrap());
    page.evaluate("document.querySelector('.words button').focus()")?;
    let marked = page.evaluate(
        "(r => { const [a, b] = [r, r.parentElement].map(e => e.getBoundingClientRect()); \
           return [(a.left - b.left) / b.width, a.width / b.width]; })(document.querySelector('.region'))",
    )?;
    let whole = page.evaluate(
        "asked.at(-1).body.arrayBuffer().then(b => new OfflineAudioContext(1, 1, 16000).decodeAudioData(b))\
         .then(sound => sound.duration)",
    )?;
    let whole = whole.as_f64().ok_or("no duration")?;
    let near = |at: usize, seconds: f64| {
        let marked = marked[at].as_f64().unwrap() * whole;
        assert!((marked - seconds).abs() < 0.02, "{marked}, not {seconds} of {whole} seconds");
    };
    near(0, start);
    near(1, end - start);
    page.evaluate("document.querySelector('.words button').click()")?;
    page.until("played.length === 1")?;
    let played: Vec<f64> = serde_json::from_value(page.evaluate("played[0]")?)?;
    assert_eq!(played[..2], [0., start]);
    assert!((played[2] - (end - start).max(0.05)).abs() < 1e-6, "{played:?}");
    audit(&mut page, "sounds")?;
    content(&mut page)
}

/// Trains on a table of sentences, a little.
fn taught(folder: &TempDir, name: &str, table: &str, more: &[&str]) -> PathBuf {
    let [data, out] = [format!("{name}.csv"), name.to_string()].map(|n| folder.path().join(n));
    fs::write(&data, table).unwrap();
    let mut line = words!["train", "--weights", tiny_bert(), "--data", data, "--out", out].to_vec();
    line.extend(["--epochs", "1", "--validation", "0"].iter().chain(more).map(Into::into));
    crosstune("text", &line).ok();
    out
}

/// Writes a sentence into a field and asks, by keyboard.
fn ask(page: &mut Page, field: &str, text: &str, tabs: usize) -> Result {
    let field = format!("document.getElementById('{field}')");
    page.evaluate(&format!("{field}.value = ''; {field}.focus()"))?;
    page.write(text)?;
    for _ in 0..tabs {
        page.press("Tab", 9)?;
    }
    if tabs > 0 {
        page.press("Enter", 13)?;
    }
    Ok(())
}

#[test]
fn sentences_have_labels_numbers_and_marked_words() -> Result {
    const HOSTILE: &str = "<img src=x onerror=window.caught=1>";
    let folder = tempfile::tempdir()?;
    let rows = |row: &dyn Fn(usize) -> String| (0..24).map(row).collect::<String>();
    let split = |i: usize| if i.is_multiple_of(4) { "test" } else { "train" };
    let classes = rows(&|i| format!("word {i},{},{}\n", ["good", HOSTILE][i % 2], split(i)));
    let classes = taught(&folder, "classes", &format!("text,label,split\n{classes}"), &[]);
    let several = rows(&|i| format!("word {i},{},{},{}\n", i % 2, i / 2 % 2, split(i)));
    let several = format!("text,odd,high,split\n{several}");
    let asked = ["--task", "multi-label", "--label-column", "odd,high"];
    let several = taught(&folder, "several", &several, &asked);
    let numbers = rows(&|i| format!("word {i},{},{},{}\n", 100 + i, i as f64 / -7., split(i)));
    let numbers = format!("text,Score,away,split\n{numbers}");
    let asked = ["--task", "regression", "--label-column", "Score,away"];
    let numbers = taught(&folder, "numbers", &numbers, &asked);
    let tags = fixture("text/tests/fixtures/tagging/bert-tags");
    let models = [&classes, &several, &numbers, &tags];
    let names = ["classes", "several", "numbers", "tags"];
    let all: Vec<_> =
        names.iter().zip(models).map(|(name, model)| named(name, model).into()).collect();
    let server = Server::start("text", &all);
    let Some(mut page) = opened(&server, &[])? else { return Ok(()) };

    // One in which the tagger finds something, and characters that JavaScript counts as two.
    let expected: Value = serde_json::from_slice(&fs::read(tags.join("expected.json"))?)?;
    let texts = expected["texts"].as_array().ok_or("no texts")?.iter().filter_map(Value::as_str);
    let found = texts.zip(expected["entities"].as_array().ok_or("no entities")?);
    let (text, _) = found
        .filter(|(text, entities)| {
            entities.as_array().is_some_and(|e| !e.is_empty()) && text.is_ascii()
        })
        .max_by_key(|(text, _)| text.len())
        .ok_or("no text has an entity")?;
    let text = &format!("\u{1f600} {text}");
    let input = folder.path().join("input.txt");
    fs::write(&input, format!("{text}\n"))?;
    select(&mut page, "second", "tags")?;
    ask(&mut page, "sentence", text, 1)?;
    let mut answers = 2;
    for (first, model) in names.iter().zip(models) {
        if *first == "tags" {
            select(&mut page, "first", "tags")?;
            answers = 1;
        } else {
            select(&mut page, "first", first)?;
        }
        let entries = shown(&mut page, answers)?;
        let answer = &entries[0]["answers"][0];
        assert_eq!(answer["model"], json!(first));
        let said = answered(&mut page, first)?;
        agrees(answer, said.last().ok_or("nothing was asked")?);
        let wanted = &predicted("text", model, std::slice::from_ref(&input))[0];
        let kind = ["labels", "values"].into_iter().find(|kind| wanted[kind].is_array());
        if let Some(kind) = kind {
            assert!(same(&wanted[kind], &answer[kind]), "{answer}, not {wanted}");
        } else {
            assert_eq!(answer["text"], json!(text), "the text is whole: {answer}");
            let marked = answer["entities"].as_array().ok_or("nothing is marked")?;
            assert_eq!(marked.len(), wanted["entities"].as_array().map_or(0, Vec::len));
        }
        audit(&mut page, &format!("sentence-{first}"))?;
    }
    assert_eq!(page.evaluate("typeof window.caught")?, json!("undefined"));
    content(&mut page)
}

#[test]
fn a_pair_is_asked_where_a_model_takes_pairs() -> Result {
    let folder = tempfile::tempdir()?;
    let row = |i: usize| format!("one {i},two {},{}\n", i % 3, ["no", "yes"][i % 2]);
    let table = format!("a,b,label\n{}", (0..24).map(row).collect::<String>());
    let pairs = taught(&folder, "pairs", &table, &["--input-column", "a", "--pair-column", "b"]);
    let server = Server::start("text", &words![pairs, named("single", &run("text"))]);
    let Some(mut page) = opened(&server, &[])? else { return Ok(()) };
    let others = "[...document.querySelector('#second').options].map(option => option.value)";
    assert_eq!(page.evaluate(others)?, json!([""]), "the other model takes no pairs");
    ask(&mut page, "sentence", "a first one", 0)?;
    ask(&mut page, "partner", "a second one", 1)?;
    let entries = shown(&mut page, 1)?;
    agrees(&entries[0]["answers"][0], &answered(&mut page, "pairs")?[0]);
    let sent = page.evaluate("JSON.parse(asked[0].body).inputs")?;
    assert_eq!(sent, json!([["a first one", "a second one"]]));
    audit(&mut page, "pair")?;
    select(&mut page, "first", "single")?;
    assert_eq!(page.evaluate("document.querySelectorAll('.entry').length")?, json!(0));
    content(&mut page)
}

#[test]
fn a_token_is_asked_for_and_kept_nowhere() -> Result {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    fs::write(&file, "open-sesame\n")?;
    let server = Server::start("text", &words![run("text"), "--token-file", file]);
    let Some(chrome) = find("crosstune-tests") else { return Ok(()) };
    let mut page = Page::launch(&chrome, &[])?;
    page.open(&format!("http://{}/", server.address))?;
    page.until("document.activeElement.id === 'secret'")?;
    audit(&mut page, "token")?;
    for (token, seen) in [("wrong", "fault"), ("open-sesame", "input")] {
        page.write(token)?;
        page.press("Enter", 13)?;
        page.until(&format!("!document.getElementById('{seen}').hidden"))?;
    }
    assert_eq!(page.evaluate("document.querySelector('#token').hidden")?, json!(true));
    assert_eq!(page.evaluate("document.querySelector('#fault').hidden")?, json!(true));
    page.evaluate(LISTEN)?;
    ask(&mut page, "sentence", "one", 1)?;
    let entries = shown(&mut page, 1)?;
    agrees(&entries[0]["answers"][0], &answered(&mut page, "text")?[0]);
    let kept = "[localStorage.length, sessionStorage.length, document.cookie, \
         document.querySelector('#secret').value]";
    assert_eq!(page.evaluate(kept)?, json!([0, 0, "", ""]));
    content(&mut page)
}
