//! PyTorch's zip archives, those of TorchScript, and whatever else a zip may be.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crosstune_core_fuzz::file(data));
