//! Run folders: everything that a fine-tuned model consists of.
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
use crate::modality::{Modality, PREPROCESSING};
use crate::model::{LoadParts, Model};
use crate::spec::{LABELS, SPEC, Spec};
use crate::weights::{Checkpoint, WEIGHTS, WeightSource};

const METRICS: &str = "metrics.jsonl";

/// The file with the options and results of the training.
pub const RESULT: &str = "result.json";

/// A run folder in the making. It is written next to its destination, as `.NAME.partial`, and moved
/// there when it is complete; dropped before that, it leaves nothing.
#[derive(Debug)]
pub struct RunWriter {
    destination: PathBuf,
    partial: PathBuf,
}

impl RunWriter {
    /// Begins a run folder whose destination is `folder`.
    ///
    /// # Errors
    /// If something is there already and is not to be replaced, or if no folder can be made there.
    pub fn create(folder: impl Into<PathBuf>, replace: bool) -> Result<Self> {
        let destination = folder.into();
        if destination.file_name().is_none() {
            let problem = format!("{}: expected the path of a new folder", destination.display());
            return Err(Error::setting("--out", problem));
        }
        if destination.exists() && !replace {
            let problem = format!(
                "{} exists; name another folder, or add --overwrite",
                destination.display()
            );
            return Err(Error::setting("--out", problem));
        }
        if destination.exists() && !destination.join(SPEC).exists() {
            let problem = format!(
                "{} is not a run folder, so it is not overwritten; name another",
                destination.display()
            );
            return Err(Error::setting("--out", problem));
        }
        let partial = beside(&destination);
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(Error::io(&partial, "remove"))?;
        }
        fs::create_dir_all(&partial).map_err(Error::io(&partial, "create"))?;
        Ok(Self { destination, partial })
    }

    /// The folder while it is written.
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

    /// Writes the model, its settings and the result, and moves the folder to its destination.
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
        if self.destination.exists() {
            fs::remove_dir_all(&self.destination)
                .map_err(Error::io(&self.destination, "replace"))?;
        }
        fs::rename(&self.partial, &self.destination).map_err(Error::io(&self.destination, "write"))
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        // Gone already when the folder was finished; and if it stays, the next training removes it.
        let _ = fs::remove_dir_all(&self.partial);
    }
}

/// Opens the fine-tuned model of a run folder with its modality's settings.
///
/// # Errors
/// If it is not a run folder, of another modality, if a file is missing or broken, or if the weights
/// are not exactly those of the model that the specification describes.
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
    // Nobody gave these settings as options here: the file is to blame.
    let of_file = |error| match error {
        Error::Setting { .. } => {
            Error::Malformed { path: folder.join(PREPROCESSING), problem: error.to_string() }
        }
        other => other,
    };
    let modality = M::open(folder).map_err(of_file)?;
    if let Some(config) = modality.embedder_config(spec.trunk.accepts()) {
        config.validate().map_err(of_file)?;
    }
    let weights = folder.join(WEIGHTS);
    if !weights.is_file() {
        let problem =
            format!("no {WEIGHTS} in this run folder; copy the folder whole, or train again");
        return Err(Error::Path { path: folder.to_path_buf(), problem });
    }
    let checkpoint = Checkpoint::open(weights)?;
    let source = WeightSource::ours(&checkpoint);
    let model = Model::new(spec, &modality, Some((&source, LoadParts::All)), device)?;
    let others = checkpoint.skipped().map(|(name, _)| name);
    if let Some(name) = model.report().unused.iter().map(String::as_str).chain(others).next() {
        return Err(Error::Malformed {
            path: checkpoint.path().to_path_buf(),
            problem: format!(
                "the tensor `{}` has no place in the model of {SPEC}; one of the two files is of \
                 another run",
                name.escape_debug()
            ),
        });
    }
    Ok((model, modality))
}
