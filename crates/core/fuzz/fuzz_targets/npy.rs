//! NumPy's arrays.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosstune_core_fuzz::after(b"\x93NUMPY", data));
