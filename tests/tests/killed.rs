//! Trainings that are killed, interrupted or begun twice, as a person uses them.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    Ran, command, difference, names, outcome, ran, root, tiny_bert, training, without_cost, words,
};

/// What is trained, each so that a part of what a checkpoint holds is missed if it is not there.
const TRAININGS: [(&str, &str, &str); 12] = [
    ("text", "text/tiny-bert", "--recipe fine-tune --dropout 0.2"),
    ("text", "text/tiny-bert", "--recipe linear-probe"),
    ("text", "text/tiny-bert", "--recipe gradual --dropout 0.1"),
    ("text", "text/tiny-bert", "--recipe lora --lora-dropout 0.1"),
    ("text", "text/tiny-bert", "--recipe lp-ft --ema 0.9"),
    ("text", "text/tiny-bert", "--auto-freeze 0.9 --patience 100"),
    ("text", "text/tiny-bert", "--ema 0.99 --dropout 0.1 --group-by-length"),
    ("text", "text/tiny-bert", "--accumulate 3 --batch-size 4 --label-smoothing 0.1"),
    ("image", "image/tiny-resnet-hf-basic", "--batch-norm updating --augment standard --mixup 0.2"),
    ("image", "text/tiny-bert", "--recipe orca"),
    ("text", "text/tiny-bert", "--recipe bitfit --balance sampling --l2-sp 0.1"),
    ("audio", "text/tiny-bert", "--recipe fpt --schedule one-cycle"),
];

const SHORT: [&str; 6] = ["--limit-per-class", "8", "--epochs", "5", "--validation", "0.2"];

/// A training that is not run yet.
fn begun((modality, weights, more): (&str, &str, &str), out: &Path, every: &str) -> Command {
    let (of, name) = weights.split_once('/').unwrap();
    let weights = root().join(format!("crates/{of}/tests/fixtures/{name}"));
    let mut all = SHORT.to_vec();
    all.extend(more.split_whitespace());
    all.extend(["--checkpoint-every", every]);
    training(&weights, modality, out, &all)
}

fn resumed(modality: &str, out: &Path, more: &[&str]) -> Ran {
    ran(command(modality).args(words!["train", "--resume", out]).args(more))
}

/// The folder that a run grows in, and that of its checkpoints.
fn partial(out: &Path) -> PathBuf {
    out.with_file_name(format!(".{}.partial", out.file_name().unwrap().to_str().unwrap()))
}

fn checkpoints(out: &Path) -> PathBuf {
    partial(out).join("checkpoints")
}

fn spawned(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs")
}

/// Whether a folder has an entry whose name begins so.
fn has(folder: &Path, prefix: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|e| e.file_name().to_string_lossy().starts_with(prefix))
}

/// Chance, from a seed.
struct Chance(u64);

impl Chance {
    /// From 0 to below 1.
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What kills came to.
#[derive(Debug, Default)]
struct Kills {
    all: usize,
    /// Those that left a checkpoint that was half-written.
    half_written: usize,
    /// Those before the first checkpoint.
    before_the_first: usize,
    /// Those that came too late: the training was done. They do not count.
    too_late: usize,
}

impl Kills {
    /// Kills a training at a random moment, some in the middle of a checkpoint, and goes on with it;
    /// what it ends with is `wanted`.
    fn kill(
        &mut self,
        which: (&str, &str, &str),
        (wanted, usual): (&[(String, Vec<u8>)], Duration),
        chance: &mut Chance,
    ) {
        loop {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("run");
            let mut process = spawned(&mut begun(which, &out, "2steps"));
            let (before, in_a_checkpoint) = (chance.next() < 0.2, chance.next() < 0.4);
            let mut wait_for = |prefix: &str| {
                let begun_at = Instant::now();
                while !has(&checkpoints(&out), prefix)
                    && process.try_wait().unwrap().is_none()
                    && begun_at.elapsed() < 10 * usual
                {
                    thread::yield_now();
                }
            };
            if !before {
                wait_for("checkpoint-");
            }
            thread::sleep(usual.mul_f64(0.7 * chance.next()));
            if in_a_checkpoint {
                wait_for(".checkpoint-");
            }
            process.kill().unwrap();
            process.wait().unwrap();
            if out.exists() {
                self.too_late += 1;
                continue;
            }
            self.all += 1;
            self.half_written += usize::from(has(&checkpoints(&out), ".checkpoint-"));
            self.before_the_first += usize::from(!has(&checkpoints(&out), "checkpoint-"));
            let (modality, ..) = which;
            if partial(&out).join("training.json").exists() {
                resumed(modality, &out, &[]).ok();
            } else {
                let said = resumed(modality, &out, &[]).error(2);
                assert!(said.contains("there is no unfinished training"), "{said}");
                ran(&mut begun(which, &out, "2steps")).ok();
            }
            let came = outcome(&out);
            assert_eq!(difference(wanted, &came), None, "{which:?}: {self:?}");
            assert_eq!(names(folder.path()), ["run"], "{which:?}: nothing else is left");
            return;
        }
    }
}

/// Kills trainings so many times in all, each of [`TRAININGS`] in turn.
fn killed(count: usize, seed: u64) -> Kills {
    let (mut kills, mut chance) = (Kills::default(), Chance(seed));
    for (at, which) in TRAININGS.into_iter().enumerate() {
        let turns = (count + TRAININGS.len() - 1 - at) / TRAININGS.len();
        if turns == 0 {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let begun_at = Instant::now();
        ran(&mut begun(which, &out, "never")).ok();
        let wanted = (outcome(&out), begun_at.elapsed());
        for _ in 0..turns {
            kills.kill(which, (&wanted.0, wanted.1), &mut chance);
        }
    }
    kills
}

#[test]
fn ten_killed_trainings_end_with_the_same_bits() {
    let kills = killed(10, 1);
    assert_eq!(kills.all, 10);
}

/// `CROSSTUNE_KILLS=100 cargo test --workspace --features cli --test tests -- --ignored
/// --nocapture killed_as_often_as_asked`
#[test]
#[ignore = "it takes minutes; CROSSTUNE_KILLS says how many"]
// Its figures are what it is run for.
#[allow(clippy::print_stdout)]
fn killed_as_often_as_asked() {
    let count = std::env::var("CROSSTUNE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let seed = std::env::var("CROSSTUNE_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let begun_at = Instant::now();
    let kills = killed(count, seed);
    println!("{kills:?} in {:.0} s", begun_at.elapsed().as_secs_f64());
}

fn signal(process: &Child, name: &str) {
    let line = format!("kill -{name} {}", process.id());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
}

/// Waits until a training has done an epoch.
fn wait_for_an_epoch(process: &mut Child, out: &Path) {
    let metrics = partial(out).join("run/metrics.jsonl");
    while fs::metadata(&metrics).map_or(0, |file| file.len()) == 0 {
        assert!(process.try_wait().unwrap().is_none(), "it ends before its first epoch");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_first_signal_ends_with_a_checkpoint_and_the_second_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    let weights = root().join("crates/text/tests/fixtures/tiny-bert");
    let long = |out: &Path| {
        let more = ["--dropout", "0.1", "--epochs", "30", "--patience", "100"];
        training(&weights, "text", out, &[&SHORT[..2], &more].concat())
    };
    ran(&mut long(&reference)).ok();
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let out = folder.path().join(name);
        let mut process = spawned(&mut long(&out));
        wait_for_an_epoch(&mut process, &out);
        signal(&process, name);
        let ended: Ran = process.wait_with_output().unwrap().into();
        assert_eq!(ended.code, code, "{}", ended.stderr);
        let line = format!("go on with: crosstune-text train --resume {}", out.display());
        assert!(ended.stderr.contains(&line), "{}", ended.stderr);
        assert!(has(&checkpoints(&out), "checkpoint-") && !out.exists());
        // A new one is not begun over it.
        let said = ran(&mut long(&out)).error(2);
        assert!(said.contains("--resume") && said.contains("--overwrite"), "{said}");
        let went_on = resumed("text", &out, &[]);
        assert!(went_on.stderr.contains("resumed "), "{}", went_on.stderr);
        went_on.ok();
        assert_eq!(difference(&outcome(&reference), &outcome(&out)), None, "{name}");
    }
    let out = folder.path().join("twice");
    let mut process = spawned(&mut long(&out));
    wait_for_an_epoch(&mut process, &out);
    signal(&process, "INT");
    signal(&process, "TERM");
    let ended = process.wait_with_output().unwrap();
    // If the step was over between the two, it ended as with one.
    let at_once = ended.status.signal().is_some_and(|signal| signal == 15 || signal == 2);
    assert!(at_once || ended.status.code() == Some(130), "{:?}", ended.status);
    assert!(partial(&out).is_dir() && !out.exists());
}

#[test]
fn a_training_is_gone_on_with_as_it_was_begun_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.tsv");
    let rows = |n: usize| -> String {
        (0..n).map(|at| format!("a sentence of {at}\t{}\n", ["odd", "even"][at % 2])).collect()
    };
    fs::write(&data, format!("text\tlabel\n{}", rows(40))).unwrap();
    let out = folder.path().join("my run");
    let weights = root().join("crates/text/tests/fixtures/tiny-bert");
    let begin = |more: &[&str]| {
        let words = words!["train", "--weights", weights, "--data", data, "--out", out];
        let mut command = command("text");
        command.args(words).args(["--epochs", "1000", "--patience", "1000", "--lr", "1e-3"]);
        command.args(more);
        command
    };
    let nothing = resumed("text", &out, &[]).error(2);
    assert!(nothing.contains("there is no unfinished training at"), "{nothing}");
    let mut process = spawned(begin(&["--checkpoint-every", "1step"]).stderr(Stdio::null()));
    while !has(&checkpoints(&out), "checkpoint-") {
        thread::sleep(Duration::from_millis(1));
    }
    // While it lives, nobody else writes there.
    for said in [
        resumed("text", &out, &[]).error(2),
        ran(&mut begin(&[])).error(2),
        ran(&mut begin(&["--overwrite"])).error(2),
    ] {
        assert!(said.contains(&format!("process {}", process.id())), "{said}");
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let whole = names(&checkpoints(&out)).iter().filter(|n| n.starts_with("checkpoint-")).count();
    assert!((1..=3).contains(&whole), "{:?}", names(&checkpoints(&out)));

    let said = ran(&mut begin(&[])).error(2);
    let line = format!("go on with --resume {0}, or replace it with --overwrite", out.display());
    assert!(said.contains(&line), "{said}");
    let other = |more: &[&str]| resumed("text", &out, more).error(2);
    let said = other(&["--lr", "0.1"]);
    assert!(said.contains("was begun with --lr 1e-3, not 0.1; leave it out"), "{said}");
    let said = other(&["--ema", "0.1"]);
    assert!(said.contains("was begun without --ema"), "{said}");
    let said = other(&["--skip-bad"]);
    assert!(said.contains("was begun without --skip-bad"), "{said}");
    let said = other(&["--out", "elsewhere"]);
    assert!(said.contains("was begun with --out"), "{said}");
    let said = resumed("image", &out, &[]).error(2);
    assert!(said.contains("was begun with crosstune-text"), "{said}");
    assert!(resumed("text", &out, &["--overwrite"]).stderr.contains("cannot be used with"));

    let kept = fs::read(&data).unwrap();
    fs::write(&data, format!("text\tlabel\n{}", rows(42))).unwrap();
    let said = other(&[]);
    assert!(said.contains("is of other data (train.samples: 36 then, 38 now)"), "{said}");
    let text = String::from_utf8(kept.clone()).unwrap();
    fs::write(&data, text.replace("sentence of 7\t", "sentence of 8\t")).unwrap();
    let said = other(&[]);
    assert!(said.contains("is of other data ("), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    fs::write(&data, kept).unwrap();
    assert!(has(&checkpoints(&out), "checkpoint-"), "what is refused is kept");

    // What is typed again is no difference, and how often checkpoints come is free.
    let mut process = spawned(
        command("text")
            .current_dir(folder.path())
            .args(words!["train", "--resume", "my run", "--lr", "1e-3", "--checkpoint-every"])
            .arg("1epoch"),
    );
    wait_for_an_epoch(&mut process, &out);
    signal(&process, "INT");
    let ended: Ran = process.wait_with_output().unwrap().into();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(ended.stderr.contains("train --resume '"), "it is quoted: {}", ended.stderr);

    // Replaced as asked; then it is done, and says so.
    ran(&mut begin(&["--overwrite", "--max-steps", "1"])).ok();
    assert_eq!(names(folder.path()), ["data.tsv", "my run"]);
    let finished = resumed("text", &out, &[]);
    assert!(finished.stderr.contains("is a finished training"), "{}", finished.stderr);
    finished.ok();
}

#[test]
fn a_comparison_that_is_killed_goes_on_with_the_same_command() {
    let folder = tempfile::tempdir().unwrap();
    let data = root().join("crates/text/samples/digits");
    let compare = |out: &Path, seeds: &str| {
        let words = words!["compare", "--weights", tiny_bert(), "--data", data, "--out", out];
        let mut command = command("text");
        command.args(words).args(["--recipe", "linear-probe", "--rates", "1e-3,1e-2"]);
        command.args(["--per-class", "2:4,4:4", "--errors", "2", "--seeds", seeds]);
        command.args(["--checkpoint-every", "1step"]);
        command
    };
    let report = |out: &Path| {
        let json = fs::read(out.join("report.json")).unwrap();
        let mut report: Value = serde_json::from_slice(&json).unwrap();
        without_cost(&mut report);
        report
    };
    let reference = folder.path().join("reference");
    let begun_at = Instant::now();
    ran(&mut compare(&reference, "2")).ok();
    let usual = begun_at.elapsed();
    let out = folder.path().join("report");
    let work = out.join(".report.json.partial");
    for at in 0..3 {
        let mut process = spawned(&mut compare(&out, "2"));
        let begun_at = Instant::now();
        // Each time behind what was done before.
        let done = || names(&work).iter().filter(|name| name.ends_with(".json")).count();
        while (!work.is_dir() || done() < 4 + 4 * at) && begun_at.elapsed() < 10 * usual {
            assert!(process.try_wait().unwrap().is_none(), "it ends");
            thread::sleep(Duration::from_millis(1));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(!out.join("report.json").exists());
    }
    let said = ran(&mut compare(&out, "3")).error(2);
    assert!(said.contains("an unfinished comparison with `seeds: 2`, not `seeds: 3`"), "{said}");
    // A signal is heard, too.
    let mut process = spawned(&mut compare(&out, "2"));
    let checkpoints = work.join("checkpoints");
    let _ = fs::remove_dir_all(&checkpoints);
    while !has(&checkpoints, "checkpoint-") {
        assert!(process.try_wait().unwrap().is_none(), "it ends");
        thread::sleep(Duration::from_millis(1));
    }
    signal(&process, "TERM");
    let ended: Ran = process.wait_with_output().unwrap().into();
    assert_eq!(ended.code, 143, "{}", ended.stderr);
    assert!(ended.stderr.contains("go on with the same command"), "{}", ended.stderr);
    let went_on = ran(&mut compare(&out, "2"));
    assert!(went_on.stderr.contains("resumed "), "{}", went_on.stderr);
    went_on.ok();
    assert_eq!(report(&out), report(&reference));
    assert_eq!(names(&out), ["report.html", "report.json", "report.md"]);
}
