//! Whole checkpoints of every format, against what PyTorch and NumPy made of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor, nn};

use super::checkpoint::Checkpoint;
use super::find::WEIGHTS;
use super::format::Format;
use crate::error::one_line;
use crate::weights::builder::VarBuilder;
use crate::weights::report::Fresh;
use crate::weights::source::WeightSource;

#[path = "tests/broken_tests.rs"]
mod broken_tests;

#[path = "tests/build_tests.rs"]
mod build_tests;

#[path = "tests/harness_tests.rs"]
mod harness_tests;

#[path = "tests/opaque_tests.rs"]
mod opaque_tests;

#[path = "tests/pickle_tests.rs"]
mod pickle_tests;

#[path = "tests/rare_tests.rs"]
mod rare_tests;

#[path = "tests/source_tests.rs"]
mod source_tests;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/checkpoints", name].iter().collect()
}

/// The expected tensors under a prefix.
fn expected(prefix: &str) -> BTreeMap<String, Tensor> {
    let all = Checkpoint::open(fixture("expected.safetensors")).unwrap();
    let named =
        |name: &str| Some((name.strip_prefix(prefix)?.to_owned(), all.tensor(name).unwrap()));
    all.entries().filter_map(|(name, _)| named(name)).collect()
}

/// Type, shape and every bit but those of NaN.
#[track_caller]
fn assert_same(name: &str, got: &Tensor, want: &Tensor) {
    assert_eq!((got.kind(), got.size()), (want.kind(), want.size()), "{name}");
    assert!(got.is_contiguous(), "{name}");
    // Also tells zero from minus zero.
    let bits = |t: &Tensor| t.view_dtype(Kind::Uint8).flatten(0, -1);
    let (got, want) = (got.view([-1]), want.view([-1]));
    assert!(got.numel() == 0 || bits(&got) == bits(&want), "{name}: {got} is not {want}");
}

#[track_caller]
fn assert_holds(checkpoint: &Checkpoint, want: &BTreeMap<String, Tensor>) {
    let names: Vec<_> = checkpoint.entries().map(|(name, _)| name).collect();
    assert_eq!(names, want.keys().collect::<Vec<_>>());
    for (name, want) in want {
        let entry = checkpoint.entry(name).unwrap();
        assert_eq!((entry.kind, &entry.shape), (want.kind(), &want.size()), "{name}");
        assert_same(name, &checkpoint.tensor(name).unwrap(), want);
    }
}

#[test]
fn one_state_dict_in_every_format() {
    let state = expected("state/");
    assert_eq!(state.len(), 19);
    for (file, format) in [
        ("plain.safetensors", Format::Safetensors),
        ("sharded-safetensors", Format::Safetensors),
        ("sharded-safetensors/model.safetensors.index.json", Format::Safetensors),
        ("sharded-bin", Format::TorchZip),
        ("nested.pt", Format::TorchZip),
        ("parallel.pt", Format::TorchZip),
        ("big.pt", Format::TorchZip),
        ("deflated.pt", Format::TorchZip),
        ("legacy.pth", Format::TorchLegacy),
    ] {
        let checkpoint = Checkpoint::open(fixture(file)).unwrap();
        assert_eq!(checkpoint.format(), format, "{file}");
        assert_holds(&checkpoint, &state);
    }
}

#[test]
fn what_is_beside_the_weights_is_named() {
    for file in ["nested.pt", "legacy.pth"] {
        let checkpoint = Checkpoint::open(fixture(file)).unwrap();
        let skipped: BTreeMap<_, _> = checkpoint.skipped().collect();
        let names = ["accuracy", "arch", "best", "epoch", "history", "optimizer", "seen"];
        assert_eq!(skipped.keys().copied().collect::<Vec<_>>(), names);
        assert_eq!(skipped["best"], "tensor, beside `state_dict`");
        assert_eq!(skipped["accuracy"], "NumPy scalar, beside `state_dict`");
    }
}

#[test]
fn torchscript_modules_are_names_with_dots() {
    let checkpoint = Checkpoint::open(fixture("script.pt")).unwrap();
    assert_eq!(checkpoint.format(), Format::TorchScript);
    assert_holds(&checkpoint, &expected("script.pt/"));
    assert!(checkpoint.entry("norms.0.num_batches_tracked").is_some());
}

#[test]
fn numpy_arrays_of_every_type_and_order() {
    let arrays = expected("arrays.npz/");
    let stored = Checkpoint::open(fixture("arrays.npz")).unwrap();
    assert_eq!(stored.format(), Format::Npz);
    assert_holds(&stored, &arrays);
    let skipped = [("text", "array of `<U1`"), ("u2", "tensor of U16, which libtorch lacks")];
    assert_eq!(stored.skipped().collect::<Vec<_>>(), skipped);
    assert_holds(&Checkpoint::open(fixture("packed.npz")).unwrap(), &arrays);
    let one = Checkpoint::open(fixture("array.npy")).unwrap();
    assert_eq!(one.format(), Format::Npy);
    assert_holds(&one, &expected("array.npy/"));
}

#[test]
fn types_of_untyped_storages() {
    let checkpoint = Checkpoint::open(fixture("untyped.pt")).unwrap();
    let f8 = checkpoint.tensor("f8").unwrap();
    assert_eq!(f8.kind(), Kind::Float8e4m3fn);
    assert_eq!(Vec::<f32>::try_from(f8.to_kind(Kind::Float)).unwrap(), [1., -2.]);
    let error = checkpoint.tensor("u16").unwrap_err().to_string();
    assert!(
        error.ends_with("`u16` is not a tensor but: tensor of U16, which libtorch lacks"),
        "{error}"
    );
}

/// A file of two tied tensors, large enough to be mapped.
fn large(folder: &Path) -> PathBuf {
    let path = folder.join("large.safetensors");
    let weight = Tensor::arange(30_000, (Kind::Float, Device::Cpu)).view([300, 100]);
    Tensor::write_safetensors(&[("a", &weight), ("b", &weight)], &path).unwrap();
    path
}

/// The memory of this process that is a private map of a file.
fn is_mapped(tensor: &Tensor, path: &Path) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let at = tensor.data_ptr() as usize;
    let hex = |text| usize::from_str_radix(text, 16).unwrap();
    maps.lines().any(|line| {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        (hex(from)..hex(to)).contains(&at)
            && rest.starts_with("rw-p")
            && rest.ends_with(path.to_str().unwrap())
    })
}

#[test]
fn large_tensors_are_maps_of_the_file_that_outlive_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = large(folder.path());
    let (first, second) = {
        let checkpoint = Checkpoint::open(&path).unwrap();
        (checkpoint.tensor("a").unwrap(), checkpoint.tensor("a").unwrap())
    };
    assert!(is_mapped(&first, &path) && is_mapped(&second, &path));
    let before = fs::read(&path).unwrap();
    // Written to, it changes neither the other tensor nor the file.
    let row = first.get(3);
    let _ = row.shallow_clone().fill_(-1.);
    drop(first);
    assert_eq!(row.double_value(&[99]), -1.);
    assert_eq!(second.double_value(&[3, 99]), 399.);
    assert_eq!(fs::read(&path).unwrap(), before);
    let at = row.shallow_clone();
    drop(row);
    assert!(is_mapped(&at, &path));
    drop((at, second));
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains(path.to_str().unwrap()), "all maps went with their tensors");
}

#[test]
fn a_parameter_is_trained_whatever_becomes_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = large(folder.path());
    let before = fs::read(&path).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let source = WeightSource::ours(&checkpoint);
    let (store, fresh) = (nn::VarStore::new(Device::Cpu), Fresh::default());
    let scope = VarBuilder::root(&store, &fresh).with_source(Some(&source));
    let mut a = scope.param("a", &[300, 100], nn::Init::Const(0.)).unwrap();
    let b = scope.param("b", &[300, 100], nn::Init::Const(0.)).unwrap();
    assert!(!is_mapped(&a, &path) && !is_mapped(&b, &path));
    assert!(a.is_leaf() && a.requires_grad());
    assert_eq!(fs::read(&path).unwrap(), before);
    // Cut off, a map would end the process at the next look at it; overwritten, it would change.
    fs::write(&path, []).unwrap();
    (&a * 2.).sum(Kind::Float).backward();
    let _ = tch::no_grad(|| a.g_sub_(&a.grad()));
    assert_eq!((a.double_value(&[0, 1]), b.double_value(&[0, 1])), (-1., 1.));
    let error = one_line(&source.tensor("a", &[300, 100]).unwrap_err());
    assert!(error.contains("cannot read"), "{error}");
}

/// A folder with copies of fixtures under new names.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in files {
        fs::copy(fixture(from), folder.path().join(to)).unwrap();
    }
    folder
}

#[test]
fn a_folder_means_the_first_published_file_or_its_only_checkpoint() {
    let opened = |files: &[(&str, &str)]| {
        let folder = folder(files);
        let checkpoint = Checkpoint::open(folder.path()).map_err(|e| one_line(&e))?;
        Ok::<_, String>(checkpoint.path().file_name().unwrap().to_str().unwrap().to_owned())
    };
    let (bin, safe) = (("parallel.pt", "pytorch_model.bin"), ("plain.safetensors", WEIGHTS));
    assert_eq!(opened(&[bin, safe]).unwrap(), WEIGHTS);
    assert_eq!(opened(&[bin, ("legacy.pth", "a.pth")]).unwrap(), "pytorch_model.bin");
    assert_eq!(opened(&[("legacy.pth", "a.pth")]).unwrap(), "a.pth");
    // What it is, its contents say.
    assert_eq!(opened(&[("plain.safetensors", "a.pth")]).unwrap(), "a.pth");
    let error = opened(&[("legacy.pth", "a.pth"), ("nested.pt", "b.pt")]).unwrap_err();
    assert!(
        error.ends_with("2 checkpoints in this folder (a.pth, b.pt); name one of them"),
        "{error}"
    );
    let error = opened(&[]).unwrap_err();
    assert!(error.contains("no model.safetensors in this folder, nor any"), "{error}");
}

#[test]
fn shards_are_beside_their_index() {
    let index = "sharded-safetensors/model.safetensors.index.json";
    let alone = folder(&[(index, "model.safetensors.index.json")]);
    let error = Checkpoint::open(alone.path()).unwrap_err().to_string();
    let wants = "the shard `model-00001-of-00002.safetensors` is missing; fetch it too";
    assert!(error.ends_with(wants), "{error}");
    for shard in ["b.safetensors/", "b/.", "../x.safetensors", "/etc/passwd", "a/b", ".", "..", ""]
    {
        let text = format!("{{\"weight_map\": {{\"a\": {shard:?}}}}}");
        fs::write(alone.path().join("model.safetensors.index.json"), text).unwrap();
        let error = Checkpoint::open(alone.path()).unwrap_err().to_string();
        assert!(error.ends_with(&format!("`{shard}`, which is not a file beside it")), "{error}");
    }
}

#[test]
fn a_safetensors_header_may_have_the_length_that_a_pickle_begins_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let entry = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let bytes = build_tests::safetensors(&format!("{entry:128}"), &1f32.to_le_bytes());
    assert_eq!(bytes[0], 0x80);
    fs::write(&path, bytes).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(checkpoint.format(), Format::Safetensors);
    assert_eq!(checkpoint.tensor("a").unwrap(), Tensor::from_slice(&[1f32]));
}

#[test]
fn strangers_are_told_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.bin");
    let mut tar = vec![0; 600];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, says) in [
        (&b""[..], "empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<!DOCTYPE html>", "web page"),
        (b"GGUF\x03\0\0\0\0\0\0\0", "it is GGUF"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (&tar, "tar format"),
        (b"{\"architectures\": []}", "not an index of shards"),
        (b"nothing in particular", "none of safetensors"),
        (b"\x80\x04N.", "not one that torch.save wrote"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = one_line(&Checkpoint::open(&path).unwrap_err());
        assert!(error.contains(says) && error.contains("file.bin"), "{error}");
    }
}
