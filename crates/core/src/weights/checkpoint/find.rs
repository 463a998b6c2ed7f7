//! Which files a path means: a folder in Hugging Face layout, a file, or shards.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files::is_there;

/// The file that a folder in Hugging Face layout keeps its weights in.
pub const WEIGHTS: &str = "model.safetensors";

/// The file that a folder in Hugging Face layout keeps its architecture in.
pub const CONFIG: &str = "config.json";

/// The file that a folder in Hugging Face layout keeps the preprocessing of pictures or sound in.
pub const PREPROCESSOR: &str = "preprocessor_config.json";

/// The files that a folder in Hugging Face layout may keep its weights in, whole or in shards
/// listed by an index, as safetensors or pickled: the first one wins.
pub(crate) const PUBLISHED: [&str; 4] =
    [WEIGHTS, "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

/// The extensions that mark a file in a folder as a checkpoint. Its format is recognised by its
/// contents.
const ENDINGS: [&str; 8] = ["safetensors", "pt", "pth", "bin", "ckpt", "th", "npz", "npy"];

/// The checkpoint file in a folder, or the path itself if it is a file. What has the name of one but
/// is a pipe or a link that leads nowhere is found, too, for whoever opens it to name it.
///
/// # Errors
/// If there is none, or if there is more than one.
pub(super) fn file(given: &Path) -> Result<PathBuf> {
    let wrong = |problem: String| Error::Path { path: given.to_path_buf(), problem };
    if !given.exists() {
        let problem = "no such file or folder; name the pretrained weights or their folder";
        return Err(wrong(problem.into()));
    }
    if !given.is_dir() {
        return Ok(given.to_path_buf());
    }
    if let Some(found) = PUBLISHED.iter().map(|name| given.join(name)).find(|path| is_there(path)) {
        return Ok(found);
    }
    let others = by_ending(given)?;
    match &others[..] {
        [only] => Ok(only.clone()),
        [] => Err(wrong(format!(
            "no {WEIGHTS} in this folder, nor any other weights; name a folder or file that has"
        ))),
        [first, second, ..] => {
            let name = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
            let (first, second) = (name(first), name(second));
            Err(wrong(format!(
                "{} checkpoints in this folder ({first}, {second}{}); name one of them",
                others.len(),
                if others.len() > 2 { ", …" } else { "" }
            )))
        }
    }
}

/// The files in a folder that are checkpoints by their extensions, in alphabetical order.
fn by_ending(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(Error::io(folder, "read"))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| Ok(entry.map_err(Error::io(folder, "read"))?.path()))
        .collect::<Result<_>>()?;
    files.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ENDINGS.contains(&ending)) && !path.is_dir()
    });
    files.sort();
    Ok(files)
}

/// Whether a folder has whole weights, named as a publisher names them.
pub(crate) fn published(folder: &Path) -> bool {
    PUBLISHED.iter().any(|name| is_there(&folder.join(name)))
}

/// Whether a folder has no checkpoint in it.
pub(super) fn nothing(folder: &Path) -> bool {
    !published(folder) && by_ending(folder).is_ok_and(|files| files.is_empty())
}
