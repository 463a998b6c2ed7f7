//! Nothing that is a person's is lost: what lies at or comes to an output, and what was computed.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crosstune_core::{Device, run};
use crosstune_image::ImageSettings;

use crate::support::{
    Ran, command, crosstune, names, ran, root, tiny_bert, train, training, words,
};

const QUICK: [&str; 6] = ["--max-steps", "1", "--limit-per-class", "1", "--validation", "0"];

/// Long enough to be interrupted.
const LONG: [&str; 6] = ["--epochs", "200", "--limit-per-class", "1", "--validation", "0"];

const EPOCHS: usize = 200;

/// A training that stands still after its first epoch.
struct Paused(Child);

impl Paused {
    fn new(out: &Path, more: &[&str]) -> Self {
        Self::of(training(&tiny_bert(), "image", out, &[&LONG, more].concat()), out)
    }

    fn of(mut training: Command, out: &Path) -> Self {
        training.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = training.spawn().expect("the binary runs");
        let metrics = partial(out).join("run/metrics.jsonl");
        let begun = Instant::now();
        while fs::metadata(&metrics).map_or(0, |file| file.len()) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(120), "the training does not begin");
            thread::sleep(Duration::from_millis(2));
        }
        let paused = Self(child);
        paused.signal("STOP");
        assert!(partial(out).is_dir(), "the training was over before it could be stopped");
        paused
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    fn ended(self) -> Ran {
        self.signal("CONT");
        self.0.wait_with_output().expect("it ends").into()
    }

    fn killed(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The folder that a run grows in.
fn partial(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap().to_str().unwrap();
    out.with_file_name(format!(".{name}.partial"))
}

/// Fails unless a folder holds a whole run of so many epochs.
fn assert_whole(run: &Path, epochs: usize) {
    run::open::<ImageSettings>(run, Device::Cpu).unwrap();
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), epochs, "{}", run.display());
    let expected = [
        "labels.json",
        "layout.json",
        "metrics.jsonl",
        "model.safetensors",
        "preprocessing.json",
        "result.json",
        "spec.json",
    ];
    assert_eq!(names(run), expected);
}

#[test]
fn what_comes_to_the_output_while_a_training_runs_stays_and_so_does_the_training() {
    let folder = tempfile::tempdir().unwrap();
    for (at, more) in [&[][..], &["--overwrite"]].into_iter().enumerate() {
        let out = folder.path().join(format!("run{at}"));
        let training = Paused::new(&out, more);
        fs::create_dir(&out).unwrap();
        fs::write(out.join("thesis.txt"), "mine").unwrap();
        let said = training.ended().error(1);
        let kept = folder.path().join(format!("run{at}-2"));
        assert!(said.contains("appeared during the training"), "{said}");
        assert!(said.contains(kept.to_str().unwrap()), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(names(&out), ["thesis.txt"]);
        assert_whole(&kept, EPOCHS);
    }
    let out = folder.path().join("link");
    let training = Paused::new(&out, &[]);
    symlink("nowhere", &out).unwrap();
    training.ended().error(1);
    assert!(out.is_symlink());
    assert_whole(&folder.path().join("link-2"), EPOCHS);
    assert_eq!(names(folder.path()), ["link", "link-2", "run0", "run0-2", "run1", "run1-2"]);
}

#[test]
fn a_folder_of_ones_own_that_is_called_as_ours_stays() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let own = partial(&out);
    fs::create_dir(&own).unwrap();
    fs::write(own.join("thesis.txt"), "mine").unwrap();
    let said = train("image", &out, &QUICK).error(2);
    assert!(said.contains(".run.partial is in the way"), "{said}");
    assert_eq!(names(&own), ["thesis.txt"]);
    assert!(!out.exists());
}

#[test]
fn a_run_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let first = Paused::new(&out, &[]);
    let holder = format!("by another training (process {})", first.0.id());
    for more in [&[][..], &["--overwrite"]] {
        let said = train("image", &out, &[&QUICK, more].concat()).error(2);
        assert!(said.contains(&holder), "{said}");
    }
    first.ended().ok();
    assert_whole(&out, EPOCHS);
    assert_eq!(names(folder.path()), ["run"]);

    // One that was killed holds nothing.
    let other = folder.path().join("other");
    Paused::new(&other, &[]).killed();
    assert!(partial(&other).is_dir());
    train("image", &other, &QUICK).ok();
    assert_whole(&other, 1);
    assert_eq!(names(folder.path()), ["other", "run"]);
}

#[test]
fn a_reader_finds_a_whole_run_while_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let replace = [&QUICK[..], &["--overwrite"]].concat();
    train("image", &out, &QUICK).ok();
    thread::scope(|scope| {
        let writer = scope.spawn(|| (0..6).for_each(|_| drop(train("image", &out, &replace).ok())));
        let mut read = 0;
        while !writer.is_finished() {
            run::open::<ImageSettings>(&out, Device::Cpu).unwrap();
            (0..100).for_each(|_| assert!(out.join("spec.json").is_file()));
            read += 1;
        }
        assert!(read > 6);
    });
    // Killed at any moment, one of both is whole, and the next training is not in its way.
    for moment in 0..8 {
        let mut training = training(&tiny_bert(), "image", &out, &replace);
        let mut training = training.stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while !partial(&out).is_dir() && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(40 * moment));
        training.kill().unwrap();
        training.wait().unwrap();
        assert_whole(&out, 1);
    }
    train("image", &out, &replace).ok();
    assert_eq!(names(folder.path()), ["run"]);
}

#[test]
fn a_model_whose_folder_is_gone_is_kept_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (out, elsewhere) = (folder.path().join("run"), folder.path().join("elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    let mut long = training(&tiny_bert(), "image", &out, &LONG);
    long.env("TMPDIR", &elsewhere);
    let training = Paused::of(long, &out);
    fs::remove_dir_all(partial(&out)).unwrap();
    let ran = training.ended();
    assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{}", ran.stderr);
    let said = ran.error(1);
    let kept = elsewhere.join(&names(&elsewhere)[0]);
    assert!(said.contains(kept.to_str().unwrap()), "{said}");
    assert!(said.contains("run: cannot be written"), "{said}");
    assert_whole(&kept, EPOCHS);
}

/// A command that cannot write files of more than 512 bytes, or 1 KiB.
fn bounded(words: &[OsString]) -> Ran {
    let whole = command("image");
    let mut shell = Command::new("sh");
    // A file that grows too far is an error, as on a full disk, and no signal.
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"]);
    shell.arg(whole.get_program()).args(words).env("OMP_NUM_THREADS", "1");
    ran(&mut shell)
}

#[test]
fn a_file_that_cannot_be_written_is_a_line_and_nothing_stays_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train("image", &run, &QUICK).ok();
    let data = root().join("crates/image/samples/digits");
    let samples = words!["--weights", tiny_bert(), "--data", data].to_vec();
    let out = folder.path().join("out.png");
    let mut lines: Vec<Vec<OsString>> = ["safetensors", "torchscript"]
        .map(|format| words!["export", run, "--format", format, "--out", out].to_vec())
        .into();
    let quick = QUICK.map(OsString::from);
    lines.push([&words!["train"][..], &samples, &words!["--plan", out], &quick].concat());
    lines.push([&words!["train"][..], &samples, &words!["--find-lr", out]].concat());
    lines.push([&words!["check"][..], &samples[2..], &words!["--sheet", out]].concat());
    lines.push([&words!["train"][..], &samples, &words!["--out", out], &quick].concat());
    for line in lines {
        let said = bounded(&line).error(1);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("out.png") && said.contains("cannot"), "{line:?}: {said}");
        assert_eq!(names(folder.path()), ["run"], "{line:?}");
    }
}

#[test]
fn an_output_that_is_there_is_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train("image", &run, &QUICK).ok();
    let data = root().join("crates/image/samples/digits");
    let samples = words!["--weights", tiny_bert(), "--data", data].to_vec();
    let mine = folder.path().join("mine.png");
    let report = folder.path().join("report");
    fs::create_dir(&report).unwrap();
    fs::write(report.join("report.md"), "mine").unwrap();
    let with = |command: &str, more: &[OsString]| [&words![command][..], &samples, more].concat();
    let mut lines = vec![
        with("train", &words!["--plan", mine]),
        with("train", &words!["--find-lr", mine]),
        with("embed", &words!["--out", mine]),
        with("compare", &words!["--out", mine]),
        with("compare", &words!["--out", report]),
        [&words!["check"][..], &samples[2..], &words!["--sheet", mine]].concat(),
    ];
    for format in ["hf", "safetensors", "torchscript", "peft"] {
        lines.push(words!["export", run, "--format", format, "--out", mine].to_vec());
    }
    fs::write(&mine, "mine").unwrap();
    let untouched = || {
        assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
        assert_eq!(fs::read_to_string(report.join("report.md")).unwrap(), "mine");
        assert_eq!(names(folder.path()), ["mine.png", "report", "run"]);
    };
    for line in &lines {
        let ran = crosstune("image", line);
        assert!([1, 2].contains(&ran.code), "{line:?}");
        // Nothing was said of the data yet.
        assert_eq!(ran.stderr.lines().count(), 1, "{line:?}: {}", ran.stderr);
        untouched();
    }
    // A link that leads nowhere is somebody's, too.
    fs::remove_file(&mine).unwrap();
    symlink("nowhere", &mine).unwrap();
    for line in &lines {
        let ran = crosstune("image", line);
        assert!([1, 2].contains(&ran.code), "{line:?}: {}", ran.stderr);
        assert!(mine.is_symlink() && !mine.exists(), "{line:?}");
    }
    fs::remove_file(&mine).unwrap();
    fs::write(&mine, "mine").unwrap();
    let overwrite = words!["--overwrite", "--max-steps", "1", "--limit-per-class", "1"];
    crosstune("image", &[&lines[0][..], &overwrite].concat()).ok();
    assert!(fs::read_to_string(&mine).unwrap().starts_with("format = "));
}

/// Runs a script with a small file system of its own at `small`; `None`: this system gives none to
/// people without rights.
fn on_a_small_disk(small: &Path, script: &str, words: &[OsString]) -> Option<Ran> {
    let may = Command::new("unshare").args(["-rm", "true"]).output();
    if !may.is_ok_and(|may| may.status.success()) {
        return None;
    }
    let whole = command("image");
    let mut shell = Command::new("unshare");
    let mount = "mount -t tmpfs -o size=2m none \"$SMALL\" || exit 77";
    shell.args(["-rm", "sh", "-c", &format!("{mount}\n{script}"), "sh"]);
    shell.arg(whole.get_program()).args(words);
    shell.env("OMP_NUM_THREADS", "1").env("SMALL", small);
    Some(ran(&mut shell)).filter(|ran| ran.code != 77)
}

#[test]
fn on_a_full_disk_a_training_goes_on_and_its_model_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (small, elsewhere) = (folder.path().join("small"), folder.path().join("elsewhere"));
    fs::create_dir(&small).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    let data = root().join("crates/image/samples/digits");
    let line = [
        &words!["train", "--weights", tiny_bert(), "--data", data, "--out", small.join("run")][..],
        &LONG.map(OsString::from),
    ]
    .concat();
    let full = "dd if=/dev/zero of=\"$SMALL/fill\" bs=1k status=none 2> /dev/null";
    let before = format!("{full}; exec \"$@\"");
    let Some(refused) = on_a_small_disk(&small, &before, &line) else { return };
    // Not even the lock fits.
    assert_ne!(refused.code, 0);
    let short = "dd if=/dev/zero of=\"$SMALL/fill\" bs=1k count=1980 status=none; exec \"$@\"";
    let said = on_a_small_disk(&small, short, &line).unwrap().error(2);
    assert!(said.contains("the model needs 0.1 MB, but the disk"), "{said}");

    let meanwhile = format!(
        "export TMPDIR={}; \"$@\" & training=$!
         until [ -s \"$SMALL/.run.partial/run/metrics.jsonl\" ]; do sleep 0.01; done
         {full}; wait $training; code=$?; rm \"$SMALL/fill\"; ls -A \"$SMALL\"; exit $code",
        elsewhere.display()
    );
    let ran = on_a_small_disk(&small, &meanwhile, &line).unwrap();
    assert_eq!(ran.stdout, "", "nothing is left on the disk");
    assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{}", ran.stderr);
    let said = ran.error(1);
    let kept = elsewhere.join(&names(&elsewhere)[0]);
    assert!(said.contains("No space left") && said.contains(kept.to_str().unwrap()), "{said}");
    assert_whole(&kept, EPOCHS);
}

#[test]
fn a_checkpoint_outlives_whoever_fails_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let digits = root().join("crates/image/samples/digits/train");
    for class in ["0", "1"] {
        let to = data.join(class);
        fs::create_dir_all(&to).unwrap();
        for name in names(&digits.join(class)).iter().take(4) {
            fs::copy(digits.join(class).join(name), to.join(name)).unwrap();
        }
    }
    let words = words!["train", "--weights", tiny_bert(), "--data", data, "--out", out];
    let mut training = command("image");
    training.args(words).args([
        "--epochs",
        "400",
        "--validation",
        "0",
        "--checkpoint-every",
        "1step",
    ]);
    Paused::of(training, &out).killed();
    let resumed = || ran(command("image").args(words!["train", "--resume", out]));
    let picture = data.join("0").join(&names(&data.join("0"))[0]);
    let whole = fs::read(&picture).unwrap();
    for contents in [&b""[..], b"no picture"] {
        fs::write(&picture, contents).unwrap();
        let failed = resumed();
        assert_ne!(failed.code, 0, "{}", failed.stderr);
        assert!(failed.stderr.contains("--resume"), "{}", failed.stderr);
    }
    fs::write(&picture, whole).unwrap();
    let went_on = resumed();
    assert!(went_on.stderr.contains("resumed "), "{}", went_on.stderr);
    went_on.ok();
    assert_eq!(names(folder.path()), ["data", "out"]);
}
