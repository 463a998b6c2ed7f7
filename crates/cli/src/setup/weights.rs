//! Pretrained weights as given on the command line: on disk, or on a hub and then fetched.

use std::path::{Path, PathBuf};

use anyhow::Result;
use crosstune_core::hub::{self, Event};
use indicatif::ProgressBar;

use crate::output::{progress, say};

/// The file or folder on disk that `--weights` names, with a bar for each file that is fetched.
pub(crate) fn local(weights: &Path) -> Result<PathBuf> {
    let mut bar: Option<(String, ProgressBar)> = None;
    let found = hub::local(weights, &mut |event| match event {
        Event::Waiting { file } => {
            say("waiting", format!("another process is fetching {file}"));
        }
        Event::Bytes { file, done, size } => {
            let moving = bar.take().filter(|(of, _)| of == file).map(|(_, bar)| bar);
            let moving = moving.unwrap_or_else(|| progress::fetching(file, done, size));
            moving.set_position(done);
            if done == size {
                moving.finish_and_clear();
            } else {
                bar = Some((file.to_owned(), moving));
            }
        }
    });
    if let Some((_, bar)) = bar {
        bar.finish_and_clear();
    }
    Ok(found?)
}
