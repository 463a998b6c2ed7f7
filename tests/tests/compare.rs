//! `compare`, `train --plan` and `--require-plan`, as a person uses them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::{command, ran, root, tiny_bert, train, words};

fn report(modality: &str, out: &Path, more: &[&str]) -> (Value, String) {
    let mut command = command(modality);
    let data = root().join("crates").join(modality).join("samples/digits");
    command.args(words!["compare", "--weights", tiny_bert(), "--data", data, "--out", out]);
    let ran = ran(command.args(more));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let json = fs::read(out.join("report.json")).unwrap();
    (serde_json::from_slice(&json).unwrap(), ran.stderr)
}

#[test]
fn a_transfer_is_compared_with_its_controls() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    let args = ["--per-class", "3:2,6:3", "--seeds", "2", "--rates", "1e-3,1e-2", "--errors", "4"];
    let controls = ["--controls", "scratch,random-frozen,shuffled", "--recipe", "fpt"];
    let label = ["--label-pattern", r"^(?<label>\d)_"];
    let products = ["--matmul-precision", "medium"];
    let (report, said) = report("audio", &out, &[&args[..], &controls, &label, &products].concat());
    let one = &report["comparisons"][0];
    assert!(one["machine"].as_str().unwrap().ends_with("matrix products in bf16"));
    assert_eq!(one["freeze"], "trunk-but-norms");
    let sizes: Vec<_> = one["budgets"].as_array().unwrap().iter().map(|b| &b["size"]).collect();
    assert_eq!(sizes, [30, 60]);
    let arms = one["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 4);
    for arm in arms {
        let (trials, runs) = (arm["trials"].as_array().unwrap(), arm["runs"].as_array().unwrap());
        assert_eq!((trials.len(), runs.len()), (4, 4), "rates and seeds, at two sizes");
        for run in runs {
            let of_size = trials.iter().filter(|t| t["size"] == run["size"]);
            let held = |t: &&Value| t["held-out"].as_f64().unwrap();
            let most = of_size.clone().map(|t| held(&t)).fold(0., f64::max);
            let chosen = of_size.into_iter().find(|t| t["lr"] == run["lr"]).unwrap();
            assert_eq!(held(&chosen), most, "the best rate was taken");
        }
    }
    let kind = |kind: &str| arms.iter().find(|arm| arm["kind"] == kind).unwrap();
    assert_eq!(kind("scratch")["runs"][0]["frozen"], 0);
    let frozen = &kind("transfer")["runs"][0]["frozen"];
    assert!(frozen.as_u64().unwrap() > 0);
    assert_eq!(&kind("shuffled")["runs"][0]["frozen"], frozen);
    // A recording is shown and can be played.
    let shown = one["error-examples"].as_array().unwrap();
    assert!(!shown.is_empty() && shown.len() <= 4);
    assert!(shown[0]["media"]["sound"]["wav"].as_str().unwrap().starts_with("UklGR"), "RIFF");
    assert!(out.join("report.html").is_file() && out.join("report.md").is_file());
    assert!(said.contains("transfer less scratch"), "{said}");
}

#[test]
fn what_cannot_be_compared_is_said_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let said = |more: &[&str]| {
        let mut command = command("text");
        let data = root().join("crates/text/samples/digits");
        let out = folder.path().join("out");
        command.args(words!["compare", "--weights", tiny_bert(), "--data", data, "--out", out]);
        let ran = ran(command.args(more));
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        ran.stderr
    };
    assert!(said(&["--per-class", "4,3"]).contains("no more than the size before"));
    assert!(said(&["--per-class", "4:0"]).contains("expected a number of samples or all"));
    assert!(said(&["--held-out", "1"]).contains("--held-out: 1: must be above 0 and below 1"));
    assert!(said(&["--rates", "0"]).contains("--rates: 0: must be above 0"));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_plan_is_written_before_a_training_and_kept_to() {
    let folder = tempfile::tempdir().unwrap();
    let (file, run) = (folder.path().join("plan.toml"), folder.path().join("run"));
    let path = file.to_str().unwrap();
    let usual = ["--epochs", "2", "--limit-per-class", "4", "--recipe", "gradual"];
    train("text", &run, &[&usual[..], &["--plan", path]].concat()).ok();
    assert!(!run.exists(), "a plan trains nothing");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("format = 2\n"), "{text}");
    assert!(text.contains("frozen = \"embedder,trunk\""), "{text}");
    assert!(text.contains("seconds_per_step = "), "{text}");
    assert!(text.contains("from = \"fresh\""), "{text}");

    train("text", &run, &[&usual[..], &["--require-plan", path]].concat()).ok();
    let other = ["--epochs", "2", "--limit-per-class", "4", "--recipe", "lp-ft"];
    let no = train("text", &run, &[&other[..], &["--overwrite", "--require-plan", path]].concat());
    assert!(no.error(2).contains("recipe: planned \"gradual\", but now \"lp-ft\""));
    let rate = ["--lr", "0.5", "--overwrite", "--require-plan", path];
    let no = train("text", &run, &[&usual[..], &rate].concat());
    assert!(no.error(2).contains("head.bias: planned Parameter"));
}

#[test]
fn adapters_train_alone_and_are_kept_in_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let args = ["--epochs", "2", "--limit-per-class", "4", "--recipe", "lora", "--lora-rank", "2"];
    train("text", &run, &args).ok();
    let mut evaluate = command("text");
    let data = root().join("crates/text/samples/digits");
    ran(evaluate.args(words!["evaluate", &run, data])).ok();
    let inspect = ran(command("text").args(words!["inspect", &run])).ok();
    assert!(inspect.contains("lora_a"), "{inspect}");
    let no = train("text", &folder.path().join("no"), &["--lora-rank", "2"]);
    assert!(no.error(2).contains("add --recipe lora"));
    let no = train("text", &folder.path().join("no"), &["--recipe", "orca"]);
    assert!(no.error(2).contains("brings its own; take fine-tune"));
}

#[test]
fn orca_aligns_a_fresh_embedder_first() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let args = ["--epochs", "1", "--limit-per-class", "4", "--recipe", "orca"];
    let ran = train("image", &run, &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("distance to the source"), "{}", ran.stderr);
    let result = fs::read(run.join("result.json")).unwrap();
    let result: Value = serde_json::from_slice(&result).unwrap();
    let distance = |when: &str| result["aligned"][when].as_f64().unwrap();
    assert!(distance("after") < distance("before"));
}

fn recordings() -> Vec<PathBuf> {
    let folder = root().join("crates/audio/samples/digits/test");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files
}

/// A table of recordings of the same text, and what else is in it.
fn table(path: &Path, files: &[PathBuf], more: &str) -> PathBuf {
    let rows = files.iter().map(|file| format!("{}\tone two\n", file.display()));
    fs::write(path, format!("path\ttext\n{}{more}", rows.collect::<String>())).unwrap();
    path.into()
}

#[test]
fn texts_are_compared_by_their_errors() {
    let folder = tempfile::tempdir().unwrap();
    let files = recordings();
    let table = |name: &str, files: &[PathBuf]| table(&folder.path().join(name), files, "");
    let (data, test) = (table("train.tsv", &files[..12]), table("test.tsv", &files[12..16]));
    let out = folder.path().join("report");
    let weights = root().join("crates/audio/tests/fixtures/tiny-wav2vec2");
    let words = words!["compare", "--weights", weights, "--data", data, "--out", out];
    let mut command = command("audio");
    command.args(words).args(["--task", "transcribe", "--text-column", "text", "--eval-data"]);
    let more = ["--per-class", "6:1,all:1", "--seeds", "1", "--rates", "1e-3", "--errors", "2"];
    let ran = ran(command.arg(test).args(more));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("held-out WER"), "{}", ran.stderr);
    let report: Value =
        serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    let one = &report["comparisons"][0];
    assert_eq!(one["metric"]["name"], "WER");
    assert_eq!(one["metric"]["lower-is-better"], true);
    let sizes: Vec<_> = one["budgets"].as_array().unwrap().iter().map(|b| &b["size"]).collect();
    assert_eq!(sizes, [6, 12], "samples in all, not of each symbol");
    for run in
        one["arms"].as_array().unwrap().iter().flat_map(|arm| arm["runs"].as_array().unwrap())
    {
        let counts: Vec<[f64; 2]> = serde_json::from_value(run["counts"].clone()).unwrap();
        let [wrong, all] = counts.iter().fold([0.; 2], |sum, c| [sum[0] + c[0], sum[1] + c[1]]);
        assert_eq!((counts.len(), all), (4, 8.));
        assert!((wrong / all - run["value"].as_f64().unwrap()).abs() < 1e-9, "{run}");
    }
    let shown = &one["error-examples"][0];
    assert!(shown["sentence"]["heard"].is_array(), "{shown}");
    assert!(shown["media"]["sound"]["wav"].as_str().unwrap().starts_with("UklGR"), "RIFF");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("class=\"words\"") && page.contains("WER by training size"));
}

#[test]
fn a_comparison_does_without_what_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let (files, at) = (recordings(), |name: &str| folder.path().join(name));
    fs::write(at("noise.wav"), "no recording").unwrap();
    let long = format!("{}\t{}\n", files[20].display(), "ten ".repeat(500));
    let data = table(&at("train.tsv"), &files[..12], &format!("noise.wav\tone\n{long}"));
    let test = table(&at("test.tsv"), &files[12..16], "noise.wav\ttwo\ngone.wav\ttwo\n");
    let (out, weights) = (at("report"), root().join("crates/audio/tests/fixtures/tiny-wav2vec2"));
    let compare = |more: &[&str]| {
        let mut command = command("audio");
        command.args(words!["compare", "--weights", &weights, "--data", &data, "--out", &out]);
        command.args(["--task", "transcribe", "--text-column", "text", "--eval-data"]).arg(&test);
        ran(command.args(["--per-class", "all:1", "--seeds", "1", "--rates", "1e-3"]).args(more))
    };
    let error = compare(&[]).error(1);
    assert!(error.contains("gone.wav") && error.contains("--skip-bad"), "{error}");
    let compared = compare(&["--skip-bad"]);
    assert_eq!(compared.code, 0, "{}", compared.stderr);
    let said = compared.stderr;
    assert!(said.contains("4 recordings that cannot be used"), "{said}");
    for place in ["train.tsv:14", "train.tsv:15", "test.tsv:6", "test.tsv:7"] {
        assert!(said.contains(place), "{place}: {said}");
    }
    let report: Value =
        serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    let one = &report["comparisons"][0];
    assert_eq!((&one["budgets"][0]["size"], &one["test-samples"]), (&12.into(), &4.into()));
    assert_eq!(one["left-out"], 4);
    let text = fs::read_to_string(out.join("report.md")).unwrap();
    assert!(text.contains("4 test samples; left out as they cannot be used: 4"), "{text}");
}
