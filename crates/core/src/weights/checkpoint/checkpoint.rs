//! A checkpoint: named tensors on disk, their shapes and types known before any of their data is
//! touched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use tch::{Kind, Tensor};

use super::find;
use super::format::{Format, Keys, Stored, index, quote, recognise};
use super::mapped::{Mapped, Memory};
use super::naming::{Copies, below, without_wrappers};
use crate::error::{Error, Result};
use crate::files::is_there;
use crate::weights::names::nearest;

/// A checkpoint: memory-mapped files of named tensors, and the folder they were published in.
///
/// A file's format is recognised by its contents. Nothing in a file is executed, and its claims are
/// checked against its length before memory is allocated.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    format: Format,
    files: Vec<Mapped>,
    entries: BTreeMap<String, Entry>,
    skipped: BTreeMap<String, String>,
    key: Option<String>,
    copies: Option<Copies>,
    between: BTreeSet<&'static str>,
}

/// What is known of a stored tensor without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The element type.
    pub kind: Kind,
    /// The shape.
    pub shape: Vec<i64>,
    file: usize,
    stored: Stored,
}

impl Entry {
    /// The number of elements.
    pub fn numel(&self) -> i64 {
        self.shape.iter().product()
    }
}

impl Checkpoint {
    /// Opens a file of any [`Format`], an index of shards (`….index.json`), or a folder in Hugging
    /// Face layout: `model.safetensors`, else its index, else `pytorch_model.bin`, else its index,
    /// else the one checkpoint in it.
    ///
    /// # Errors
    /// If there is no such file, if it is broken, or if it asks for anything but tensors and plain
    /// values.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_below(path, None)
    }

    /// The same of the tensors below `key` alone, by the names that they have there: `state_dict_ema`
    /// of a training checkpoint that holds averaged weights beside the raw ones in `state_dict`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if nothing is below the key.
    pub fn open_below(path: impl AsRef<Path>, key: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        let mut checkpoint = match key {
            None => Self::read(path, Keys::Unwrapped)?,
            // As names are told where a key was found, or as they are in the file.
            Some(key) => match Self::read(path, Keys::Unwrapped)?.below(key) {
                Ok(found) => found,
                Err(_) => Self::read(path, Keys::Kept)?.below(key)?,
            },
        };
        checkpoint.leave_out_wrappers();
        Ok(checkpoint)
    }

    /// What is below a key.
    fn below(mut self, key: &str) -> Result<Self> {
        self.entries = below(self.entries, key).map_err(|problem| {
            let problem = format!("{problem}, in {}", self.path.display());
            Error::setting("--weights-key", problem)
        })?;
        self.skipped = below(self.skipped, key).unwrap_or_default();
        (self.key, self.copies) = (Some(key.into()), None);
        Ok(self)
    }

    fn read(path: &Path, keys: Keys) -> Result<Self> {
        let path = find::file(path)?;
        let first = Mapped::open(&path)?;
        if !(first.data().starts_with(b"{") && recognise::is_text(first.data())) {
            let contents =
                recognise::read(first.data(), keys).map_err(|problem| first.malformed(problem))?;
            let mut checkpoint = Self::empty(path, contents.format);
            checkpoint.skipped = contents.skipped;
            checkpoint.copies = contents.chosen.map(|(taken, left)| Copies { taken, left });
            for (name, stored) in contents.tensors {
                checkpoint.add(name, stored);
            }
            checkpoint.add_file(first);
            return Ok(checkpoint);
        }
        let shards = index::shards(first.data()).map_err(|problem| first.malformed(problem))?;
        let mut checkpoint = Self::empty(path, Format::Safetensors);
        for (shard, names) in shards {
            let path = checkpoint.folder().join(&shard);
            if !is_there(&path) {
                let problem = format!("the shard {} is missing; fetch it too", quote(&shard));
                return Err(first.malformed(problem));
            }
            let file = Mapped::open(&path)?;
            let mut contents =
                recognise::read(file.data(), keys).map_err(|problem| file.malformed(problem))?;
            checkpoint.format = contents.format;
            for name in names {
                let stored = contents.tensors.remove(&name).ok_or_else(|| {
                    let index = checkpoint.path.display();
                    file.malformed(format!("no tensor {}, which {index} puts there", quote(&name)))
                })?;
                checkpoint.add(name, stored);
            }
            checkpoint.add_file(file);
        }
        Ok(checkpoint)
    }

    /// A checkpoint without tensors, for an architecture at `path`.
    pub(crate) fn none(path: PathBuf) -> Self {
        Self::empty(path, Format::Safetensors)
    }

    /// Whether a folder has no checkpoint in it.
    pub(crate) fn lacks(folder: &Path) -> bool {
        find::nothing(folder)
    }

    fn empty(path: PathBuf, format: Format) -> Self {
        let (entries, skipped) = (BTreeMap::new(), BTreeMap::new());
        let (key, copies, between) = (None, None, BTreeSet::new());
        Self { path, format, files: vec![], entries, skipped, key, copies, between }
    }

    /// Adds the file of the tensors added last.
    fn add_file(&mut self, file: Mapped) {
        file.release();
        self.files.push(file);
    }

    /// Adds a tensor of the file that is added next.
    fn add(&mut self, name: String, stored: Stored) {
        match kind(stored.dtype) {
            Some(kind) => {
                let shape = stored.shape.iter().map(|&n| n as i64).collect();
                let file = self.files.len();
                self.entries.insert(name, Entry { kind, shape, file, stored });
            }
            None => {
                let what = format!("tensor of {}, which libtorch lacks", stored.dtype);
                self.skipped.insert(name, what);
            }
        }
    }

    /// Names tensors without the words that wrappers put between those of a model; all as they are if
    /// two would be called alike.
    fn leave_out_wrappers(&mut self) {
        let clean: BTreeMap<&String, _> =
            self.entries.keys().filter_map(|name| Some((name, without_wrappers(name)?))).collect();
        let taken = |name: &str| self.entries.contains_key(name);
        let new: BTreeSet<&str> = clean.values().map(|(name, _)| name.as_str()).collect();
        if new.len() < clean.len() || new.iter().any(|name| taken(name)) {
            return;
        }
        let between = clean.values().flat_map(|(_, words)| words.iter().copied()).collect();
        let renamed: Vec<_> = clean.into_iter().map(|(old, (new, _))| (old.clone(), new)).collect();
        for (old, new) in renamed {
            let entry = self.entries.remove(&old);
            self.entries.extend(entry.map(|entry| (new, entry)));
        }
        self.between = between;
    }

    /// The key below which it was opened, if one was named.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Of several copies of a model under keys of a training checkpoint, the one that is read.
    pub fn copies(&self) -> Option<&Copies> {
        self.copies.as_ref()
    }

    /// The words of wrappers that stand between those of a model in the file and are left out of its
    /// tensors' names: `_orig_mod`.
    pub fn left_out(&self) -> impl Iterator<Item = &'static str> {
        self.between.iter().copied()
    }

    /// The file that holds the tensors, or the index of the files that do.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that the file lies in, with its `config.json` and tokenizer.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// How the tensors are stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The files that the tensors are in: one, or all shards.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(Mapped::path)
    }

    /// All tensors by name, in alphabetical order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> + Clone {
        self.entries.iter().map(|(n, e)| (n.as_str(), e))
    }

    /// What is known of one tensor.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether the file has something of this name, a tensor or other contents.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name) || self.skipped.contains_key(name)
    }

    /// Other named contents of the file, and what they are: the epoch, an optimizer, a tensor of a
    /// type that libtorch lacks.
    pub fn skipped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.skipped.iter().map(|(name, what)| (name.as_str(), what.as_str()))
    }

    /// One tensor, contiguous, on the CPU and in the type it is stored in.
    ///
    /// Where the file has it in that form, it is not a copy but a private map of the file: pages
    /// are read when they are touched, and copied when they are written to. Each call makes an
    /// independent tensor: writing to it changes neither the file nor any other. Whoever overwrites
    /// or shortens the file changes it, or ends the process (`SIGBUS`): for what is kept, there is
    /// [`read_tensor`](Self::read_tensor).
    ///
    /// # Errors
    /// If there is no such tensor, or if its record is broken where [`Checkpoint::open`] did not
    /// look: within compressed data.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        self.kept(name, Memory::Mapped)
    }

    /// The same in memory of its own, whatever becomes of the file afterwards.
    ///
    /// # Errors
    /// As [`tensor`](Self::tensor), and if the file has become shorter.
    pub fn read_tensor(&self, name: &str) -> Result<Tensor> {
        self.kept(name, Memory::Own)
    }

    fn kept(&self, name: &str, memory: Memory) -> Result<Tensor> {
        let Some(entry) = self.entries.get(name) else {
            let problem = match (
                self.skipped.get(name),
                nearest(name, self.entries.keys().map(String::as_str)),
            ) {
                (Some(what), _) => format!("{} is not a tensor but: {what}", quote(name)),
                (None, Some((_, near))) => {
                    format!("no tensor {} (did you mean {}?)", quote(name), quote(near))
                }
                (None, None) => format!("no tensor {}", quote(name)),
            };
            return Err(Error::Malformed { path: self.path.clone(), problem });
        };
        self.files[entry.file].tensor(entry.kind, &entry.shape, &entry.stored, memory)
    }
}

/// The libtorch type of elements, if there is one.
fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::BOOL => Kind::Bool,
        Dtype::U8 => Kind::Uint8,
        Dtype::I8 => Kind::Int8,
        Dtype::I16 => Kind::Int16,
        Dtype::I32 => Kind::Int,
        Dtype::I64 => Kind::Int64,
        Dtype::F8_E5M2 => Kind::Float8e5m2,
        Dtype::F8_E4M3 => Kind::Float8e4m3fn,
        Dtype::F8_E5M2FNUZ => Kind::Float8e5m2fnuz,
        Dtype::F8_E4M3FNUZ => Kind::Float8e4m3fnuz,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::C64 => Kind::ComplexFloat,
        _ => return None,
    })
}
