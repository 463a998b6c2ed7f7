//! What is printed of errors is printable, wherever the parts come from.

use std::io;
use std::path::PathBuf;

use proptest::prelude::*;

use super::{BadSample, BoxError, Error, Location, Result, is_hidden, one_line, printable};

#[test]
fn what_steers_or_hides_is_escaped_and_words_are_not() {
    for (text, shown) in [
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\0\x1b[31mred\x7f", "\\x00\\x1b[31mred\\x7f"),
        ("\u{9b}2J\u{85}", "\\u{9b}2J\\u{85}"),
        ("a\u{2028}b\u{2029}c", "a\\u{2028}b\\u{2029}c"),
        ("\u{202e}gpj.exe\u{2066}", "\\u{202e}gpj.exe\\u{2066}"),
        ("ca\u{ad}t\u{200b}\u{feff}\u{e0041}", "ca\\u{ad}t\\u{200b}\\u{feff}\\u{e0041}"),
    ] {
        assert_eq!(printable(text), shown);
    }
    // Persian has a joiner within, the family three, and the sign a selector.
    for text in ["naïve Straße", "مرحبا", "می\u{200c}خواهم", "最後　の", "👩‍👩‍👧", "☎\u{fe0f}", "C:\\n"]
    {
        assert_eq!(printable(text), text);
    }
}

/// Every sort of error, with a text in each part that can come from elsewhere.
fn every(text: &str) -> Vec<Error> {
    let (path, problem) = (|| PathBuf::from(text), || text.to_string());
    let cause = || -> BoxError { text.into() };
    let place = Location { path: path().into(), line: Some(1) };
    let bad = || BadSample { place: place.clone(), cause: cause() };
    let all = vec![
        Error::Io { path: path(), action: "read", source: io::Error::other(text) },
        Error::Path { path: path(), problem: problem() },
        Error::Setting { setting: "--freeze", problem: problem() },
        Error::Malformed { path: path(), problem: problem() },
        Error::Kept { path: path(), problem: problem(), kept: path() },
        Error::Unsaved { path: path(), problem: problem(), tried: problem() },
        Error::Family { path: path(), problem: problem() },
        Error::Missing {
            ours: problem(),
            theirs: problem(),
            key_map: "bert",
            path: path(),
            near: Some(problem()),
        },
        Error::Shape {
            ours: problem(),
            theirs: problem(),
            path: path(),
            want: vec![],
            got: vec![],
        },
        Error::NotWeights { path: path(), name: problem(), found: problem(), then: "train it" },
        Error::NoAnswer { place: place.clone(), found: "NaN" },
        Error::DivergedWeights { name: problem(), found: problem(), lr: 1. },
        Error::Unmapped { ours: problem(), key_map: "bert" },
        Error::NotRepresentable { ours: problem(), key_map: "bert" },
        Error::Duplicate(problem()),
        Error::FeatureShape { emits: problem(), accepts: problem() },
        Error::Data { path: path(), problem: problem() },
        Error::DataList { path: path(), problem: problem(), items: vec![problem(), problem()] },
        Error::BadSamples(vec![bad(), bad()]),
        Error::Diverged { step: 1, loss: 1., lr: 1. },
        Error::Interrupted { checkpoint: path() },
        Error::FrozenChanged,
        Error::PeerLost { problem: problem() },
        Error::Distributed { problem: problem() },
        Error::Hub { reference: problem(), problem: problem(), source: Some(cause()) },
        Error::Modality { context: problem(), source: cause() },
        Error::Memory { what: problem(), needed: "2 MiB".into(), left: "1 MiB".into() },
        Error::Torch(tch::TchError::Torch(problem())),
    ];
    // A new sort of error belongs above, too: the compiler asks for it here.
    for error in &all {
        match error {
            Error::Io { .. }
            | Error::Path { .. }
            | Error::Setting { .. }
            | Error::Malformed { .. }
            | Error::Kept { .. }
            | Error::Unsaved { .. }
            | Error::Family { .. }
            | Error::Missing { .. }
            | Error::Shape { .. }
            | Error::NotWeights { .. }
            | Error::NoAnswer { .. }
            | Error::DivergedWeights { .. }
            | Error::Unmapped { .. }
            | Error::NotRepresentable { .. }
            | Error::Duplicate(_)
            | Error::FeatureShape { .. }
            | Error::Data { .. }
            | Error::DataList { .. }
            | Error::BadSamples(_)
            | Error::Diverged { .. }
            | Error::Interrupted { .. }
            | Error::FrozenChanged
            | Error::PeerLost { .. }
            | Error::Distributed { .. }
            | Error::Hub { .. }
            | Error::Modality { .. }
            | Error::Memory { .. }
            | Error::Torch(_) => {}
        }
    }
    all
}

proptest! {
    /// Text of any characters, those that are escaped more often than chance would have them.
    #[test]
    fn no_error_has_a_hidden_character(text in "(\\PC|[\\x00-\\x1f\\x7f-\\u{9f}\\u{2028}-\\u{202e}]|\n  )*") {
        for error in every(&text) {
            // Lists have lines, as many as there are items.
            let lines = match error {
                Error::DataList { .. } | Error::BadSamples(_) => 3,
                _ => 1,
            };
            let said = error.to_string();
            prop_assert_eq!(said.split('\n').count(), lines, "{:?}", said);
            prop_assert!(!said.replace('\n', "").contains(is_hidden), "{:?}", said);
            prop_assert!(!one_line(&error).contains(is_hidden), "{:?}", one_line(&error));
        }
    }

    #[test]
    fn what_is_printable_stays(text in any::<String>()) {
        let once = printable(&text).into_owned();
        prop_assert!(!once.contains(is_hidden));
        prop_assert_eq!(printable(&once), once.as_str());
        prop_assert_eq!(once == text, !text.contains(is_hidden));
    }
}

#[test]
fn an_error_from_cpp_has_no_trace() -> Result<(), BoxError> {
    let text =
        "shape '[2]' is invalid\nException raised from view (most recent call first):\nframe #0";
    let error = Error::Torch(tch::TchError::Torch(text.into()));
    assert!(one_line(&error).ends_with("shape '[2]' is invalid"), "{}", one_line(&error));
    Ok(())
}

#[test]
fn running_out_of_memory_is_a_line_of_its_own() {
    let cpu = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate \
               memory: you tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate \
               memory)\nframe #0: c10::ThrowEnforceNotMet";
    let line = one_line(&Error::Torch(tch::TchError::Torch(cpu.into())));
    assert!(line.starts_with("libtorch: out of memory (4000000000000 bytes more were"), "{line}");
    let cuda =
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 1 GiB";
    assert!(super::out_of_memory(cuda).is_some_and(|said| said.contains("(20.00 GiB more were")));
    assert_eq!(super::out_of_memory("shape '[2]' is invalid"), None);
}
