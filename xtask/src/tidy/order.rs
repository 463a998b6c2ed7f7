//! One order of rooms: each imports only from those that its row names, all of which come before.

use std::collections::BTreeSet;

use super::fault::Fault;
use super::source::Crate;

/// A room, which is a folder or file in a crate's `src`, and the rooms that it may import from.
type Row = (&'static str, &'static [&'static str]);

/// The rooms of `crates/core`, in order. A room that is still to come has its row already.
const CORE: [Row; 21] = [
    ("error", &[]),
    ("random", &[]),
    ("files", &["error"]),
    ("libtorch", &["error"]),
    ("distributed", &["error", "libtorch"]),
    ("onnx", &["error"]),
    ("task", &["error"]),
    ("weights", &["error", "files", "libtorch"]),
    ("nn", &["error", "random", "libtorch", "distributed", "onnx", "weights"]),
    ("data", &["error", "files", "random", "task"]),
    ("spec", &["error", "files", "weights", "task", "nn"]),
    ("family", &["error", "files", "weights", "task", "nn", "spec"]),
    ("units", &["error", "nn", "data"]),
    (
        "modality",
        &["error", "files", "random", "weights", "task", "nn", "data", "spec", "family", "units"],
    ),
    (
        "model",
        &["error", "random", "libtorch", "weights", "task", "nn", "spec", "family", "modality"],
    ),
    (
        "loader",
        &["error", "random", "files", "libtorch", "distributed", "task", "nn", "data", "modality"],
    ),
    ("run", &["error", "files", "libtorch", "weights", "spec", "modality", "model"]),
    (
        "predict",
        &[
            "error",
            "random",
            "distributed",
            "weights",
            "task",
            "nn",
            "data",
            "spec",
            "units",
            "modality",
            "model",
            "loader",
        ],
    ),
    (
        "export",
        &["error", "files", "onnx", "weights", "task", "nn", "spec", "family", "modality", "model"],
    ),
    (
        "train",
        &[
            "error",
            "files",
            "random",
            "libtorch",
            "distributed",
            "weights",
            "task",
            "nn",
            "modality",
            "model",
            "loader",
            "predict",
        ],
    ),
    (
        "transfer",
        &[
            "error", "random", "weights", "nn", "spec", "family", "modality", "model", "loader",
            "train",
        ],
    ),
];

/// The rooms of `crates/cli`, in order.
const CLI: [Row; 6] = [
    ("process", &[]),
    ("output", &["process"]),
    ("args", &["process"]),
    ("setup", &["process", "output", "args"]),
    ("commands", &["process", "output", "args", "setup"]),
    ("cli", &["process", "output", "args", "setup", "commands"]),
];

/// The folder whose rooms, one for each command, know nothing of each other.
const COMMANDS: &str = "commands";

/// Every import against the order.
pub(super) fn faults(krate: &Crate) -> Vec<Fault> {
    match krate.folder.as_str() {
        "crates/core" => against(&CORE, krate),
        "crates/cli" => {
            let mut faults = against(&CLI, krate);
            faults.extend(between_commands(krate));
            faults
        }
        _ => vec![],
    }
}

/// Every import of a crate against its table.
fn against(rooms: &[Row], krate: &Crate) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut strange = BTreeSet::new();
    for file in &krate.files {
        let room = &file.module[0];
        let Some((_, may)) = rooms.iter().find(|(name, _)| name == room) else {
            if strange.insert(room) {
                let what =
                    format!("`{room}` is no room of {}: see the order in tidy", krate.folder);
                faults.push(Fault::new(&file.name, 1, what));
            }
            continue;
        };
        for import in &file.imports {
            let place = krate.place(file, import);
            let Some(other) = place.as_ref().and_then(|place| place.module.first()) else {
                continue;
            };
            if other != room && !may.contains(&other.as_str()) {
                let what = format!("`{room}` must not import from `{other}`: it may from {may:?}");
                faults.push(Fault::new(&file.name, import.line, what));
            }
        }
    }
    faults
}

/// The imports of a command from another.
fn between_commands(krate: &Crate) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in &krate.files {
        let [room, ours, ..] = &file.module[..] else { continue };
        for import in file.imports.iter().filter(|_| room == COMMANDS) {
            let place = krate.place(file, import);
            if let Some([other, theirs, ..]) = place.as_ref().map(|place| &place.module[..])
                && other == COMMANDS
                && theirs != ours
            {
                let what = format!(
                    "the command `{ours}` must not import from the command `{theirs}`: what both \
                     need belongs in `args`, `setup` or `output`"
                );
                faults.push(Fault::new(&file.name, import.line, what));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with the texts of a crate.
    fn lines(folder: &str, sources: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> =
            sources.iter().map(|(name, text)| (format!("{folder}/src/{name}"), *text)).collect();
        let krate = Crate::new(folder, sources.iter().map(|(name, text)| (name.as_str(), *text)));
        faults(&krate).iter().map(Fault::to_string).collect()
    }

    #[test]
    fn a_row_names_only_rooms_before_its_own() {
        for table in [&CORE[..], &CLI] {
            for (at, (room, may)) in table.iter().enumerate() {
                let before: Vec<_> = table[..at].iter().map(|(name, _)| name).collect();
                for name in *may {
                    assert!(before.contains(&name), "{room}: {name}");
                }
            }
        }
    }

    #[test]
    fn core_is_in_one_order() {
        let rooms =
            [("error.rs", ""), ("nn/mod.rs", ""), ("train/fit.rs", ""), ("model/mod.rs", "")];
        let of = |name, text| lines("crates/core", &[&rooms[..], &[(name, text)]].concat());
        assert!(of("train/a.rs", "use crate::{error::Error,\n nn::{self, Head}};").is_empty());
        assert!(of("nn/a.rs", "#[cfg(test)] mod b { use crate::train::C; }").is_empty());
        assert!(of("nn/tests.rs", "use crate::train::fit;").is_empty());
        assert!(
            of("nn/a.rs", "/// crate::train::fit\n#[cfg(doc)]\nuse crate::train::D;").is_empty()
        );

        let wrong = of("nn/a.rs", "use crate::{error::Error,\n train::fit};");
        assert!(
            wrong[0].starts_with("crates/core/src/nn/a.rs:2: `nn` must not import from `train`")
        );
        assert_eq!(wrong.len(), 1);
        assert_eq!(of("model/a.rs", "fn b() { crate::train::fit::c() }").len(), 1);
        assert_eq!(of("nn/a.rs", "use super::super::train::fit;").len(), 1);
        assert_eq!(
            of("shed.rs", "")[0],
            "crates/core/src/shed.rs:1: `shed` is no room of crates/core: see the order in tidy"
        );
    }

    #[test]
    fn commands_lean_on_what_is_below_and_not_on_each_other() {
        let rooms = [
            ("args/data.rs", ""),
            ("output/print.rs", ""),
            ("setup/open.rs", ""),
            ("commands/mod.rs", ""),
            ("commands/evaluate.rs", ""),
            ("commands/train/args.rs", ""),
        ];
        let of = |name, text| lines("crates/cli", &[&rooms[..], &[(name, text)]].concat());
        assert!(
            of("commands/train/train.rs", "use crate::setup::open::a; use super::args::B;")
                .is_empty()
        );
        assert!(of("cli.rs", "use crate::commands::train::args::A;").is_empty());

        assert_eq!(of("args/a.rs", "use crate::output::print::say;").len(), 1);
        assert_eq!(of("output/a.rs", "use crate::args::data::B;").len(), 1);
        assert_eq!(of("setup/a.rs", "use crate::commands::evaluate::b;").len(), 1);
        let wrong = of("commands/predict.rs", "use super::evaluate::print;");
        assert!(
            wrong[0].contains("the command `predict` must not import from the command `evaluate`")
        );
        assert_eq!(of("commands/predict.rs", "use crate::commands::train::args::A;").len(), 1);
    }
}
