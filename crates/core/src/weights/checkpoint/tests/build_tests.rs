//! Writers of checkpoints that need not be true.

/// A pickle in the making.
#[derive(Clone, Default)]
pub(super) struct Pickle(pub(super) Vec<u8>);

/// The protocol, as each pickle begins.
pub(super) fn pickle() -> Pickle {
    Pickle(vec![0x80, 2])
}

impl Pickle {
    /// Instructions as they are.
    pub(super) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    pub(super) fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n"))
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.raw(b"X").raw((text.len() as u32).to_le_bytes()).raw(text)
    }

    /// An integer of any size and sign, by `LONG1`.
    pub(super) fn int(self, n: i128) -> Self {
        let len = if i64::try_from(n).is_ok() { 8 } else { 16 };
        self.raw([0x8a, len]).raw(&n.to_le_bytes()[..len.into()])
    }

    pub(super) fn ints(self, items: &[i128]) -> Self {
        items.iter().fold(self.raw(b"("), |p, &n| p.int(n)).raw(b"t")
    }

    pub(super) fn storage(self, kind: &str, key: &str, len: i128) -> Self {
        let p = self.raw(b"(").text("storage").global("torch", kind).text(key);
        p.text("cpu").int(len).raw(b"tQ")
    }

    /// A tensor of the storage `0`.
    pub(super) fn tensor(self, view: &View) -> Self {
        let p = self.global("torch._utils", "_rebuild_tensor_v2").raw(b"(");
        let p = p.storage(view.kind, "0", view.len).int(view.offset);
        p.ints(view.shape).ints(view.strides).raw(b"\x89}tR")
    }

    pub(super) fn stop(self) -> Vec<u8> {
        self.raw(b".").0
    }
}

/// What a pickle says of a tensor.
#[derive(Clone)]
pub(super) struct View<'a> {
    pub(super) kind: &'a str,
    pub(super) len: i128,
    pub(super) offset: i128,
    pub(super) shape: &'a [i128],
    pub(super) strides: &'a [i128],
}

/// A view of all of a storage of 24 bytes.
pub(super) const TRUE: View<'_> =
    View { kind: "FloatStorage", len: 6, offset: 0, shape: &[2, 3], strides: &[3, 1] };

/// A dict with a tensor.
pub(super) fn dict_of(view: &View<'_>) -> Vec<u8> {
    pickle().raw(b"}").text("a").tensor(view).raw(b"s").stop()
}

/// A record of an archive, and what its headers say.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) name: Vec<u8>,
    pub(super) local_name: Vec<u8>,
    pub(super) bytes: Vec<u8>,
    pub(super) method: u16,
    pub(super) flags: u16,
    pub(super) packed: u32,
    pub(super) unpacked: u32,
    pub(super) crc: u32,
    /// Added to the true offset.
    pub(super) off: u32,
}

/// A stored record.
pub(super) fn record(name: impl AsRef<[u8]>, bytes: &[u8]) -> Record {
    let (name, len) = (name.as_ref().to_vec(), bytes.len() as u32);
    Record {
        local_name: name.clone(),
        name,
        bytes: bytes.to_vec(),
        method: 0,
        flags: 0,
        packed: len,
        unpacked: len,
        crc: 0,
        off: 0,
    }
}

/// A deflated record.
pub(super) fn deflated(name: &str, bytes: &[u8]) -> Record {
    use std::io::Write;
    let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let packed = record(name, &writer.finish().unwrap());
    Record { method: 8, unpacked: bytes.len() as u32, crc: crc.sum(), ..packed }
}

/// An archive; `count` records if not all.
pub(super) fn archive(records: &[Record], count: Option<u16>) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for r in records {
        let offset = (out.len() as u32).wrapping_add(r.off);
        let sizes = [r.crc, r.packed, r.unpacked].map(u32::to_le_bytes).concat();
        let shared =
            [&[20, 0][..], &r.flags.to_le_bytes(), &r.method.to_le_bytes(), &[0; 4], &sizes];
        let shared = shared.concat();
        let local_len = (r.local_name.len() as u16).to_le_bytes();
        let parts = [&b"PK\x03\x04"[..], &shared, &local_len, &[0; 2], &r.local_name, &r.bytes];
        out.extend(parts.concat());
        let len = (r.name.len() as u16).to_le_bytes();
        let parts = [&b"PK\x01\x02\x14\x00"[..], &shared, &len, &[0; 12], &offset.to_le_bytes()];
        directory.extend(parts.concat());
        directory.extend(&r.name);
    }
    let count = count.unwrap_or(records.len() as u16).to_le_bytes();
    let (size, offset) = (directory.len() as u32, out.len() as u32);
    out.extend(directory);
    out.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count].concat());
    out.extend([&size.to_le_bytes()[..], &offset.to_le_bytes(), &[0; 2]].concat());
    out
}

/// An archive all of whose numbers are in zip64 fields.
pub(super) fn archive_64(records: &[Record]) -> Vec<u8> {
    const WIDE: [u8; 4] = [0xff; 4];
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for r in records {
        let offset = (out.len() as u64).to_le_bytes();
        let lens = [u64::from(r.unpacked), u64::from(r.packed)].map(u64::to_le_bytes).concat();
        let name_len = (r.name.len() as u16).to_le_bytes();
        // No flags, stored, no time, no checksum, both lengths elsewhere.
        let shared = [&[45, 0][..], &[0; 12], &WIDE, &WIDE, &name_len].concat();
        out.extend([&b"PK\x03\x04"[..], &shared, &[20, 0], &r.name].concat());
        out.extend([&[1, 0, 16, 0][..], &lens, &r.bytes].concat());
        directory.extend([&b"PK\x01\x02\x2d\x00"[..], &shared, &[28, 0], &[0; 10]].concat());
        directory.extend([&WIDE[..], &r.name, &[1, 0, 24, 0], &lens, &offset].concat());
    }
    let start = (out.len() as u64).to_le_bytes();
    let size = (directory.len() as u64).to_le_bytes();
    let count = (records.len() as u64).to_le_bytes();
    out.extend(directory);
    let end = (out.len() as u64).to_le_bytes();
    out.extend([&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8]].concat());
    out.extend([count, count, size, start].concat());
    out.extend([&b"PK\x06\x07"[..], &[0; 4], &end, &[1, 0, 0, 0]].concat());
    out.extend([&b"PK\x05\x06"[..], &[0; 4], &[0xff; 12], &[0; 2]].concat());
    out
}

/// The records of a checkpoint of PyTorch with a storage `0` of 24 bytes.
pub(super) fn torch_records(pickle: &[u8]) -> Vec<Record> {
    let floats: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    vec![record("a/data.pkl", pickle), record("a/data/0", &floats)]
}

/// A checkpoint of PyTorch.
pub(super) fn torch_zip(pickle: &[u8]) -> Vec<u8> {
    archive(&torch_records(pickle), None)
}

/// A legacy checkpoint whose storages are `tail`: keys, lengths and bytes.
pub(super) fn legacy(object: &[u8], tail: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    [magic, &b"\x80\x02M\xe9\x03."[..], b"\x80\x02}.", object, tail].concat()
}

/// The keys and storages behind a legacy object with a storage `0`.
pub(super) fn legacy_tail() -> Vec<u8> {
    let keys = pickle().raw(b"]").text("0").raw(b"a").stop();
    [&keys[..], &6_u64.to_le_bytes(), &[0; 24]].concat()
}

/// A safetensors file.
pub(super) fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// An npy array.
pub(super) fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let len = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], header.as_bytes(), data].concat()
}
