//! Pretrained weights as given on the command line: on disk, or on a hub and then fetched.

use std::path::{Path, PathBuf};

use anyhow::Result;
use crosstune_core::adapter::{adapter_base, adapter_folder};
use crosstune_core::hub::{self, Event};
use crosstune_core::{Pretrained, WeightSource};
use indicatif::ProgressBar;

use crate::args::ReadArgs;
use crate::output::{progress, say};

/// Opens a pretrained model, fetched first if it is on a hub, and says what was chosen of it.
pub(crate) fn open(weights: &Path, read: &ReadArgs) -> Result<Pretrained> {
    let path = local(weights)?;
    // An adapter's base is fetched with a bar, too.
    let base = match (&read.base, adapter_folder(&path)) {
        (Some(base), _) => Some(local(base)?),
        (None, Some(adapter)) => Some(local(&adapter_base(&adapter)?)?),
        (None, None) => None,
    };
    let source = Pretrained::open_with(path, read.options(base.as_deref()))?;
    if let (Some(adapter), Some(base)) = (source.adapter(), &base) {
        say("adapter", format!("{} on {}", adapter.folder().display(), base.display()));
    }
    let naming = source.source().as_ref().map(WeightSource::naming).unwrap_or_default();
    if !naming.is_plain() {
        say("names", naming);
    }
    Ok(source)
}

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
