//! A `config.json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosstune_text_fuzz::config(data));
