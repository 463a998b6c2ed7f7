//! A hub that wants the token, the disk, the terminal or all the time there is.

use std::time::{Duration, Instant};

use crosstune_core::error::is_hidden;

use super::fixture::{Hub, MODEL, WEIGHTS, of_weights, says_all};
use super::server::{Slow, State};

#[test]
fn the_token_stays_with_the_port() {
    let hub = Hub::new();
    let other = hub.other_port();
    hub.server.set(|hub| hub.moved = Some(other.endpoint.clone()));
    hub.inspect_with(MODEL, &[("HF_TOKEN", "hf_secret")]).ok();
    let (asked, followed) = (hub.server.requests(), other.requests());
    let told = |request: &String| request.to_lowercase().contains("authorization");
    // The list, and of each file what it is and its bytes.
    assert_eq!((asked.len(), followed.len()), (7, 8), "{asked:?} {followed:?}");
    assert!(asked.iter().all(told), "{asked:?}");
    assert!(!followed.iter().any(told), "{followed:?}");

    let hub = Hub::new();
    hub.server.set(|state| state.moved = Some(hub.server.endpoint.clone()));
    says_all(&hub.fails(MODEL, 1, &[]), &["it points elsewhere again and again"]);
}

#[test]
fn a_byte_now_and_then_holds_nothing_for_ever() {
    let patience = &[("HF_HUB_DOWNLOAD_TIMEOUT", "1")];
    let ends = |set: &dyn Fn(&mut State), said: &[&str]| {
        let hub = Hub::new();
        hub.server.set(|hub| {
            hub.trickle = Duration::from_millis(200);
            set(hub);
        });
        let begun = Instant::now();
        says_all(&hub.fails(MODEL, 1, patience), said);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        hub
    };
    ends(&|hub| hub.slow = Slow::Answers, &["cannot reach", "timeout"]);
    let slow = [WEIGHTS, "comes at less than 1024 bytes a second", "go on from there"];
    let hub = ends(&|hub| hub.slow = Slow::Bodies, &slow);
    assert!(hub.part().metadata().unwrap().len() > 5, "what came is kept");
    // A byte a connection.
    ends(&|hub| hub.cuts = vec![1; 1000], &slow);

    let hub = Hub::new();
    for wrong in ["0", "-1", "soon", "1000000"] {
        let message = hub.fails(MODEL, 2, &[("HF_HUB_DOWNLOAD_TIMEOUT", wrong)]);
        says_all(&message, &["HF_HUB_DOWNLOAD_TIMEOUT: ", wrong, "seconds from 1 to 3600"]);
    }
}

#[test]
fn what_the_disk_has_no_room_for_is_not_fetched() {
    let hub = Hub::new();
    hub.set_weights(|file| file.announced = Some(1_000_000_000_000_000));
    let message = hub.fails(MODEL, 1, &[]);
    says_all(&message, &[MODEL, WEIGHTS, "needs 909.5 TiB, but ", "free; make room there"]);
    assert_eq!(of_weights(&hub.server.requests()).len(), 0);
    assert!(!hub.blob().exists() && !hub.snapshot(WEIGHTS).exists());
}

#[test]
fn what_a_hub_says_is_shown_escaped() {
    let hub = Hub::new();
    hub.server.set(|hub| {
        let file = hub.files["README.md"].clone();
        // In JSON, as a hub writes it.
        hub.files.insert("a\\u001b[2J\\u009b\\u202e.bin".into(), file);
    });
    let message = hub.fails("hf://org/tiny-bert/other.bin", 1, &[]);
    says_all(&message, &["it has a\\x1b[2J\\u{9b}\\u{202e}.bin, model.safetensors"]);
    let refusal = ("418 I'm a teapot", "X-Error-Message: no \u{9b}31m\tcoffee\r\n".into());
    hub.server.set(|hub| hub.refusal = Some(refusal));
    assert!(!hub.fails(MODEL, 1, &[]).contains(is_hidden));
}
