//! Objects of classes that are not known: they are named, never made, and cost only what needs them.

use super::build_tests::{Pickle, TRUE, pickle, torch_zip};
use super::harness_tests::{any, check};
use super::*;

/// What is skipped, by name.
fn skipped(checkpoint: &Checkpoint) -> BTreeMap<String, String> {
    checkpoint.skipped().map(|(name, what)| (name.to_owned(), what.to_owned())).collect()
}

fn written(bytes: &[u8]) -> Result<Checkpoint, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    Checkpoint::open(&path).map_err(|e| one_line(&e))
}

#[test]
fn objects_beside_weights_are_skipped_and_named() {
    let state = expected("state/");
    for file in ["objects.pt", "objects.pth"] {
        let checkpoint = Checkpoint::open(fixture(file)).unwrap();
        assert_holds(&checkpoint, &state);
        let skipped = skipped(&checkpoint);
        for (name, what) in [
            ("args", "`argparse.Namespace`"),
            ("array", "NumPy array"),
            ("words", "NumPy array"),
            ("scalar", "NumPy scalar"),
            ("path", "`pathlib.PosixPath`"),
            ("hyper_parameters", "`__main__.AttributeDict`"),
            ("counts", "`collections.defaultdict`"),
            ("when", "`datetime.datetime`"),
            ("device", "device"),
            ("dtype", "type"),
            ("complex", "complex"),
            ("class", "`__main__.AttributeDict`"),
            ("function", "`__main__.arrays`"),
        ] {
            assert_eq!(skipped[name], format!("{what}, beside `model`"), "{file}: {name}");
        }
        assert!(skipped["range"].ends_with("range`, beside `model`"), "{}", skipped["range"]);
    }
}

#[test]
fn a_tensor_of_an_unknown_kind_is_refused_alone() {
    // A quantised tensor lies beside those above.
    let nested = of(|p| p.global("torch._utils", "_rebuild_qtensor").raw(b")R"));
    let by_type = of(|p| {
        let p = p.global("torch._tensor", "_rebuild_from_type_v2").raw(b"(");
        p.global("a", "rebuild").global("a", "Tensor").raw(b")}tR")
    });
    let by_storage = of(|p| {
        let p = p.global("torch._utils", "_rebuild_tensor_v2").raw(b"(");
        p.storage("QInt8Storage", "9", 6).int(0).ints(&[6]).ints(&[1]).raw(b"\x89}tR")
    });
    let parameter = of(|p| {
        let p = p.global("torch._utils", "_rebuild_parameter").raw(b"(");
        p.global("a", "rebuild").raw(b")R\x88}tR")
    });
    for (bytes, name) in [
        (nested, "torch._utils._rebuild_qtensor"),
        (by_type, "a.rebuild"),
        (by_storage, "torch.QInt8Storage"),
        (parameter, "a.rebuild"),
    ] {
        let checkpoint = written(&bytes).unwrap();
        assert_eq!(checkpoint.entries().count(), 1);
        let error = checkpoint.tensor("b").unwrap_err().to_string();
        assert!(error.ends_with(&format!("`b` is not a tensor but: `{name}`")), "{error}");
        let source = WeightSource::ours(&checkpoint);
        let error = source.tensor("b", &[6]).unwrap_err().to_string();
        assert!(error.contains(&format!("`b` holds `{name}`, which no weight can be")), "{error}");
    }
}

/// A dict of a true tensor `a`, and what `make` leaves on the stack as `b`.
fn of(make: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    let p = pickle().raw(b"}").text("a").tensor(&TRUE).raw(b"s").text("b");
    torch_zip(&make(p).raw(b"s").stop())
}

#[test]
fn a_whole_module_is_named_as_its_state_dict() {
    let state = expected("script.pt/");
    for file in ["whole.pt", "whole.pth"] {
        assert_holds(&Checkpoint::open(fixture(file)).unwrap(), &state);
    }
}

#[test]
fn a_kind_of_dict_holds_what_a_dict_holds() {
    let p = pickle().global("addict", "Dict").raw(b")\x81").text("a").tensor(&TRUE).raw(b"s.");
    assert!(written(&torch_zip(&p.0)).unwrap().entry("a").is_some());
}

#[test]
fn nothing_is_run_and_nothing_multiplies() {
    // What would run code is an object without a tensor like any other.
    for (module, name) in [("os", "system"), ("builtins", "eval"), ("builtins", "getattr")] {
        let run = of(|p| p.global(module, name).raw(b"(").text("touch /tmp/x").raw(b"tR"));
        let checkpoint = written(&run).unwrap();
        assert_eq!(skipped(&checkpoint)["b"], format!("`{module}.{name}`"));
    }
    let long = "x".repeat(1 << 20);
    let named = of(|p| p.global(&long, "a\x1b[2J").raw(b")R"));
    let what = &skipped(&written(&named).unwrap())["b"];
    assert!(what.len() < 500 && !what.contains('\x1b'), "{what}");
    let of = |name: &str, pickle: Vec<u8>| any(name, torch_zip(&pickle));
    let class = || pickle().global("a", "B").raw(b"q\x00");
    // Attributes that are looked through for each of many visits.
    let p = class().raw(b"0h\0)\x81}(").raw(b"K\x01N".repeat(100_000)).raw(b"ubq\x010](");
    let visits = p.raw(b"h\x01".repeat(200_000)).raw(b"e.").0;
    let itself = class().raw(b"0h\0)\x81q\x01}(").text("_modules").raw(b"}").text("a");
    let itself =
        itself.raw(b"h\x01s").text("_parameters").raw(b"}").text("_buffers").raw(b"}ub.").0;
    check(
        [
            of("a million calls", class().raw(b")R".repeat(1 << 20)).raw(b".").0),
            of("a million names", pickle().raw(b"ca\nb\n0".repeat(1 << 20)).raw(b"N.").0),
            of("items without end", class().raw(b"NNs".repeat(1 << 20)).raw(b".").0),
            of("attributes, often", visits),
            of("a module of itself", itself),
            of("long names, often", {
                let p = pickle().raw(b"(").global(&long, "b").raw(b"q\x00");
                p.raw(b"h\0".repeat(200_000)).raw(b"l").0
            }),
        ],
        6,
    );
}
