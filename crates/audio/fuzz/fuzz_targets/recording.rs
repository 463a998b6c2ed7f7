//! Recordings of every kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosstune_audio_fuzz::decode(data));
