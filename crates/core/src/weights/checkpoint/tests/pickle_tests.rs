//! Pickles that mean harm, or nothing.

use super::build_tests::{Pickle, TRUE, View, dict_of, legacy, legacy_tail, pickle, torch_zip};
use super::harness_tests::{Case, any, check, fails, loads};

/// Names that run code, or that only make sense to code that runs.
const REFUSED: [(&str, &str); 25] = [
    ("os", "system"),
    ("posix", "system"),
    ("nt", "system"),
    ("subprocess", "Popen"),
    ("subprocess", "check_output"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("builtins", "__import__"),
    ("builtins", "open"),
    ("builtins", "apply"),
    ("__builtin__", "eval"),
    ("__builtin__", "getattr"),
    ("operator", "attrgetter"),
    ("operator", "methodcaller"),
    ("importlib", "import_module"),
    ("runpy", "_run_code"),
    ("webbrowser", "open"),
    ("pickle", "loads"),
    ("torch", "load"),
    ("torch.hub", "load"),
    ("torch._utils", "_rebuild_qtensor"),
    ("torch.storage", "_load_from_bytes"),
    ("argparse", "Namespace"),
    ("torchvision.models.resnet", "ResNet"),
];

/// Pickles by every way of the instructions, as the object of a zip and of a legacy file.
fn in_both(name: &str, pickle: &[u8], says: &'static str) -> [Case; 2] {
    [
        fails(format!("{name}, zip"), torch_zip(pickle), says),
        fails(format!("{name}, legacy"), legacy(pickle, &legacy_tail()), says),
    ]
}

#[test]
fn names_are_refused_by_name() {
    let cases = REFUSED.iter().flat_map(|(module, name)| {
        let called = pickle().global(module, name).raw(b"(").text("echo").raw(b"tR").stop();
        let pushed = pickle().text(module).text(name).raw(b"\x93.").0;
        let made = pickle().global(module, name).raw(b")\x81}b.").0;
        let says: &'static str = format!("refused: it asks for `{module}.{name}`").leak();
        let ways = [("called", called), ("pushed", pushed), ("made", made)];
        ways.into_iter()
            .flat_map(move |(way, bytes)| in_both(&format!("{module}.{name} {way}"), &bytes, says))
    });
    check(cases, 150);
}

/// Every byte as an instruction, alone and amid true ones.
fn instructions() -> Vec<Case> {
    let known = b".NJKMGXTUBC(01qrhj)]}tladesucRbQ";
    let is_known =
        |byte: u8| known.contains(&byte) || matches!(byte, 0x80..=0x81 | 0x85..=0x91 | 0x93..=0x96);
    (0..=u8::MAX)
        .flat_map(|byte| {
            let first = [&[byte][..], b"\0\0\0\0\0\0\0\0."].concat();
            let amid = pickle().raw(b"}").text("a").tensor(&TRUE).raw([byte]).raw(b"s.").0;
            let says = if is_known(byte) { "" } else { "instruction" };
            let (first, amid) = (torch_zip(&first), torch_zip(&amid));
            if is_known(byte) {
                [any(format!("{byte:#x} first"), first), any(format!("{byte:#x} amid"), amid)]
            } else {
                [
                    fails(format!("{byte:#x} first"), first, says),
                    fails(format!("{byte:#x} amid"), amid, says),
                ]
            }
        })
        .collect()
}

/// Tensors whose descriptions lie.
fn views() -> Vec<Case> {
    let max = i128::from(i64::MAX);
    let huge = [1 << 31, 1 << 31, 1 << 31];
    let bent = [
        ("one element too many", View { shape: &[7], strides: &[1], ..TRUE }, "does not fit"),
        ("an offset", View { offset: 1, ..TRUE }, "does not fit"),
        (
            "an offset at the end",
            View { offset: 6, shape: &[], strides: &[], ..TRUE },
            "does not fit",
        ),
        ("a huge offset", View { offset: max, ..TRUE }, "does not fit"),
        ("an offset of more than 64 bits", View { offset: 1 << 64, ..TRUE }, "do not fit"),
        ("a negative offset", View { offset: -1, ..TRUE }, "do not fit"),
        ("a wide stride", View { strides: &[6, 1], ..TRUE }, "does not fit"),
        ("a huge stride", View { strides: &[max, 1], ..TRUE }, "does not fit"),
        ("a negative stride", View { strides: &[-3, 1], ..TRUE }, "do not fit"),
        ("a negative size", View { shape: &[-2, 3], ..TRUE }, "do not fit"),
        ("a huge size", View { shape: &[max], strides: &[1], ..TRUE }, "too large"),
        (
            "a huge size of no stride",
            View { shape: &[1 << 40], strides: &[0], ..TRUE },
            "does not fit",
        ),
        ("an expansion", View { shape: &[7], strides: &[0], ..TRUE }, "does not fit"),
        ("an overflow", View { shape: &huge, strides: &[0, 0, 0], ..TRUE }, "too large"),
        (
            "a hidden overflow",
            View { shape: &[0, max, max], strides: &[1; 3], ..TRUE },
            "too large",
        ),
        ("too few strides", View { strides: &[1], ..TRUE }, "2 sizes, but 1 strides"),
        ("too many strides", View { strides: &[1, 1, 1], ..TRUE }, "2 sizes, but 3 strides"),
        ("65 dimensions", View { shape: &[1; 65], strides: &[1; 65], ..TRUE }, "do not fit"),
        ("a long storage", View { len: 7, ..TRUE }, "its storage has 24 bytes"),
        ("a huge storage", View { len: max, ..TRUE }, "its storage has 24 bytes"),
        ("a negative storage", View { len: -6, ..TRUE }, "not a storage"),
        ("a short storage", View { len: 5, ..TRUE }, "does not fit"),
        ("a wider type", View { kind: "DoubleStorage", ..TRUE }, "its storage has 24 bytes"),
        ("no type", View { kind: "TeapotStorage", ..TRUE }, "`torch.TeapotStorage`"),
        ("a type that is none", View { kind: "float32", ..TRUE }, "not a storage"),
    ];
    let legacy_of = |view| legacy(&dict_of(view), &legacy_tail());
    let mut cases: Vec<Case> = (bent.iter())
        .map(|(name, view, _)| fails(format!("{name}, legacy"), legacy_of(view), ""))
        .collect();
    cases.extend(
        bent.iter().map(|(name, view, says)| fails(*name, torch_zip(&dict_of(view)), says)),
    );
    cases.extend(
        [
            ("the truth", TRUE),
            ("a transpose", View { shape: &[3, 2], strides: &[1, 3], ..TRUE }),
            ("windows", View { shape: &[3, 2], strides: &[2, 1], ..TRUE }),
            ("an expansion within", View { shape: &[6], strides: &[0], ..TRUE }),
            ("nothing", View { shape: &[0, 9], strides: &[9, 1], offset: max, ..TRUE }),
            ("a size of one, a huge stride", View { shape: &[1], strides: &[max], ..TRUE }),
        ]
        .map(|(name, view)| loads(name, torch_zip(&dict_of(&view)))),
    );
    cases
}

/// Pickles that are no programs, or lead nowhere.
fn programs() -> Vec<Case> {
    let storage = |id: fn(Pickle) -> Pickle| id(pickle()).raw(b"Q.").0;
    let of = |name: &str, pickle: Vec<u8>, says| fails(name, torch_zip(&pickle), says);
    vec![
        of("nothing at all", vec![], "cut off"),
        of("only a protocol", vec![0x80, 2], "cut off"),
        of("protocol 6", vec![0x80, 6, b'N', b'.'], "protocol 6"),
        of("a stop on nothing", b"\x80\x02.".into(), "takes more than it made"),
        of("only None", b"\x80\x02N.".into(), "no tensor in it, only a None"),
        of("only a dict", b"\x80\x02}.".into(), "no tensor in it, only a dict"),
        of("takes beneath a mark", b"\x80\x02NN(\x86.".into(), "takes more"),
        of("a tuple of no mark", b"\x80\x02t.".into(), "takes more"),
        of("recalls nothing", b"\x80\x02h\x07.".into(), "never remembered"),
        of("remembers nothing", b"\x80\x02q\x00.".into(), "takes more"),
        of("a key without a value", b"\x80\x02}(Nu.".into(), "a key without a value"),
        of("adds to a dict", b"\x80\x02}Na.".into(), "no list"),
        of("sets in a list", b"\x80\x02]NNs.".into(), "no dict"),
        of("calls None", b"\x80\x02N)R.".into(), "calls a None"),
        of("calls with a list", pickle().global("torch", "Size").raw(b"]R.").0, "no tuple"),
        of("builds None", b"\x80\x02N}b.".into(), "gives a state to a None"),
        of("calls a type", pickle().global("torch", "FloatStorage").raw(b")R.").0, "do not fit"),
        of("names that are numbers", b"\x80\x02K\x01K\x02\x93.".into(), "not text"),
        of("a name without an end", b"\x80\x02cos".into(), "cut off"),
        of("a text that is not UTF-8", b"\x80\x02X\x01\0\0\0\xff.".into(), "not UTF-8"),
        of("a text of 4 GB", b"\x80\x02X\xff\xff\xff\xff.".into(), "cut off"),
        of("a text of 2^64 bytes", [&b"\x80\x04\x8d"[..], &[0xff; 8]].concat(), "cut off"),
        of("bytes of 2^64 bytes", [&b"\x80\x04\x8e"[..], &[0xff; 8]].concat(), "cut off"),
        of("an array of 2^64 bytes", [&b"\x80\x05\x96"[..], &[0xff; 8]].concat(), "cut off"),
        of("an integer of 4 GB", b"\x80\x02\x8b\xff\xff\xff\xff.".into(), "cut off"),
        of("extension 1", b"\x80\x02\x82\x01.".into(), "instruction EXT1"),
        of("extension 2", b"\x80\x02\x83\x01\x01.".into(), "instruction EXT2"),
        of("extension 4", b"\x80\x02\x84\x01\0\0\0.".into(), "instruction EXT4"),
        of("INST", b"\x80\x02(ios\nsystem\n.".into(), "instruction INST"),
        of("OBJ", b"\x80\x02(No.".into(), "instruction OBJ"),
        of("a persistent text", b"\x80\x02P0\n.".into(), "instruction PERSID"),
        of("an id that is None", storage(|p| p.raw(b"N")), "not a storage"),
        of("an id that is text", storage(|p| p.text("storage")), "not a storage"),
        of("an empty id", storage(|p| p.raw(b")")), "not a storage"),
        of(
            "an id of a module",
            storage(|p| p.raw(b"(").text("module").raw(b"NNNt")),
            "not a storage",
        ),
        of("an id of Nones", storage(|p| p.raw(b"(NNNNNt")), "not a storage"),
        of(
            "an id of a number",
            storage(|p| {
                p.raw(b"(").text("storage").global("torch", "FloatStorage").raw(b"K\0NK\x01t")
            }),
            "not a storage",
        ),
        of("an id with too much", storage(|p| p.raw(b"(NNNNNNNt")), "not a storage"),
        of(
            "a view that ends behind",
            storage(|p| {
                let p = p.raw(b"(").text("storage").global("torch", "FloatStorage").text("0");
                p.text("cpu").int(6).raw(b"(").text("1").int(4).int(3).raw(b"tt")
            }),
            "not a storage",
        ),
        of(
            "a tensor of None",
            pickle().global("torch._utils", "_rebuild_tensor").raw(b"(NNNNtR.").0,
            "do not fit",
        ),
        of(
            "a negated tensor",
            {
                let p = pickle().global("torch._utils", "_rebuild_tensor_v2").raw(b"(");
                let p = p.storage("FloatStorage", "0", 6).int(0).ints(&[6]).ints(&[1]);
                p.raw(b"\x89}}").text("neg").raw(b"\x88stR.").0
            },
            "do not fit",
        ),
        of(
            "a function from a type",
            {
                let p = pickle().global("torch._tensor", "_rebuild_from_type_v2");
                p.raw(b"(").global("torch._tensor", "_rebuild_from_type_v2").raw(b"N)NtR.").0
            },
            "do not fit",
        ),
        of(
            "a storage that is not there",
            {
                let p = pickle().global("torch._utils", "_rebuild_tensor_v2").raw(b"(");
                p.storage("FloatStorage", "../../etc/passwd", 6)
                    .int(0)
                    .ints(&[6])
                    .ints(&[1])
                    .raw(b"tR.")
                    .0
            },
            "no record data/",
        ),
        of(
            "two tensors of one name",
            {
                let p = pickle().raw(b"}").text("a").tensor(&TRUE).raw(b"s");
                p.text("a").tensor(&TRUE).raw(b"s.").0
            },
            "two tensors are called `a`",
        ),
        of(
            "two tensors of one path",
            {
                let p = pickle().raw(b"}").text("a.b").tensor(&TRUE).raw(b"s").text("a");
                p.raw(b"}").text("b").tensor(&TRUE).raw(b"ss.").0
            },
            "two tensors are called `a.b`",
        ),
        of(
            "a name with a line's end",
            {
                pickle().raw(b"}").text("a\n\x1b[2J").tensor(&View { len: 99, ..TRUE }).raw(b"s.").0
            },
            "`a\\n",
        ),
    ]
}

/// Nests and references that multiply.
fn bombs() -> Vec<Case> {
    const MB: usize = 1 << 20;
    let of = |name: &str, pickle: Vec<u8>| any(name, torch_zip(&pickle));
    let mut cases = vec![
        of("a million marks", vec![b'('; MB]),
        of("a million lists", vec![b']'; MB]),
        of("a million dicts", vec![b'}'; MB]),
        of("a million Nones", vec![b'N'; MB]),
        of("ten million Nones", vec![b'N'; 10 * MB]),
        of("a million tuples in one another", [vec![b')'], vec![0x85; MB], vec![b'.']].concat()),
        of("lists in lists", [vec![b']'; MB / 2], vec![b'a'; MB / 2 - 1], vec![b'.']].concat()),
        of("tuples of marks", [vec![b'('; MB / 2], vec![b't'; MB / 2], vec![b'.']].concat()),
        of("a million memos", [vec![b'N'], vec![0x94; MB], vec![b'.']].concat()),
        of("a list of itself", b"\x80\x02]q\0h\0a.".into()),
        of("a dict of itself", pickle().raw(b"}q\0").text("a").raw(b"h\0s.").0),
    ];
    // Each level holds the one below ten times.
    let mut laughs = pickle().raw(b"]q\0").0;
    let mut dicts = pickle().raw(b"}").text("w").tensor(&TRUE).raw(b"sq\0").0;
    for level in 1..=200 {
        let below = [b'h', level - 1].repeat(10);
        laughs.extend([&b"]("[..], &below, b"eq", &[level]].concat());
        dicts.extend(b"}(");
        for key in 0..10 {
            dicts.extend([&[b'K', key, b'h', level - 1][..]].concat());
        }
        dicts.extend([b'u', b'q', level]);
    }
    cases.push(of("a billion laughs", [laughs, vec![b'.']].concat()));
    cases.push(of("a billion tensors", [dicts, vec![b'.']].concat()));
    // One dict with many entries and a long key, many times over.
    let long = "k".repeat(MB);
    let p = pickle().text(&long).raw(b"q\x010}(");
    let p = p.raw(b"h\x01N".repeat(100_000)).raw(b"uq\0](").raw(b"h\0".repeat(200_000));
    cases.push(of("a long name, often", p.raw(b"e.").0));
    let p = pickle().raw(b"}(").raw(b"K\x01N".repeat(100_000)).text("state").raw(b"N");
    let p = p.text("param_groups").raw(b"Nuq\0](").raw(b"h\0".repeat(200_000));
    cases.push(of("an optimizer, often", p.raw(b"e.").0));
    let p = pickle().raw(b"}(").raw(b"K\x01N".repeat(100_000)).raw(b"uq\0").text("state_dict");
    let p = p.raw(b"q\x010}(").raw(b"h\x01h\0".repeat(200_000));
    cases.push(of("wrapped, often", p.raw(b"u.").0));
    // Fifty thousand views of one storage.
    let mut p = pickle().global("torch._utils", "_rebuild_tensor_v2").raw(b"q\x000");
    p = p.storage("FloatStorage", "0", 6).raw(b"q\x010").ints(&[1]).raw(b"q\x020}(");
    for key in 0..50_000_u16 {
        p = p.raw([b'M', key as u8, (key >> 8) as u8]).raw(b"h\0(h\x01K\0h\x02h\x02\x89}tR");
    }
    cases.push(loads("many tensors", torch_zip(&p.raw(b"u").stop())));
    // One argument list, copied by each call.
    let p = pickle().raw(b"(").raw(b"N".repeat(100_000)).raw(b"tq\0").global("torch", "Size");
    let p = p.raw(b"q\x010").raw(b"h\x01h\0R0".repeat(100_000));
    cases.push(of("calls with much", p.raw(b"N.").0));
    cases
}

#[test]
fn pickles_are_refused_or_read_and_take_no_more_than_they_may() {
    check([instructions(), views(), programs(), bombs()].into_iter().flatten(), 600);
}
