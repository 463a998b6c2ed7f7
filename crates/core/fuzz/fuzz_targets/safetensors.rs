//! safetensors: the header as text, with the length that it has, or all of it as it comes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    crosstune_core_fuzz::file(data);
    let end = data.iter().rposition(|&b| b == b'}').map_or(0, |at| at + 1);
    crosstune_core_fuzz::after(&(end as u64).to_le_bytes(), data);
});
