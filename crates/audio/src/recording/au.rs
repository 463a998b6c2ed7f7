//! AU files' headers, as Sun and NeXT made them: seven numbers, the highest byte first, and a comment.

use std::io::{BufReader, Read};

use super::{
    error::RecordingError,
    pcm::{Depth, Format, Order, Pcm},
    source::{Source, possible_rate},
};

/// The header without its comment, in bytes.
const SHORTEST: u32 = 24;

/// Reads the header of a file of `length` bytes, from its beginning.
pub(super) fn open(
    mut file: BufReader<Box<dyn Source>>,
    length: u64,
) -> Result<Pcm, RecordingError> {
    let broken = |problem: String| RecordingError::Broken { container: "AU", problem, at: None };
    let mut header = [[0; 4]; SHORTEST as usize / 4];
    file.read_exact(header.as_flattened_mut()).map_err(|_| broken("its header is cut".into()))?;
    let [_, start, promised, encoding, rate, channels] = header.map(u32::from_be_bytes);
    let depth = match encoding {
        1 => Depth::MuLaw,
        2 => Depth::I8,
        3 => Depth::I16,
        4 => Depth::I24,
        5 => Depth::I32,
        6 => Depth::F32,
        7 => Depth::F64,
        27 => Depth::ALaw,
        other => {
            let kind = format!("of a kind that is not read (AU encoding {other})");
            return Err(RecordingError::Unsupported(kind));
        }
    };
    if start < SHORTEST {
        return Err(broken(format!("its data begins within its header, at byte {start}")));
    }
    let sample_rate = possible_rate(rate).map_err(broken)?;
    let channels = match u16::try_from(channels) {
        Ok(channels) if channels > 0 => channels,
        _ => return Err(broken(format!("{channels} channels"))),
    };
    file.seek_relative(i64::from(start - SHORTEST))?;
    let format = Format { channels, sample_rate, depth, order: Order::Highest };
    // As many ones as there are: it was not known.
    let promised = (promised != u32::MAX).then(|| promised.into());
    Pcm::new(file, format, promised, length.saturating_sub(start.into()))
}
