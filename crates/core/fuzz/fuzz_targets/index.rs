//! Indices of shards.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosstune_core_fuzz::index(data));
