//! Named tensors on disk, their shapes and types known before any of their data is touched.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use tch::{Kind, Tensor};

use crate::{Error, Result};

/// A checkpoint: a memory-mapped safetensors file, and the folder that it was published in.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    data: Mmap,
    tensors: BTreeMap<String, Entry>,
}

/// What is known of a stored tensor without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The element type.
    pub kind: Kind,
    /// The shape.
    pub shape: Vec<i64>,
    range: std::ops::Range<usize>,
}

impl Entry {
    /// The number of elements.
    pub fn numel(&self) -> i64 {
        self.shape.iter().product()
    }
}

/// The file that a folder in Hugging Face layout keeps its weights in.
pub const WEIGHTS: &str = "model.safetensors";
/// The file that a folder in Hugging Face layout keeps its architecture in.
pub const CONFIG: &str = "config.json";

impl Checkpoint {
    /// Opens a safetensors file, or the `model.safetensors` of a folder in Hugging Face layout.
    ///
    /// # Errors
    /// If there is no such file, or if it is not a whole safetensors file: the header is checked
    /// against the length of the file before anything is read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let given = path.as_ref();
        let path = if given.is_dir() { given.join(WEIGHTS) } else { given.to_path_buf() };
        if !path.exists() {
            return Err(Error::Path {
                path: given.to_path_buf(),
                problem: if given.is_dir() {
                    format!(
                        "no {WEIGHTS} in this folder; name a folder with {CONFIG} and {WEIGHTS}"
                    )
                } else {
                    "no such file or folder; name the folder that holds the pretrained weights"
                        .into()
                },
            });
        }
        let file = File::open(&path).map_err(Error::io(&path, "read"))?;
        // SAFETY: the map is only ever read, through bounds-checked slices. Another process that
        // shortens the file meanwhile would end this one with SIGBUS, as with any mapped file.
        let data = unsafe { Mmap::map(&file) }.map_err(Error::io(&path, "map"))?;
        let tensors = index(&data).map_err(|problem| Error::Malformed {
            path: path.clone(),
            problem: format!("not a whole safetensors file ({problem}); fetch it again"),
        })?;
        Ok(Self { path, data, tensors })
    }

    /// The file that holds the tensors.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that the file lies in, with its `config.json` and tokenizer.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// All tensors by name, in alphabetical order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> + Clone {
        self.tensors.iter().map(|(n, e)| (n.as_str(), e))
    }

    /// What is known of one tensor.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.tensors.get(name)
    }

    /// A copy of one tensor, on the CPU and in the type it is stored in.
    pub fn tensor(&self, name: &str) -> Option<Tensor> {
        let e = self.tensors.get(name)?;
        Some(Tensor::from_data_size(&self.data[e.range.clone()], &e.shape, e.kind))
    }
}

/// The entries of a safetensors file, with ranges into the whole file.
fn index(data: &[u8]) -> Result<BTreeMap<String, Entry>, String> {
    let (header, _) = SafeTensors::read_metadata(data).map_err(|e| e.to_string())?;
    SafeTensors::deserialize(data)
        .map_err(|e| e.to_string())?
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let kind = kind(view.dtype()).ok_or_else(|| {
                format!("`{name}` has the type {:?}, which libtorch lacks", view.dtype())
            })?;
            let shape = view.shape().iter().map(|&n| n as i64).collect();
            let start = view.data().as_ptr() as usize - data.as_ptr() as usize;
            debug_assert!(start >= header + 8);
            let range = start..start + view.data().len();
            Ok((name, Entry { kind, shape, range }))
        })
        .collect()
}

fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::BOOL => Kind::Bool,
        Dtype::U8 => Kind::Uint8,
        Dtype::I8 => Kind::Int8,
        Dtype::I16 => Kind::Int16,
        Dtype::I32 => Kind::Int,
        Dtype::I64 => Kind::Int64,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        _ => return None,
    })
}
