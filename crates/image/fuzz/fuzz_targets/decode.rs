//! Files of any format.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosstune_image_fuzz::file(data));
