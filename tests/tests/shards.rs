//! The same pictures as a folder and as tar files: the same model, with any number of threads that read, and
//! whether or not they were all read beforehand.

use std::{
    fs,
    fs::File,
    path::{Path, PathBuf},
};

use crate::support::{command, crosstune, ran, root, tiny_bert, words};

/// The folder of samples, `train/CLASS/NAME.png`.
fn digits() -> PathBuf {
    root().join("crates/image/samples/digits")
}

/// The files of a folder in alphabetical order.
fn children(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// A few of the training samples of each class, as a folder and as three tar files of the same order.
fn both(folder: &Path) {
    let mut tars: Vec<_> = (0..3)
        .map(|at| File::create(folder.join(format!("train-{at:06}.tar"))).unwrap())
        .map(tar::Builder::new)
        .collect();
    let mut count = 0;
    for class in children(&digits().join("train")) {
        let label = class.file_name().unwrap().to_str().unwrap();
        let to = folder.join("folder").join(label);
        fs::create_dir_all(&to).unwrap();
        for file in children(&class).iter().take(6) {
            let bytes = fs::read(file).unwrap();
            fs::write(to.join(file.file_name().unwrap()), &bytes).unwrap();
            for (ending, data) in [("png", &*bytes), ("cls", label.as_bytes())] {
                let mut header = tar::Header::new_gnu();
                header.set_size(data.len() as u64);
                let name = format!("{count:04}.{ending}");
                tars[count / 20].append_data(&mut header, name, data).unwrap();
            }
            count += 1;
        }
    }
    for mut tar in tars {
        tar.finish().unwrap();
    }
}

#[test]
fn a_folder_and_shards_train_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    both(folder.path());
    let shards = folder.path().join("train-{000000..000002}.tar");
    let mut weights = vec![];
    for (at, (data, threads, more)) in [
        (folder.path().join("folder"), "1", &[][..]),
        (shards.clone(), "1", &[]),
        (shards.clone(), "2", &["--memory", "0"]),
        (shards.clone(), "2", &["--streaming"]),
    ]
    .into_iter()
    .enumerate()
    {
        let out = folder.path().join(format!("run{at}"));
        let mut train = command("image");
        train.env("RAYON_NUM_THREADS", threads).args(["train", "--max-steps", "5"]).args(more);
        train.args(["--batch-size", "8", "--validation", "0.2", "--seed", "5"]);
        train.arg("--weights").arg(tiny_bert()).arg("--data").arg(data).arg("--out").arg(&out);
        ran(&mut train).ok();
        weights.push(fs::read(out.join("model.safetensors")).unwrap());
    }
    for (at, other) in weights.iter().enumerate().skip(1) {
        assert!(weights[0] == *other, "training {at} gave another model");
    }

    let run = folder.path().join("run1");
    let shard = folder.path().join("train-000001.tar");
    crosstune("image", &words!["evaluate", run, shard]).ok();
    let told = crosstune("image", &words!["predict", run, shard]).ok();
    assert!(told.contains("train-000001.tar/0020.png"), "{told}");
    crosstune("image", &words!["check", "--data", shards]).ok();

    // Cut in the midst of a member, or of a header.
    let whole = fs::read(&shard).unwrap();
    fs::write(&shard, &whole[..whole.len() * 2 / 3]).unwrap();
    let error = crosstune("image", &words!["evaluate", run, shard]).error(1);
    let is_told =
        error.contains("is cut off") || error.contains("there is no header of a tar file");
    assert!(error.contains("train-000001.tar") && is_told, "{error}");
    crosstune("image", &words!["evaluate", run, shard, "--skip-bad"]).ok();
}
