//! Whether a JPEG file is whole.
//!
//! Decoders, ours among them, paint what is missing grey and say nothing. Training on such
//! pictures would go unnoticed, so the file is looked through for its end beforehand.

/// What a JPEG file begins with: the start-of-image marker.
pub(crate) const START: &[u8] = &[0xFF, 0xD8];

/// Whether the end-of-image marker is reached by way of the segments (ITU-T T.81, annex B): one
/// that belongs to a thumbnail inside a segment does not count, and what lies behind the end does
/// not matter.
pub(crate) fn is_whole(file: &[u8]) -> bool {
    let mut rest = file;
    while let Some((marker, behind)) = next_marker(rest) {
        rest = match marker {
            // Start of image, end of image.
            0xD8 => behind,
            0xD9 => return true,
            _ => {
                let length = behind.first_chunk().map(|&n| u16::from_be_bytes(n).into());
                match length.and_then(|length: usize| behind.get(length..)) {
                    Some(rest) => rest,
                    None => return false,
                }
            }
        };
    }
    false
}

/// The next marker that does not belong to the compressed data, and what follows it.
fn next_marker(mut file: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = file.iter().position(|&byte| byte == 0xFF)?;
        match *file.get(at + 1)? {
            // Filling before a marker.
            0xFF => file = &file[at + 1..],
            // An 0xFF of the data itself, a marker without meaning, a restart of the coder.
            0x00 | 0x01 | 0xD0..=0xD7 => file = &file[at + 2..],
            marker => return Some((marker, &file[at + 2..])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pictures_own_end_counts() {
        // Start, a segment with the end of a thumbnail in it, a scan with stuffing and restart.
        let open = [
            &[0xFF, 0xD8][..],
            &[0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 1, 2],
            &[0xFF, 0xDA, 0, 3, 9],
            &[7, 0xFF, 0x00, 0xD9, 0xFF, 0xD0, 8],
        ]
        .concat();
        assert!(!is_whole(&open));
        for end in [&[0xFF, 0xD9][..], &[0xFF, 0xFF, 0xD9], &[0xFF, 0xD9, 0, 0, 0xFF]] {
            let file = [&open, end].concat();
            assert!(is_whole(&file), "{end:?}");
            let end = file.iter().rposition(|&byte| byte == 0xD9).unwrap();
            for cut in 0..=end {
                assert!(!is_whole(&file[..cut]), "{cut} bytes");
            }
        }
    }
}
