//! A closed or full stdout or stderr: progress may vanish; an answer or a model may not.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{Ran, command, names, ran, root, tiny_bert, train, words};

const QUICK: [&str; 6] = ["--max-steps", "1", "--limit-per-class", "1", "--validation", "0"];

/// What a stream leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum To {
    Full,
    Closed,
    /// A pipe whose reader has gone, as `head` does.
    Gone,
}

const ALL: [To; 3] = [To::Full, To::Closed, To::Gone];

fn stream(to: To) -> Stdio {
    match to {
        To::Full => File::options().write(true).open("/dev/full").unwrap().into(),
        To::Closed => Stdio::null(),
        To::Gone => io::pipe().unwrap().1.into(),
    }
}

/// Runs a command line with streams that lead nowhere; the others are read.
fn run(words: &[OsString], stdout: Option<To>, stderr: Option<To>) -> Ran {
    let whole = command("image");
    let mut shell = Command::new("sh");
    let closed = |to: Option<To>, text| if to == Some(To::Closed) { text } else { "" };
    let line = format!("exec \"$@\" {} {}", closed(stdout, ">&-"), closed(stderr, "2>&-"));
    shell.args(["-c", &line, "sh"]).arg(whole.get_program()).args(words);
    shell.env("OMP_NUM_THREADS", "1").stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(to) = stdout {
        shell.stdout(stream(to));
    }
    if let Some(to) = stderr {
        shell.stderr(stream(to));
    }
    shell.spawn().unwrap().wait_with_output().unwrap().into()
}

/// Command lines whose answer is on stdout.
fn answers(folder: &Path) -> Vec<Vec<OsString>> {
    let run = folder.join("run");
    train("image", &run, &QUICK).ok();
    let data = root().join("crates/image/samples/digits");
    let picture = names(&data.join("test/7"))[0].clone();
    let picture = data.join("test/7").join(picture);
    let limit = words!["--limit-per-class", "4", "--folds", "3", "--seeds", "1"];
    let rank = words!["rank", "--weights", tiny_bert(), "--data", data];
    let mut lines = vec![words!["--help"].to_vec(), words!["--version"].to_vec()];
    lines.extend([words!["train", "--help"].to_vec(), words!["help", "rank"].to_vec()]);
    for line in [
        words!["predict", run, picture].to_vec(),
        words!["evaluate", run, data].to_vec(),
        words!["inspect", run].to_vec(),
        words!["inspect", tiny_bert()].to_vec(),
        words!["check", "--data", data].to_vec(),
        [&rank[..], &limit].concat(),
    ] {
        lines.push([&line[..], &words!["--json"]].concat());
        lines.push(line);
    }
    lines
}

#[test]
fn an_answer_that_could_not_be_written_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    for line in answers(folder.path()) {
        for to in ALL {
            let Ran { code, stderr, .. } = run(&line, Some(to), None);
            assert_eq!(code, 1, "{line:?} {to:?}: {stderr}");
            let said = stderr.lines().filter(|line| line.starts_with("error: "));
            let said: Vec<_> = said.collect();
            match to {
                To::Full => assert_eq!(
                    said,
                    ["error: stdout: cannot write: No space left on device (os error 28)"],
                    "{line:?}"
                ),
                To::Closed => {
                    assert_eq!(said, ["error: stdout: cannot write: it is closed"], "{line:?}");
                }
                To::Gone => assert!(said.is_empty(), "{line:?}: {stderr}"),
            }
            assert!(!stderr.contains("panicked"), "{line:?} {to:?}: {stderr}");
        }
    }
}

#[test]
fn an_answer_does_not_need_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let lines = answers(folder.path());
    for line in lines.iter().filter(|line| line.last().unwrap() != "--json") {
        let whole = ran(command("image").args(line)).ok();
        for to in ALL {
            let ran = run(line, None, Some(to));
            assert_eq!(ran.code, 0, "{line:?} {to:?}");
            // A table of `rank` has the time.
            assert_eq!(ran.stdout.lines().count(), whole.lines().count(), "{line:?} {to:?}");
        }
    }
    // An error has nobody to be told to, but a code.
    for (line, code) in [("inspect no-such-file", 2), ("train --no-such-option", 2)] {
        let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        for to in ALL {
            assert_eq!(run(&line, None, Some(to)).code, code, "{line:?} {to:?}");
        }
    }
}

#[test]
fn work_goes_on_when_nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let data = root().join("crates/image/samples/digits");
    let samples = words!["--weights", tiny_bert(), "--data", data].to_vec();
    let (run_folder, out) = (folder.path().join("run"), folder.path().join("out"));
    train("image", &run_folder, &QUICK).ok();
    let with = |command: &str, more: &[OsString]| {
        [&words![command][..], &samples, &words!["--out", out], more].concat()
    };
    let quick = QUICK.map(OsString::from);
    let small = words!["--per-class", "2:1", "--seeds", "1", "--rates", "1e-3", "--controls"];
    let own = root().join("crates/image/tests/fixtures/tiny-vit");
    let embed = words!["embed", "--weights", own, "--data", data, "--limit-per-class", "2"];
    for (made, line) in [
        ("spec.json", with("train", &quick)),
        ("report.html", with("compare", &[&small[..], &words!["scratch"]].concat())),
        ("", [&embed[..], &words!["--out", out]].concat()),
        ("", words!["export", run_folder, "--format", "torchscript", "--out", out].to_vec()),
    ] {
        for to in ALL {
            let ran = run(&line, Some(to), Some(to));
            assert_eq!(ran.code, 0, "{line:?} {to:?}");
            let whole = if made.is_empty() { out.clone() } else { out.join(made) };
            assert!(whole.is_file(), "{line:?} {to:?}");
            match out.is_dir() {
                true => fs::remove_dir_all(&out).unwrap(),
                false => fs::remove_file(&out).unwrap(),
            }
            assert_eq!(names(folder.path()), ["run"], "{line:?} {to:?}");
        }
    }
}
