//! What PyTorch before 1.6 wrote, behind its magic number.
#![no_main]

const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosstune_core_fuzz::after(MAGIC, data));
