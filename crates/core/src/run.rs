//! Run folders: everything that a tuned model is.
//!
//! | file | holds |
//! |---|---|
//! | `spec.json` | the architecture ([`Spec`]) |
//! | `labels.json` | the classes, in the order of the logits |
//! | `model.safetensors` | the parameters, under our names |
//! | `preprocessing.json` | the modality's settings; `tokenizer.json` beside it for text |
//! | `metrics.jsonl` | a line per epoch ([`EpochRecord`](crate::EpochRecord)) |
//! | `result.json` | options, counts, the final evaluation |

use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tch::Device;

use crate::error::{Error, Result};
use crate::files::{beside, write_json};
use crate::modality::Modality;
use crate::model::{LoadParts, Model};
use crate::spec::{SPEC, Spec};
use crate::weights::{Checkpoint, WEIGHTS, WeightSource};

const LABELS: &str = "labels.json";

const METRICS: &str = "metrics.jsonl";

/// The file that tells how the run came about.
pub const RESULT: &str = "result.json";

/// A run folder in the making. It grows beside its place, as `.NAME.partial`, and takes the place
/// when it is whole; dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct RunWriter {
    place: PathBuf,
    partial: PathBuf,
}

impl RunWriter {
    /// Begins a run folder that is to be at `place`.
    ///
    /// # Errors
    /// If something is there already and is not to be replaced, or if no folder can be made there.
    pub fn create(place: impl Into<PathBuf>, replace: bool) -> Result<Self> {
        let place = place.into();
        if place.file_name().is_none() {
            let problem = format!("{}: expected the path of a new folder", place.display());
            return Err(Error::setting("--out", problem));
        }
        if place.exists() && !replace {
            let problem =
                format!("{} exists; name another folder, or add --overwrite", place.display());
            return Err(Error::setting("--out", problem));
        }
        if place.exists() && !place.join(SPEC).exists() {
            let problem = format!(
                "{} is not a run folder, so it is not overwritten; name another",
                place.display()
            );
            return Err(Error::setting("--out", problem));
        }
        let partial = beside(&place);
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(Error::io(&partial, "remove"))?;
        }
        fs::create_dir_all(&partial).map_err(Error::io(&partial, "create"))?;
        Ok(Self { place, partial })
    }

    /// The folder as it grows.
    pub fn folder(&self) -> &Path {
        &self.partial
    }

    /// Adds a line to `metrics.jsonl`.
    pub fn metric<T: Serialize>(&self, record: &T) -> Result<()> {
        let path = self.partial.join(METRICS);
        let line = serde_json::to_string(record)
            .map_err(|e| Error::Malformed { path: path.clone(), problem: e.to_string() })?;
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut f| writeln!(f, "{line}")).map_err(Error::io(&path, "write"))
    }

    /// Adds a file of the caller's.
    pub fn json<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        write_json(&self.partial.join(name), value)
    }

    /// Writes the model, its settings and the result, and puts the folder in its place.
    pub fn finish<M: Modality, R: Serialize>(
        self,
        model: &Model,
        modality: &M,
        result: &R,
    ) -> Result<()> {
        write_json(&self.partial.join(SPEC), model.spec())?;
        write_json(&self.partial.join(LABELS), &model.spec().labels)?;
        write_json(&self.partial.join(RESULT), result)?;
        modality.save(&self.partial)?;
        model.save(&self.partial.join(WEIGHTS))?;
        if self.place.exists() {
            fs::remove_dir_all(&self.place).map_err(Error::io(&self.place, "replace"))?;
        }
        fs::rename(&self.partial, &self.place).map_err(Error::io(&self.place, "write"))
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        // Gone already when the run was finished; and if it stays, the next run removes it.
        let _ = fs::remove_dir_all(&self.partial);
    }
}

/// Opens the tuned model of a run folder with its modality's settings.
///
/// # Errors
/// If it is not a run folder, of another modality, or if a file is missing or broken.
pub fn open<M: Modality>(folder: &Path, device: Device) -> Result<(Model, M)> {
    let spec = Spec::read(folder)?;
    if spec.modality != M::NAME {
        return Err(Error::Path {
            path: folder.to_path_buf(),
            problem: format!(
                "this model takes {} inputs; use crosstune-{}",
                spec.modality, spec.modality
            ),
        });
    }
    let modality = M::open(folder)?;
    let checkpoint = Checkpoint::open(folder)?;
    let source = WeightSource::ours(&checkpoint);
    let model = Model::new(spec, &modality, Some((&source, LoadParts::All)), device)?;
    Ok((model, modality))
}
