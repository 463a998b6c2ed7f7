//! What PyTorch before 1.6 wrote, with its magic number or behind it.
#![no_main]

const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if data.starts_with(MAGIC) {
        crosstune_core_fuzz::file(data);
    } else {
        crosstune_core_fuzz::after(MAGIC, data);
    }
});
