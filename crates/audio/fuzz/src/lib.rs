//! The decoding of recordings, as the fuzz target calls it.
//!
//! ```text
//! cd crates/audio/fuzz
//! mkdir -p corpus/recording
//! cargo +nightly fuzz run recording corpus/recording ../tests/fixtures/files -- -malloc_limit_mb=64
//! ```
//!
//! Decoding knows no libtorch, so neither does the target: it compiles the same files.

#[allow(dead_code, unused_imports, reason = "the target uses a part of what the crate does")]
#[path = "../../src/recording/mod.rs"]
mod recording;

use recording::Recording;

/// Opens a file and decodes its beginning: as much as it promises, and no more than a second's worth
/// of work.
pub fn decode(data: &[u8]) {
    const MOST: usize = 1 << 18;
    let Ok(recording) = Recording::from_bytes(data.to_vec()) else { return };
    assert!(recording.sample_rate() > 0 && recording.channels() != Some(0));
    let promised = recording.samples();
    let Ok(samples) = recording.read(MOST) else { return };
    assert!(!samples.is_empty() && samples.len() <= MOST);
    assert!(samples.iter().all(|x| x.is_finite()));
    // An MP3's length may be an estimate.
    if data.starts_with(b"RIFF") {
        assert_eq!(Some(samples.len() as u64), promised.map(|n| n.min(MOST as u64)));
    }
}
