//! The frames of MPEG audio's layer III, one behind the other without a header before them (ISO/IEC
//! 11172-3, §2.4.1.3, and 13818-3, §2.4.2.3).

/// What a frame begins with.
const HEADER: usize = 4;

/// As many frames in a row are no accident.
const IN_A_ROW: usize = 4;

/// The length of the frame that begins with these bytes, in bytes; `None`: they are no header of one,
/// or the length is told nowhere.
fn frame(bytes: &[u8]) -> Option<usize> {
    /// In kbit/s.
    const FIRST: [usize; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const SECOND: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const RATES: [usize; 3] = [44_100, 48_000, 32_000];

    let &[0xff, kind, rates, _] = bytes.first_chunk::<HEADER>()? else { return None };
    let (version, layer) = (kind >> 3 & 3, kind >> 1 & 3);
    // The version that is not in use; a layer other than III.
    if kind >> 5 != 7 || version == 1 || layer != 1 {
        return None;
    }
    let is_first = version == 3;
    let kilobits = *if is_first { &FIRST } else { &SECOND }.get(usize::from(rates >> 4))?;
    let halved = match version {
        3 => 1,
        2 => 2,
        _ => 4,
    };
    let rate = RATES.get(usize::from(rates >> 2 & 3))? / halved;
    let padding = usize::from(rates >> 1 & 1);
    let bytes_of = if is_first { 144_000 } else { 72_000 };
    (kilobits > 0).then(|| bytes_of * kilobits / rate + padding)
}

/// Where the first of several frames in a row begins, of one version and rate.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    let begins = |&at: &usize| {
        let (mut next, mut frames) = (at, 0);
        let alike = |next: usize| {
            let header = bytes.get(next..next + HEADER)?;
            let first = &bytes[at..];
            (header[1] == first[1] && header[2] & 0x0c == first[2] & 0x0c).then_some(header)
        };
        while frames < IN_A_ROW {
            let Some(length) = alike(next).and_then(frame) else { return false };
            next += length;
            frames += 1;
        }
        true
    };
    (0..bytes.len()).filter(|&at| bytes[at] == 0xff).find(begins)
}

/// Whether these bytes, behind the last whole frame, are the beginning of one more.
pub(super) fn is_torn(tail: &[u8]) -> bool {
    match frame(tail) {
        Some(length) => tail.len() < length,
        None => tail.len() < HEADER && tail.first() == Some(&0xff),
    }
}
