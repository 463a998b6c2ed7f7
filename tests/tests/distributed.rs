//! Several processes that train one model: what one would.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ran, ran, root, tiny_bert, training};

/// A short training in so many processes, with what they draw left out.
fn trained(modality: &str, weights: &Path, out: &Path, processes: usize, more: &str) -> Ran {
    ran(&mut command(modality, weights, out, processes, more))
}

fn command(modality: &str, weights: &Path, out: &Path, processes: usize, more: &str) -> Command {
    let mut command = training(weights, modality, out, &[]);
    command.args(["--dropout", "0", "--processes", &processes.to_string()]);
    command.args(more.split_whitespace());
    command
}

fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The largest difference between the parameters of two runs. The biases of keys are left out: attention does
/// not depend on them, so that their gradients are what rounding makes of zero, and Adam takes whole steps by
/// them.
fn difference(a: &Path, b: &Path) -> f64 {
    let read = |run: &Path| {
        tch::Tensor::read_safetensors(run.join("model.safetensors")).unwrap().into_iter()
    };
    let mut others: std::collections::BTreeMap<_, _> = read(b).collect();
    let off = |(name, x): (String, tch::Tensor)| {
        let y = others.remove(&name).unwrap();
        (x - y).abs().max().double_value(&[])
    };
    read(a).filter(|(name, _)| !name.ends_with("attn.k.bias")).map(off).fold(0., f64::max)
}

/// Whether the metrics of two runs are the same, with what chance a loss in another order of sums has.
fn assert_alike(a: &Path, b: &Path) {
    let (a, b) = (json(a.join("result.json")), json(b.join("result.json")));
    assert_eq!(a["test"]["confusion"], b["test"]["confusion"]);
    assert_eq!(a["validation"]["confusion"], b["validation"]["confusion"]);
    let epochs = |of: &Value| of["history"]["epochs"].as_array().unwrap().clone();
    for (a, b) in epochs(&a).iter().zip(epochs(&b)) {
        let off = a["train_loss"].as_f64().unwrap() - b["train_loss"].as_f64().unwrap();
        assert!(off.abs() < 1e-5, "{a} {b}");
        assert_eq!(a["train_accuracy"], b["train_accuracy"]);
    }
}

#[test]
fn two_processes_are_one_with_batches_twice_as_large() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    // Of some seeds, one parameter in ten thousand has gradients that are nearly zero, too.
    let options = "--limit-per-class 16 --epochs 3 --max-steps 20 --lr 1e-3 --pretrained-lr 1e-4 \
                   --seed 1";
    trained("text", &tiny_bert(), &one, 1, &format!("{options} --batch-size 16")).ok();
    let ran = trained("text", &tiny_bert(), &two, 2, &format!("{options} --batch-size 8"));
    assert_eq!(ran.stderr.matches("source ").count(), 1, "one speaks: {}", ran.stderr);
    ran.ok();
    let off = difference(&one, &two);
    assert!(off < 1e-6, "{off}");
    assert_alike(&one, &two);
    assert_eq!(json(two.join("result.json"))["options"]["processes"], 2);
}

/// 47 samples are 5 batches of 10, of which the last has 7, and steps of 2 batches; with 3 processes, the
/// shares of a batch of 1 are nothing for two of them.
#[test]
fn batches_that_cannot_be_divided_are_what_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let options = "--limit-per-class 5 --epochs 2 --validation 0.06 --lr 1e-3 --accumulate 2 \
                   --balance weights";
    let [one, two, three] = ["one", "two", "three"].map(|name| folder.path().join(name));
    trained("text", &tiny_bert(), &one, 1, &format!("{options} --batch-size 6")).ok();
    trained("text", &tiny_bert(), &two, 2, &format!("{options} --batch-size 3")).ok();
    trained("text", &tiny_bert(), &three, 3, &format!("{options} --batch-size 2")).ok();
    for other in [&two, &three] {
        let off = difference(&one, other);
        assert!(off < 1e-5, "{off}");
        assert_alike(&one, other);
    }
}

/// Their statistics are those of the whole batch. After one step: Adam goes by the signs of gradients, and
/// where one is nearly zero, rounding decides the next.
#[test]
fn batch_norms_see_the_whole_batch() {
    let folder = tempfile::tempdir().unwrap();
    let weights = root().join("crates/image/tests/fixtures/tiny-resnet-cifar/resnet.th");
    let options = "--limit-per-class 5 --max-steps 1 --batch-norm updating --lr 1e-3";
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    trained("image", &weights, &one, 1, &format!("{options} --batch-size 6")).ok();
    trained("image", &weights, &two, 2, &format!("{options} --batch-size 3")).ok();
    let off = difference(&one, &two);
    assert!(off < 1e-5, "{off}");
}

/// Begins a long training in two processes, kills the second one when the first checkpoint is there, and
/// returns what is said, with the seconds until all have ended.
#[cfg(target_os = "linux")]
#[test]
fn one_that_is_killed_ends_all_and_all_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, out] = ["whole", "run"].map(|name| folder.path().join(name));
    let options = "--limit-per-class 10 --epochs 30 --batch-size 2 --patience 30 --lr 1e-3 \
                   --checkpoint-every 5steps";
    let mut command = command("text", &tiny_bert(), &out, 2, options);
    let mut parent = command.stderr(Stdio::piped()).spawn().unwrap();
    let checkpoints = folder.path().join(".run.partial/checkpoints");
    wait(|| fs::read_dir(&checkpoints).is_ok_and(|mut all| all.next().is_some()));
    let child = children(parent.id()).into_iter().find(|&child| {
        let told = fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
        told.split(|&b| b == 0).any(|variable| variable == b"RANK=1")
    });
    let killed = Instant::now();
    let kill = Command::new("kill").args(["-KILL", &child.unwrap().to_string()]).status();
    assert!(kill.unwrap().success());
    wait(|| parent.try_wait().unwrap().is_some());
    assert!(killed.elapsed() < Duration::from_secs(20), "{:?}", killed.elapsed());
    let ended = Ran::from(parent.wait_with_output().unwrap());
    assert_eq!(ended.error(1), {
        "rank 1 of 2 was killed by SIGKILL: by hand, or because memory ran out: the training has ended"
    });

    // They go on, and end as if nothing had happened.
    let resume = ["train", "--resume", &out.to_string_lossy()].map(std::ffi::OsString::from);
    let resumed = crate::support::crosstune("text", &resume);
    assert!(resumed.stderr.contains("resumed"), "{}", resumed.stderr);
    resumed.ok();
    trained("text", &tiny_bert(), &whole, 2, options).ok();
    let weights = |run: &Path| fs::read(run.join("model.safetensors")).unwrap();
    assert!(weights(&whole) == weights(&out), "other weights");
}

#[cfg(target_os = "linux")]
fn wait(mut until: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < Duration::from_secs(300));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that a process has started.
#[cfg(target_os = "linux")]
fn children(of: u32) -> Vec<u32> {
    let all = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    all.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

#[test]
fn what_is_wrong_with_all_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let nowhere = folder.path().join("nowhere");
    let ran = trained("text", &nowhere, &out, 2, "--epochs 1");
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
    assert!(ran.error(2).contains("nowhere"));
    assert!(!out.exists());
}

#[test]
fn variables_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = training(&tiny_bert(), "text", &folder.path().join("run"), &[]);
    let error = ran(command.envs([("RANK", "0"), ("WORLD_SIZE", "2")])).error(2);
    assert!(error.starts_with("MASTER_ADDR: this environment variable is not set"), "{error}");
    let error = ran(command.args(["--processes", "2"]).env("MASTER_ADDR", "localhost")).error(2);
    assert!(error.starts_with("MASTER_PORT"), "{error}");
}
