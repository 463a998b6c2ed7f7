//! Every option that is a number, at numbers that people give by mistake: a result or one line.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::{Arg, ArgAction};

use crate::support::{command, root, tiny_bert, words};

const VALUES: [&str; 8] =
    ["0", "1", "-1", "1e-300", "1e300", "nan", "1000000000", "18446744073709551615"];

/// The longest that a command may take which has next to nothing to do.
const LIMIT: Duration = Duration::from_secs(60);

/// The most address space of a command, in KiB.
const SPACE: &str = "12000000";

/// A command with little to do, to which an option is added.
struct Case {
    modality: &'static str,
    clap: fn() -> clap::Command,
    source: &'static str,
    words: Vec<OsString>,
}

/// Two classes of two samples each, as files or a table.
fn data(modality: &str, folder: &Path) -> PathBuf {
    let data = folder.join(modality);
    let digits = root().join(format!("crates/{modality}/samples/digits/train"));
    fs::create_dir(&data).unwrap();
    if modality == "text" {
        let table = data.join("train.tsv");
        fs::write(&table, "text\tlabel\none\ta\ntwo\tb\nthree and four\ta\nfive\tb\n").unwrap();
        return table;
    }
    for class in ["3", "7"] {
        fs::create_dir(data.join(class)).unwrap();
        let from = if modality == "image" { digits.join(class) } else { digits.clone() };
        let mut files: Vec<_> = fs::read_dir(from).unwrap().map(|f| f.unwrap().path()).collect();
        files.retain(|file| {
            modality == "image" || file.file_name().unwrap().to_str().unwrap().starts_with(class)
        });
        files.sort();
        for file in &files[..3] {
            fs::copy(file, data.join(class).join(file.file_name().unwrap())).unwrap();
        }
    }
    data
}

fn cases(folder: &Path) -> Vec<Case> {
    let design = folder.join("design.json");
    fs::write(&design, r#"{"trunk": {"transformer": {"width": 8, "depth": 2, "heads": 2}}}"#)
        .unwrap();
    let binaries: [(_, fn() -> clap::Command); 3] = [
        ("image", crosstune_cli::command::<crosstune_image::ImageArgs>),
        ("audio", crosstune_cli::command::<crosstune_audio::AudioArgs>),
        ("text", crosstune_cli::command::<crosstune_text::TextArgs>),
    ];
    let mut cases = vec![];
    for (modality, clap) in binaries {
        let data = data(modality, folder);
        let run = folder.join(format!("{modality}-run"));
        let mut case_of = |source, words: &[OsString]| {
            cases.push(Case { modality, clap, source, words: words.to_vec() });
        };
        let scratch = words![
            "train",
            "--weights",
            design,
            "--data",
            data,
            "--recipe",
            "scratch",
            "--epochs",
            "2",
            "--max-steps",
            "2",
            "--batch-size",
            "2"
        ];
        // A run to look at.
        let made = command(modality).args(&scratch).args(words!["--out", run]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let source = words!["--weights", run, "--data", data];
        let of = |command: &str, more: &[OsString]| [&words![command][..], &source, more].concat();
        let short = words!["--epochs", "2", "--max-steps", "2", "--batch-size", "2"];
        case_of("a run", &of("train", &short));
        case_of("an architecture", &scratch);
        let mut case = |words: &[OsString]| case_of("a run", words);
        // Its embedder is new, as many times as there are seeds.
        let bert = words!["rank", "--weights", tiny_bert(), "--data", data];
        case(&[&bert[..], &words!["--seeds", "1", "--folds", "3"]].concat());
        case(&of("embed", &[]));
        let small = words!["--per-class", "1:1", "--seeds", "1", "--rates", "1e-3", "--eval-data"];
        let compare = of("compare", &[&small[..], &words![data]].concat());
        case(&compare);
        case(&words!["evaluate", run, data]);
        case(&words!["check", "--data", data]);
        let input = if data.is_dir() { first(&data.join("3")) } else { data.clone() };
        case(&words!["predict", run, input]);
    }
    cases
}

fn first(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).min().unwrap()
}

/// What clap makes of an option with a value, without the option that it would replace.
fn line(case: &Case, option: &str, value: &str) -> Vec<OsString> {
    let mut words = case.words.clone();
    if let Some(at) = words.iter().position(|word| word == option) {
        words.drain(at..at + 2);
    }
    words.push(format!("{option}={value}").into());
    // They go together.
    match option {
        "--folds" if words[0] == "train" => words.extend(words!["--fold", "1"]),
        "--fold" => words.extend(words!["--folds", "2"]),
        _ if option.starts_with("--lora-") => words.extend(words!["--recipe", "lora"]),
        _ => {}
    }
    words
}

/// Whether clap takes a value for an option.
fn parses(case: &Case, option: &str, value: &str) -> Result<(), clap::Error> {
    let mut words = line(case, option, value);
    if ["train", "embed", "compare"].iter().any(|command| words[0] == *command) {
        words.extend(words!["--out", "out"]);
    }
    let all = [&words!["crosstune"][..], &words].concat();
    (case.clap)().try_get_matches_from(all).map(drop)
}

/// The options that are numbers, which take some and refuse what is none, each with all that makes it
/// another than one of the same name.
fn numbers(case: &Case) -> Vec<(String, String)> {
    let command = (case.clap)();
    let command = command.find_subcommand(&case.words[0]).unwrap();
    let takes = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let option = |arg: &Arg| {
        let what = (arg.get_value_parser().type_id(), arg.get_help().map(ToString::to_string));
        arg.get_long().map(|name| (format!("--{name}"), format!("{name} {what:?}")))
    };
    let is_number = |option: &str| {
        let takes = |value| parses(case, option, value).is_ok();
        ["1", "3", "0.5"].into_iter().any(takes) && !takes("no-number")
    };
    let options = command.get_arguments().filter(takes).filter_map(option);
    options.filter(|(option, _)| is_number(option)).collect()
}

/// Runs a command line, and says what is wrong with what it comes to.
fn fault(case: &Case, words: &[OsString], at: &Path) -> Option<String> {
    fs::create_dir(at).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -v {SPACE}; exec \"$@\""), "sh"]);
    shell.arg(command(case.modality).get_program()).args(words).current_dir(at);
    if ["train", "embed", "compare"].iter().any(|command| words[0] == *command) {
        shell.args(["--out", "out"]);
    }
    let said = at.join("stderr");
    shell.env("OMP_NUM_THREADS", "1").stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = shell.stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let said = String::from_utf8_lossy(&fs::read(&said).unwrap()).into_owned();
    let errors: Vec<_> = said.split("error: ").skip(1).collect();
    let fault = match status.map(|status| status.code()) {
        None => "it does not end".to_string(),
        Some(None) => format!("it was killed: {said}"),
        Some(Some(0)) => return None,
        // A line, perhaps with a list of samples or sources below it.
        Some(Some(1 | 2)) if errors.len() == 1 => {
            let line = errors[0].trim_end();
            let odd = line.contains("should not have happened")
                || line.contains("libtorch")
                || line.lines().skip(1).any(|item| !item.starts_with("  "));
            if !odd {
                return None;
            }
            line.to_string()
        }
        Some(Some(code)) => format!("code {code}: {said}"),
    };
    Some(fault)
}

#[test]
fn every_number_comes_to_a_result_or_to_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases(folder.path());
    let (mut tried, mut jobs) = (HashSet::new(), vec![]);
    let mut names = HashSet::new();
    let of = |modality| cases.iter().find(|case| case.modality == modality).map(numbers).unwrap();
    let others = of("text");
    let is_shared = |what: &String| others.iter().any(|(_, other)| other == what);
    for case in &cases {
        for (option, what) in numbers(case) {
            // What commands share is tried once; a modality's own options with each kind of source.
            let source = if is_shared(&what) { "" } else { case.source };
            if !tried.insert((source, what)) {
                continue;
            }
            for value in VALUES {
                match parses(case, &option, value) {
                    Ok(()) => jobs.push((case, line(case, &option, value))),
                    // clap says which option, which value, and why.
                    Err(e) => {
                        let said = e.to_string();
                        assert!(said.contains(&option) && said.contains(value), "{said}");
                    }
                }
            }
            names.insert(option);
        }
    }
    for known in ["--epochs", "--lr", "--memory", "--per-class", "--top", "--size", "--bands"] {
        assert!(names.contains(known), "{known} is not among {names:?}");
    }
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, |n| n.get()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((case, words)) = jobs.get(number) else { break };
                    if let Some(fault) = fault(case, words, &folder.path().join(number.to_string()))
                    {
                        let words: Vec<_> = words.iter().map(|w| w.to_string_lossy()).collect();
                        let told = format!("{} {}: {fault}", case.modality, words.join(" "));
                        faults.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), jobs.len(), faults.join("\n"));
}
