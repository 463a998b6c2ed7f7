//! Records: how TensorFlow frames the messages of a file.
//!
//! A record is the length of its data in 8 bytes, a checksum of these in 4, the data, and a checksum of it
//! in 4, all little-endian: <https://www.tensorflow.org/tutorials/load_data/tfrecord>.

use std::io::{self, Write};

/// Writes a record.
pub(super) fn write(out: &mut dyn Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(data)?;
    out.write_all(&masked(data).to_le_bytes())
}

/// The CRC-32C of the data, turned and shifted, so that the checksum of a file of checksums is none of
/// them.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The data of all records of a file, whose checksums must hold.
    pub(crate) fn read(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut records = vec![];
        while !file.is_empty() {
            let (length, rest) = file.split_at(8);
            let size = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let (checksum, rest) = rest.split_at(4);
            assert_eq!(checksum, masked(length).to_le_bytes());
            let (data, rest) = rest.split_at(size);
            let (checksum, rest) = rest.split_at(4);
            assert_eq!(checksum, masked(data).to_le_bytes());
            records.push(data.to_vec());
            file = rest;
        }
        records
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C, as RFC 3720 has it.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn what_was_written_is_read() {
        let mut file = vec![];
        for data in [&b"one"[..], b"", b"three"] {
            write(&mut file, data).unwrap();
        }
        assert_eq!(file.len(), 3 * 16 + 8);
        assert_eq!(read(&file), [&b"one"[..], b"", b"three"]);
    }
}
