//! Files that are cut off, bent or claim what they do not hold.

use std::fs;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::build_tests::{
    Record, TRUE, archive, deflated, dict_of, legacy, legacy_tail, npy, pickle, record,
    safetensors, torch_records, torch_zip,
};
use super::fixture;
use super::harness_tests::{Case, any, check, fails, loads};

/// The fixtures of one file each.
const FILES: [&str; 11] = [
    "plain.safetensors",
    "nested.pt",
    "parallel.pt",
    "big.pt",
    "deflated.pt",
    "untyped.pt",
    "legacy.pth",
    "script.pt",
    "arrays.npz",
    "packed.npz",
    "array.npy",
];

#[test]
fn what_is_cut_off_fails_at_every_hundredth() {
    let cases = FILES.iter().flat_map(|file| {
        let whole = fs::read(fixture(file)).unwrap();
        (0..100).map(move |part| {
            let cut = whole[..whole.len() * part / 100].to_vec();
            fails(format!("{file} cut at {part} %"), cut, "")
        })
    });
    check(cases, 1100);
}

#[test]
fn flipped_bits_are_found_or_harmless() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut cases = Vec::new();
    for file in FILES {
        let whole = fs::read(fixture(file)).unwrap();
        for i in 0..300 {
            let mut bent = whole.clone();
            for _ in 0..=i % 3 {
                bent[random.random_range(0..whole.len())] ^= 1 << random.random_range(0..8);
            }
            cases.push(any(format!("{file} flipped, {i}"), bent));
        }
    }
    check(cases, 3300);
}

/// Headers of safetensors, with 8 bytes of data each.
fn headers() -> Vec<Case> {
    let of = |name: &str, header: &str, says| fails(name, safetensors(header, &[0; 8]), says);
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let two = |a: &str, b: &str| {
        let info =
            |name, at| format!(r#""{name}":{{"dtype":"F32","shape":[1],"data_offsets":{at}}}"#);
        format!("{{{},{}}}", info("a", a), info("b", b))
    };
    let length = |n: u64| [&n.to_le_bytes()[..], br#"{"a":1}"#].concat();
    let many =
        (0..300_000).map(|i| format!(r#""{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#));
    let many = format!("{{{}}}", many.collect::<Vec<_>>().join(","));
    let deep = format!(r#"{{"__metadata__":{}"#, "[".repeat(1 << 20));
    let wide = one("U8", &format!("[{}0]", "0,".repeat(1 << 20)), "[0,0]");
    let nan = [f32::NAN; 2].map(f32::to_le_bytes).concat();
    vec![
        fails("a header of 2^63 bytes", length(1 << 63), "header of 9223372036854775808 bytes"),
        fails("a header of 2^64 - 1 bytes", length(u64::MAX), "not a whole"),
        fails("a header of 100 MB", length(100_000_000), "not a whole"),
        fails("a header one byte too long", length(8), "not a whole"),
        fails("no header", length(0), "not a whole"),
        of("no JSON", "{", "not a whole"),
        of("a number", "{1}", "not a whole"),
        of("a name twice", &two("[0,4]", "[4,8]").replace("\"b\"", "\"a\""), "`a` twice"),
        of("an overlap", &two("[0,4]", "[0,4]"), "overlap"),
        of("half an overlap", &two("[0,4]", "[2,6]"), "overlap"),
        of("a range behind the end", &two("[0,4]", "[8,12]"), "at 8..12"),
        of(
            "a range at 2^64",
            &one("F32", "[1]", "[18446744073709551612,18446744073709551615]"),
            "not a whole",
        ),
        of("a range backwards", &one("F32", "[1]", "[4,0]"), "at 4..0"),
        of("a short range", &one("F32", "[2]", "[0,4]"), "at 0..4"),
        of("a long range", &one("F32", "[1]", "[0,8]"), "at 0..8"),
        of("a negative range", &one("F32", "[1]", "[-4,0]"), "not a whole"),
        of("a negative size", &one("F32", "[-1]", "[0,4]"), "not a whole"),
        of("a broken size", &one("F32", "[1.5]", "[0,4]"), "not a whole"),
        of("a huge size", &one("F32", "[9223372036854775807]", "[0,4]"), "too large"),
        of("an overflow", &one("F32", "[4294967296,4294967296,4]", "[0,4]"), "too large"),
        of("a hidden overflow", &one("F32", "[0,9223372036854775807,9]", "[0,0]"), "too large"),
        of("an unknown type", &one("F3\\n2", "[1]", "[0,4]"), "not a whole"),
        of("no type", r#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, "missing field `dtype`"),
        of("a million dimensions", &wide, "too many dimensions"),
        of("a million brackets", &deep, "not a whole"),
        of("300,000 tensors", &many, "too many tensors"),
        loads("NaNs", safetensors(&one("F32", "[2]", "[0,8]"), &nan)),
        loads("bools that are none", safetensors(&one("BOOL", "[8]", "[0,8]"), &[7; 8])),
        loads("a hole", safetensors(&one("F32", "[1]", "[4,8]"), &[0; 8])),
        loads("not aligned", safetensors(&one("F32", "[1]", "[1,5]"), &[0; 8])),
    ]
}

/// Archives that contradict themselves.
fn archives() -> Vec<Case> {
    let good = torch_records(&dict_of(&TRUE));
    let bent = |name: &str, bend: &dyn Fn(&mut Vec<Record>), says| {
        let mut records = good.clone();
        bend(&mut records);
        fails(name, archive(&records, None), says)
    };
    let named = |name: &'static str| {
        bent(name, &|r| r.push(record(name, b"x")), "is not named like a file in the archive")
    };
    let mut cases: Vec<Case> = [
        "../a",
        "a/../../b",
        "a/..",
        "..",
        "/etc/passwd",
        "\\a",
        "..\\a",
        "a\\..\\b",
        "C:\\a",
        "c:a",
        "a\0b",
        "",
    ]
    .map(named)
    .into();
    let zeros = vec![0; 64 << 20];
    let claims = |unpacked| {
        let mut r = deflated("a/data/0", &[0; 24]);
        r.unpacked = unpacked;
        r
    };
    let bomb = |r: &mut Vec<Record>| r[0] = deflated("a/data.pkl", &zeros);
    cases.extend([
        loads("the truth", archive(&good, None)),
        bent("a name twice", &|r| r.push(r[1].clone()), "is there twice"),
        bent("two checkpoints", &|r| r.push(record("b/data.pkl", b"N.")), "two checkpoints in one"),
        bent("a long name", &|r| r.push(record("a".repeat(5000), b"")), "is not named like"),
        bent("a name of no text", &|r| r.push(record([0xff], b"")), "not UTF-8"),
        bent("another local name", &|r| r[1].local_name = b"a/data/1".into(), "not where"),
        bent("encrypted", &|r| r[1].flags = 1, "is encrypted"),
        bent("packed by bzip2", &|r| r[1].method = 12, "packed by method 12"),
        bent("an offset amid", &|r| r[1].off = 3, "not where the directory says"),
        bent("a huge offset", &|r| r[1].off = u32::MAX / 2, "not where the directory says"),
        bent("cut off", &|r| (r[1].packed, r[1].unpacked) = (9999, 9999), "is cut off"),
        bent(
            "4 GB",
            &|r| (r[1].packed, r[1].unpacked) = (u32::MAX - 1, u32::MAX - 1),
            "is cut off",
        ),
        bent("zip64 without", &|r| r[1].packed = u32::MAX, "is cut off"),
        bent("two lengths", &|r| r[1].unpacked = 99, "says that its 24 bytes are 99"),
        bent(
            "an overlap",
            &|r| {
                // The second record lies within the first.
                let inner = archive(&r[1..], None);
                let len = inner.len() as u32;
                r[0].bytes = [&r[0].bytes[..], &inner].concat();
                (r[0].packed, r[0].unpacked) = (r[0].packed + len, r[0].unpacked + len);
                r[1].off = 0_u32.wrapping_sub(len);
                r[1].bytes.clear();
            },
            "overlap",
        ),
        bent("no pickle", &|r| drop(r.remove(0)), "neither PyTorch's nor NumPy's"),
        bent("no storage", &|r| drop(r.remove(1)), "no record data/`0`"),
        bent("an unknown order", &|r| r.push(record("a/byteorder", b"middle")), "byteorder"),
        bent("a deflated pickle of zeros", &bomb, "instruction"),
        bent("deflated 4 GB", &|r| r[1] = claims(u32::MAX - 1), "says that its"),
        bent("deflated more", &|r| r[1] = claims(48), "deflated record"),
        bent("deflated less", &|r| r[1] = claims(20), "its storage has 20 bytes"),
        bent(
            "another checksum",
            &|r| (r[1] = deflated("a/data/0", &[0; 24]), r[1].crc = 1).1,
            "not what was packed",
        ),
        bent(
            "deflated rubbish",
            &|r| (r[1].method, r[1].bytes) = (8, vec![0xff; 24]),
            "deflated record",
        ),
        fails("more records than there are", archive(&good, Some(3)), "3 records"),
        fails("65,535 records", archive(&good, Some(u16::MAX)), "65535 records"),
        fails("fewer records than there are", archive(&good, Some(1)), "more in its directory"),
        fails("an empty archive", archive(&[], None), "neither PyTorch's nor NumPy's"),
        fails("only the end", b"PK\x05\x06".into(), "no end record"),
        fails("rubbish behind", [archive(&good, None), vec![0; 9]].concat(), "no end record"),
    ]);
    cases
}

/// Arrays whose headers lie.
fn arrays() -> Vec<Case> {
    let header = |descr: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n")
    };
    let of = |name: &str, descr: &str, shape: &str, says| {
        let array = npy(&header(descr, shape), &[0; 24]);
        [
            fails(format!("{name}, npy"), array.clone(), says),
            fails(format!("{name}, npz"), archive(&[record("a.npy", &array)], None), says),
        ]
    };
    let mut cases: Vec<Case> = [
        of("objects", "'|O'", "(3,)", "Python objects"),
        of("objects in records", "[('a', '<f4'), ('b', '|O')]", "(2,)", "Python objects"),
        of("too much", "'<f4'", "(7,)", "takes 28 bytes, but 24 are there"),
        of("too little", "'<f4'", "(5,)", "takes 20 bytes, but 24 are there"),
        of("too wide", "'<f8'", "(6,)", "takes 48 bytes, but 24 are there"),
        of("an overflow", "'<f4'", "(4294967296, 4294967296, 4)", "too large"),
        of("a huge size", "'<f4'", "(9223372036854775807,)", "too large"),
        of("a size of 70 bits", "'<f4'", "(1180591620717411303424,)", "not a whole npy"),
        of("a negative size", "'<f4'", "(-6,)", "not a whole npy"),
        of("no tuple", "'<f4'", "6", "not a whole npy"),
        of("code", "__import__('os').system('true')", "(6,)", "not a whole npy"),
        of("65 dimensions", "'<f4'", &format!("({})", "1,".repeat(65)), "too large"),
        of(
            "a million dimensions",
            "'<f4'",
            &format!("({})", "1,".repeat(20_000)),
            "not a whole npy",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let text = header("'<f4'", "(6,)");
    cases.extend([
        loads("the truth", npy(&text, &[0; 24])),
        fails("a header of 64 kB", b"\x93NUMPY\x01\x00\xff\xff{".into(), "not a whole npy"),
        fails("a header of 4 GB", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".into(), "not a whole npy"),
        fails("version 9", b"\x93NUMPY\x09\x00\x01\x00{".into(), "not a whole npy"),
        fails(
            "a key twice",
            npy(&text.replace("{", "{'shape': (1,), "), &[0; 24]),
            "not a whole npy",
        ),
        fails("another key", npy(&text.replace("{", "{'code': 1, "), &[0; 24]), "not a whole npy"),
        fails("no key", npy("{}", &[0; 24]), "not a whole npy"),
        fails("no text", npy("{\u{7f}}", &[0; 24]), "not a whole npy"),
    ]);
    cases
}

/// Legacy files whose parts disagree.
fn legacies() -> Vec<Case> {
    let object = dict_of(&TRUE);
    let keys = |keys: &[&str]| {
        let p = keys.iter().fold(pickle().raw(b"]("), |p, key| p.text(key));
        p.raw(b"e").stop()
    };
    let tail = |names: &[&str], len: u64, bytes: usize| {
        [&keys(names)[..], &len.to_le_bytes(), &vec![0; bytes]].concat()
    };
    let of = |name: &str, tail: Vec<u8>, says| fails(name, legacy(&object, &tail), says);
    let version = legacy(&object, &legacy_tail());
    vec![
        loads("the truth", legacy(&object, &legacy_tail())),
        fails(
            "another version",
            [&version[..18], b"\xff\xff", &version[20..]].concat(),
            "version 1001",
        ),
        fails("another magic", b"\x80\x02K\x01.".into(), "not one that torch.save wrote"),
        of("no keys", vec![], "cut off"),
        of("keys of None", b"\x80\x02N.".into(), "no list of storages"),
        of("a key of None", b"\x80\x02]Na.".into(), "no text"),
        of("no storage", keys(&[]), "no storage `0`"),
        of("a strange storage", tail(&["9"], 6, 24), "nothing known is in the storage `9`"),
        of(
            "a storage twice",
            [tail(&["0", "0"], 6, 24), vec![6, 0, 0, 0, 0, 0, 0, 0], vec![0; 24]].concat(),
            "twice",
        ),
        of("a short length", tail(&["0"], 5, 24), "of another length"),
        of("a huge length", tail(&["0"], u64::MAX, 24), "of another length"),
        of("a storage cut off", tail(&["0"], 6, 23), "cut off"),
        of("a length cut off", [keys(&["0"]), vec![6, 0, 0]].concat(), "cut off"),
        fails("a zip's pickle alone", object.clone(), "not one that torch.save wrote"),
        loads("a zip of the same", torch_zip(&object)),
    ]
}

#[test]
fn files_that_lie_are_found_out() {
    check([headers(), archives(), arrays(), legacies()].into_iter().flatten(), 110);
}
