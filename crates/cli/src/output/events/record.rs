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
pub(super) fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C, as RFC 3720 has it.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_has_its_length_in_front_and_a_checksum_behind_both() {
        let mut file = vec![];
        write(&mut file, b"three").unwrap();
        let length = 5_u64.to_le_bytes();
        let parts = [&length[..], &masked(&length).to_le_bytes(), b"three"].concat();
        assert_eq!(file, [&parts[..], &masked(b"three").to_le_bytes()].concat());
    }
}
