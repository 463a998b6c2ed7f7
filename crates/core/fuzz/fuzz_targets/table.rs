//! CSV, TSV and JSON Lines.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    crosstune_core_fuzz::table(rest, ["csv", "tsv", "jsonl"][usize::from(*kind) % 3]);
});
