//! The machine for pickles: the object of a legacy file, with a storage of six floats behind it.
#![no_main]

const BEFORE: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\
    \x80\x02M\xe9\x03.\x80\x02}.";
const AFTER: &[u8] = b"\x80\x02]U\x010a.\x06\0\0\0\0\0\0\0........................";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    crosstune_core_fuzz::file(&[BEFORE, data, AFTER].concat());
});
