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
#[allow(dead_code, reason = "likewise")]
#[path = "../../src/resample.rs"]
mod resample;

use recording::Recording;

/// Opens a file and decodes its beginning: as much as it promises, and no more than a second's worth
/// of work.
pub fn decode(data: &[u8]) {
    const MOST: usize = 1 << 18;
    // libfuzzer's own would end the process at a library's panic that is caught, too. One that is not
    // ends it all the same.
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| ())));
    let Ok(recording) = Recording::from_bytes(data.to_vec()) else { return };
    assert!(recording.sample_rate() > 0 && recording.channels() != Some(0));
    let promised = recording.samples();
    let Ok(samples) = recording.read(MOST) else { return };
    assert!(!samples.is_empty() && samples.len() <= MOST);
    assert!(samples.iter().all(|x| x.is_finite()));
    if let Some(promised) = promised {
        assert_eq!(samples.len() as u64, promised.min(MOST as u64));
    }
    // What is decoded to its end is as long as it was counted.
    if samples.len() < MOST {
        let open = || Recording::from_bytes(data.to_vec());
        let counted = open().and_then(Recording::count);
        let verified = open().and_then(Recording::verify);
        assert_eq!(verified.ok(), Some(samples.len() as u64));
        assert!(counted.is_ok());
    }
}
