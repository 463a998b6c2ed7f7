//! PNG: files whose end is missing, and nothing else.

const MARK: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The chunk that stands at the end and holds nothing, with its checksum.
const END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

/// The whole chunks of a PNG file that lacks the last one (W3C, PNG, §5.3), and that chunk behind them.
/// `None`: it is no PNG, or has it. Whether all pixels are there is for the decoder to say.
pub(super) fn closed(file: &[u8]) -> Option<Vec<u8>> {
    /// Its length and kind before it, its checksum behind it.
    const AROUND: usize = 4 + 4 + 4;

    let mut rest = file.strip_prefix(MARK)?;
    while let Some((length, _)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        match rest.get(AROUND.checked_add(length)?..) {
            Some(_) if rest[4..].starts_with(b"IEND") => return None,
            Some(behind) => rest = behind,
            None => break,
        }
    }
    Some([&file[..file.len() - rest.len()], END].concat())
}
