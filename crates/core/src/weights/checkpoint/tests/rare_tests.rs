//! Ways to write a tensor that today's PyTorch no longer has, or only for rare tensors.

use std::fs;

use tch::Kind;

use super::build_tests::{
    Pickle, TRUE, View, archive_64, dict_of, legacy, npy, pickle, safetensors, torch_records,
    torch_zip,
};
use super::*;
use crate::weights::checkpoint::checkpoint::Checkpoint;
use crate::weights::checkpoint::format::ONLY;

/// The values of the tensor `a` of a file.
fn values(bytes: &[u8]) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let names: Vec<_> = checkpoint.entries().map(|(name, _)| name).collect();
    assert_eq!(names, ["a"]);
    checkpoint.tensor("a").unwrap().flatten(0, -1).try_into().unwrap()
}

/// A dict with what `make` leaves on the stack as `a`.
fn of(make: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    torch_zip(&make(pickle().raw(b"}").text("a")).raw(b"s").stop())
}

const ALL: [f32; 6] = [0., 1., 2., 3., 4., 5.];

#[test]
fn every_way_to_rebuild_a_tensor() {
    assert_eq!(values(&of(|p| p.tensor(&TRUE))), ALL);
    let first = of(|p| {
        let p = p.global("torch._utils", "_rebuild_tensor").raw(b"(");
        p.storage("FloatStorage", "0", 6).int(2).ints(&[2]).ints(&[2]).raw(b"tR")
    });
    assert_eq!(values(&first), [2., 4.]);
    let cuda = of(|p| {
        let p = p.global("torch._utils", "_rebuild_tensor_v2").raw(b"((").text("storage");
        let p = p.global("torch.cuda", "FloatStorage").text("0").text("cuda:0").int(6).raw(b"tQ");
        p.int(0).ints(&[6]).ints(&[1]).raw(b"\x89}tR")
    });
    assert_eq!(values(&cuda), ALL);
    let untyped = of(|p| {
        let p = p.global("torch._utils", "_rebuild_tensor_v3").raw(b"((").text("storage");
        let p = p.global("torch.storage", "UntypedStorage").text("0").text("cpu").int(24);
        let p = p.raw(b"tQ").int(1).ints(&[5]).ints(&[1]).raw(b"\x89}");
        p.global("torch", "float32").raw(b"tR")
    });
    assert_eq!(values(&untyped), ALL[1..]);
    let parameter = of(|p| {
        let p = p.global("torch._utils", "_rebuild_parameter").raw(b"(").tensor(&TRUE);
        p.raw(b"\x88}tR")
    });
    assert_eq!(values(&parameter), ALL);
    let with_state = of(|p| {
        let p = p.global("torch._utils", "_rebuild_parameter_with_state").raw(b"(").tensor(&TRUE);
        p.raw(b"\x88}}tR")
    });
    assert_eq!(values(&with_state), ALL);
    let subclass = of(|p| {
        let p = p.global("torch._tensor", "_rebuild_from_type_v2").raw(b"(");
        let p = p.global("torch._utils", "_rebuild_tensor_v2").global("torch", "Tensor").raw(b"(");
        let p = p.storage("FloatStorage", "0", 6).int(3).ints(&[3]).ints(&[1]).raw(b"\x89}t");
        p.raw(b"}tR")
    });
    assert_eq!(values(&subclass), ALL[3..]);
}

#[test]
fn every_way_to_write_a_dict() {
    let pairs = pickle().global("collections", "OrderedDict").raw(b"(]]").text("a").raw(b"a");
    let pairs = pairs.tensor(&TRUE).raw(b"aatR").stop();
    assert_eq!(values(&torch_zip(&pairs)), ALL);
    let marked = pickle().raw(b"(U\x01a").tensor(&TRUE).raw(b"d").stop();
    assert_eq!(values(&torch_zip(&marked)), ALL);
    let framed = pickle().raw(b"\x95\0\0\0\0\0\0\0\0}\x94\x8c\x01a\x94").tensor(&TRUE).raw(b"s");
    assert_eq!(values(&torch_zip(&framed.stop())), ALL);
    let compiled = pickle().raw(b"}").text("module._orig_mod.a").tensor(&TRUE).raw(b"s").stop();
    assert_eq!(values(&torch_zip(&compiled)), ALL);
    let wrapped = pickle().raw(b"}").text("model").raw(b"}").text("a").tensor(&TRUE);
    assert_eq!(values(&torch_zip(&wrapped.raw(b"ss").stop())), ALL);
    let mut records = torch_records(&dict_of(&TRUE));
    assert_eq!(values(&archive_64(&records)), ALL);
    records.swap(0, 1);
    assert_eq!(values(&archive_64(&records)), ALL);
}

#[test]
fn a_legacy_storage_may_be_a_part_of_another() {
    let object = pickle().raw(b"}").text("a").global("torch._utils", "_rebuild_tensor").raw(b"((");
    let object = object.text("storage").global("torch", "FloatStorage").text("0").text("cpu");
    // Elements 2 to 4 of the storage, and of those the second.
    let object = object.int(6).raw(b"(").text("1").int(2).int(3).raw(b"ttQ");
    let object = object.int(1).ints(&[2]).ints(&[1]).raw(b"tRs").stop();
    let keys = pickle().raw(b"]").text("0").raw(b"a").stop();
    let bytes = ALL.map(f32::to_le_bytes).concat();
    let file = legacy(&object, &[&keys[..], &6_u64.to_le_bytes(), &bytes].concat());
    assert_eq!(values(&file), [3., 4.]);
}

#[test]
fn one_tensor_alone_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let view = View { shape: &[3], strides: &[2], ..TRUE };
    fs::write(&path, torch_zip(&pickle().tensor(&view).stop())).unwrap();
    let tensor = Checkpoint::open(&path).unwrap().tensor(ONLY).unwrap();
    assert_eq!(Vec::<f32>::try_from(tensor).unwrap(), [0., 2., 4.]);
}

#[test]
fn large_tensors_may_lie_askew() {
    // More than is read at once, and no multiple of it.
    let len = 1_300_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let want = Tensor::arange(len, (Kind::Float, Device::Cpu));
    let bytes: Vec<u8> = (0..len).flat_map(|n| (n as f32).to_le_bytes()).collect();
    let header =
        format!(r#"{{"a":{{"dtype":"F32","shape":[{len}],"data_offsets":[0,{}]}}}}"#, bytes.len());
    for skew in 0..4 {
        let header = format!("{header}{}", " ".repeat(skew));
        let file = safetensors(&header, &bytes);
        fs::write(&path, &file).unwrap();
        let checkpoint = Checkpoint::open(&path).unwrap();
        let (mut first, second) =
            (checkpoint.tensor("a").unwrap(), checkpoint.tensor("a").unwrap());
        assert_eq!(is_mapped(&first, &path), (8 + header.len()).is_multiple_of(4));
        assert_same("first", &first, &want);
        let _ = first.fill_(-1.);
        drop(checkpoint);
        assert_same("second", &second, &want);
        assert!(fs::read(&path).unwrap() == file, "the file is as it was");
    }
}

#[test]
fn a_bool_is_zero_or_one() {
    // As many as would be mapped if they were numbers.
    let (len, folder) = (1 << 20, tempfile::tempdir().unwrap());
    let path = folder.path().join("file");
    let header = format!(r#"{{"a":{{"dtype":"BOOL","shape":[{len}],"data_offsets":[0,{len}]}}}}"#);
    let bytes: Vec<u8> = [0, 1, 7, 0xff].repeat(len / 4);
    fs::write(&path, safetensors(&header, &bytes)).unwrap();
    let bools = Checkpoint::open(&path).unwrap().tensor("a").unwrap();
    let bytes = Vec::<u8>::try_from(bools.view_dtype(Kind::Uint8)).unwrap();
    assert!(bytes == [0, 1, 1, 1].repeat(len / 4));
}

#[test]
fn complex_numbers_of_either_order() {
    let header =
        |order| format!("{{'descr': '{order}c8', 'fortran_order': False, 'shape': (2,), }}\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let parts = [1_f32, -2., 3., 0.5];
    for (order, bytes) in
        [("<", parts.map(f32::to_le_bytes).concat()), (">", parts.map(f32::to_be_bytes).concat())]
    {
        fs::write(&path, npy(&header(order), &bytes)).unwrap();
        let tensor = Checkpoint::open(&path).unwrap().tensor(ONLY).unwrap();
        assert_eq!(tensor.kind(), Kind::ComplexFloat);
        let got = Vec::<f32>::try_from(tensor.view_as_real().flatten(0, -1)).unwrap();
        assert_eq!(got, parts);
    }
}
