//! JPEG files, with an end, so that the decoder is reached at once.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    crosstune_image_fuzz::file(&[b"\xFF\xD8", data, b"\xFF\xD9"].concat());
});
