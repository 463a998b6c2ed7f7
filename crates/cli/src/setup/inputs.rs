//! What a model is asked about: files, folders and tables that are named on the command line.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::Result;
use crosstune_core::{
    BadSample, Error, Item, Layout, MemoryBudget, Modality, ReadMode, Samples, data,
    loader::refuse_bad,
};

use crate::args::LayoutArgs;
use crate::output::{say, say_ignored, say_skipped, skipped};

/// Refuses files that are not there, before a model is read for them.
pub(crate) fn refuse_absent(files: &[PathBuf]) -> Result<()> {
    match files.iter().find(|file| !file.exists()) {
        Some(absent) => {
            let problem = "no such file or folder".into();
            Err(Error::Path { path: absent.clone(), problem }.into())
        }
        None => Ok(()),
    }
}

/// The inputs in some files, and their samples, in the same order. What is left out is said.
///
/// # Errors
/// If there is none, or if one is bad and bad ones are not to be skipped.
pub(crate) fn read<M: Modality>(
    modality: &M,
    files: &[PathBuf],
    layout: &LayoutArgs,
    skip_bad: bool,
) -> Result<(Vec<Item>, Samples)> {
    let layout = Layout { pairs: modality.takes_pairs(), skip_bad, ..layout.layout::<M>()? };
    let (mut items, mut unusable) = (vec![], vec![]);
    for file in files {
        let mut found = data::inputs(file, &layout)?;
        items.append(&mut found.items);
        unusable.append(&mut found.bad);
        found.notes.iter().for_each(|note| say("note", note));
        say_ignored(&found.ignored, M::SAMPLES);
    }
    let (samples, bad) =
        Samples::read(modality, &items, ReadMode::Inference, &mut MemoryBudget::default(), || ());
    let bad = refuse_bad(bad, skip_bad, !samples.is_empty())?;
    say_skipped(&skipped(&unusable, &bad), M::SAMPLES);
    leave_out(&mut items, &bad);
    Ok((items, samples))
}

/// Leaves only those items that are not bad.
pub(crate) fn leave_out(items: &mut Vec<Item>, bad: &[BadSample]) {
    let places: HashSet<_> = bad.iter().map(|one| &one.place).collect();
    items.retain(|item| !places.contains(&item.place));
}
