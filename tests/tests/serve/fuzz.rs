//! Whatever comes: no 500, no crash, and an answer, or a refusal in the form that all have.

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use super::server::{Server, run};
use crate::support::words;

const CASES: u32 = 1000;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let member = prop_oneof![Just("inputs".to_string()), Just("top".into()), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(member, inner, 0..4)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let good = json!({"inputs": ["seven of nine", "one"], "top": 2}).to_string().into_bytes();
    let damaged = (any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>())
        .prop_map(move |(at, byte, end)| {
            let mut body = good.clone();
            let at = at.index(body.len());
            body[at] = byte;
            body.truncate(1 + end.index(body.len()));
            body
        });
    let form = (any::<Vec<u8>>(), "[ -~]{0,40}", any::<bool>()).prop_map(|(bytes, name, ends)| {
        let head = format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), &bytes, if ends { b"\r\n--b--\r\n" } else { b"\r\n--b" }].concat()
    });
    prop_oneof![
        any::<Vec<u8>>(),
        any_json().prop_map(|value| value.to_string().into_bytes()),
        any_json().prop_map(|value| json!({"inputs": value}).to_string().into_bytes()),
        damaged,
        form,
        any::<String>().prop_map(String::into_bytes),
    ]
}

fn media() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "application/json",
        "text/plain",
        "application/octet-stream",
        "multipart/form-data; boundary=b",
        "multipart/form-data; boundary=",
        "image/png",
        "audio/*",
        "",
    ]);
    prop_oneof![9 => known.prop_map(String::from), 1 => "[ -~]{0,30}"]
}

#[test]
fn bodies_of_all_kinds() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    for (modality, model) in [("text", "text"), ("image", "image"), ("audio", "audio")] {
        let server = Server::start(modality, &words![run(modality)]);
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config.clone(), rng);
        let counts = std::cell::RefCell::new(std::collections::BTreeMap::<u16, usize>::new());
        let checked = runner.run(&(body(), media()), |(body, media)| {
            let answer = server.connect().predict(model, &media, &body);
            *counts.borrow_mut().entry(answer.status).or_default() += 1;
            match answer.status {
                200 => prop_assert!(!answer.predictions().is_empty()),
                status => {
                    prop_assert!([400, 413, 415, 422].contains(&status), "{}", answer.text());
                    answer.refused(status);
                }
            }
            Ok(())
        });
        if let Err(error) = checked {
            panic!("{modality}: {error}\n{}", server.said());
        }
        let counts = counts.into_inner();
        assert!(counts.len() >= 3, "the cases reach little: {counts:?}");
        assert_eq!(server.connect().get("/health").status, 200);
    }
}
