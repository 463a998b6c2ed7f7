//! Files that ask for more than there is, or that are none: one line, at once, whatever they name.
#![cfg(target_os = "linux")]

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::support::{command, crosstune, ran, root, tiny_bert, training, words};

/// A copy of the small model with a tokenizer, in a folder of its own.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(tiny_bert().join(file), folder.path().join(file)).unwrap();
    }
    folder
}

/// The one line that a command says which fails, soon and with little memory.
fn fails(mut command: Command, said: &[&str]) {
    let begun = Instant::now();
    let ran = ran(&mut command);
    let code = ran.code;
    assert!([1, 2].contains(&code), "{code}: {}", ran.stderr);
    let message = ran.error(code);
    assert_eq!(message.lines().count(), 1, "{message}");
    for part in said {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
    assert!(!message.contains("should not have happened"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{message}");
}

fn text(words: &[OsString]) -> Command {
    let mut command = command("text");
    command.args(words);
    command
}

fn train(weights: &Path, more: &[&str]) -> Command {
    let out = tempfile::tempdir().unwrap().path().join("run");
    training(weights, "text", &out, &[&["--max-steps", "1"], more].concat())
}

fn pipe(path: PathBuf) -> PathBuf {
    let _ = fs::remove_file(&path);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn pipes_and_links_that_lead_nowhere_are_named() {
    for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        let folder = copy();
        // What would be taken in its place.
        fs::copy(folder.path().join("model.safetensors"), folder.path().join("other.bin")).unwrap();
        let path = pipe(folder.path().join(file));
        fails(train(folder.path(), &[]), &[file, "is a pipe or a device, expected a file"]);
        fs::remove_file(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        fails(train(folder.path(), &[]), &[file, "is a link to nowhere, which is not there"]);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fails(train(folder.path(), &[]), &[file, "is a folder, expected a file"]);
    }
    let folder = copy();
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    fs::write(folder.path().join("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n").unwrap();
    for file in
        ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt"]
    {
        let kept = fs::read(folder.path().join(file)).ok();
        let path = pipe(folder.path().join(file));
        fails(train(folder.path(), &[]), &[file, "is a pipe or a device"]);
        fs::remove_file(&path).unwrap();
        if let Some(kept) = kept {
            fs::write(&path, kept).unwrap();
        }
    }
    let plan = pipe(folder.path().join("plan.toml"));
    let plan = plan.to_str().unwrap();
    fails(train(&tiny_bert(), &["--require-plan", plan]), &["plan.toml", "is a pipe"]);

    // A run folder.
    let run = folder.path().join("run");
    let mut trained = training(&tiny_bert(), "text", &run, &["--max-steps", "1"]);
    ran(&mut trained).ok();
    let texts = folder.path().join("texts.txt");
    fs::write(&texts, "the cat").unwrap();
    for file in ["spec.json", "preprocessing.json", "tokenizer.json", "model.safetensors"] {
        let kept = run.join(file).exists().then(|| fs::read(run.join(file)).unwrap());
        let Some(kept) = kept else { continue };
        let path = pipe(run.join(file));
        fails(text(&words!["predict", run, texts]), &[file, "is a pipe or a device"]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, kept).unwrap();
    }
    crosstune("text", &words!["predict", run, texts]).ok();
}

#[test]
fn files_of_any_size_are_refused_unread() {
    for (file, said) in
        [("config.json", "is larger than 16.0 MiB"), ("tokenizer.json", "is larger than 64.0 MiB")]
    {
        let folder = copy();
        // Sparse: it takes no room on the disk.
        let large = fs::File::options().write(true).open(folder.path().join(file)).unwrap();
        large.set_len(1 << 40).unwrap();
        fails(train(folder.path(), &[]), &[file, said]);
    }
    let folder = copy();
    let index = folder.path().join("model.safetensors.index.json");
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    fs::write(&index, "{").unwrap();
    fs::File::options().write(true).open(&index).unwrap().set_len(1 << 40).unwrap();
    fails(train(folder.path(), &[]), &["model.safetensors.index.json"]);
}

#[test]
fn a_tokenizer_that_grows_without_end_is_refused() {
    let published = fs::read_to_string(tiny_bert().join("tokenizer.json")).unwrap();
    let published: serde_json::Value = serde_json::from_str(&published).unwrap();
    let double = serde_json::json!(
        {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    );
    for (steps, said) in [(vec![double.clone(); 40], "times as long"), (vec![double; 100], "steps")]
    {
        let folder = copy();
        let mut tokenizer = published.clone();
        tokenizer["normalizer"] = serde_json::json!({"type": "Sequence", "normalizers": steps});
        fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
        fails(train(folder.path(), &[]), &["tokenizer.json", said]);
    }
}

#[test]
fn models_that_no_memory_holds_are_refused() {
    let config = fs::read_to_string(tiny_bert().join("config.json")).unwrap();
    let published: serde_json::Value = serde_json::from_str(&config).unwrap();
    for (field, value) in [
        ("num_hidden_layers", 1_000_000_000_i64),
        ("num_hidden_layers", i64::MAX),
        ("hidden_size", 1 << 40),
        ("hidden_size", i64::MAX / 32 * 32),
        ("intermediate_size", i64::MAX),
        ("vocab_size", 1 << 50),
        ("max_position_embeddings", 1 << 50),
        ("type_vocab_size", i64::MAX),
    ] {
        let folder = copy();
        let mut config = published.clone();
        config[field] = value.into();
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        for init in [&[][..], &["--init", "random"]] {
            fails(train(folder.path(), init), &[]);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let design = folder.path().join("design.json");
    for (width, depth) in [(64, 1_000_000_000_u64), (1 << 30, 2), (64, u64::MAX), (u64::MAX, 1)] {
        let of = serde_json::json!({"trunk": {"transformer": {"width": width, "depth": depth}}});
        fs::write(&design, of.to_string()).unwrap();
        fails(train(&design, &["--recipe", "scratch"]), &[]);
    }
    for stage in [
        serde_json::json!({"blocks": 1_000_000_000, "width": 64, "stride": 1}),
        serde_json::json!({"blocks": u64::MAX, "width": 64, "stride": 1}),
        serde_json::json!({"blocks": 1, "width": i64::MAX, "stride": 1}),
    ] {
        let of = serde_json::json!({"trunk": {"resnet": {"in_channels": 16, "stages": [stage]}}});
        fs::write(&design, of.to_string()).unwrap();
        let data = root().join("crates/image/samples/digits");
        let mut command = command("image");
        command.args(words!["train", "--weights", design, "--data", data]);
        command.args(["--recipe", "scratch", "--out"]).arg(folder.path().join("run"));
        fails(command, &[]);
    }
    for rank in ["1000000000", "9223372036854775807"] {
        fails(
            train(&tiny_bert(), &["--recipe", "lora", "--lora-rank", rank]),
            &["--lora-rank: ", "adds nothing"],
        );
    }
}

/// With `ulimit -v`, so that it is met on any machine.
#[test]
fn running_out_of_memory_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let design = folder.path().join("design.json");
    let of = serde_json::json!({"trunk": {"transformer": {"width": 512, "depth": 2}}});
    fs::write(&design, of.to_string()).unwrap();
    let texts: String = (0..64).map(|i| format!("{}\t{}\n", "word ".repeat(99), i % 2)).collect();
    let table = folder.path().join("t.tsv");
    fs::write(&table, format!("text\tlabel\n{texts}")).unwrap();
    let mut train = command("text");
    train.args(words!["train", "--weights", design, "--data", table]);
    train.args(["--recipe", "scratch", "--units", "characters", "--batch-size", "64", "--out"]);
    train.arg(folder.path().join("run"));
    let words: Vec<_> = [train.get_program()].into_iter().chain(train.get_args()).collect();
    // Before the model is built, while it is, and in the first step.
    for most in [450_000, 500_000, 600_000, 800_000] {
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -v {most}; exec \"$@\""), "sh"]).args(&words);
        limited.env("OMP_NUM_THREADS", "1").env_remove("RUST_BACKTRACE");
        let ran = ran(&mut limited);
        // So little does not even hold this libtorch, or what it makes before `main`.
        if ran.code == 127 || !ran.stderr.starts_with("source ") {
            continue;
        }
        let message = ran.error(1);
        assert_eq!(message.lines().count(), 1, "{message}");
        let said = ["out of memory", "of memory, but"];
        assert!(said.iter().any(|said| message.contains(said)), "{message}");
    }
}
