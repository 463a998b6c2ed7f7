//! Parquet.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosstune_core_fuzz::table(data, "parquet"));
