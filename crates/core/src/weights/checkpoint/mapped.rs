//! A file in memory, and the tensors in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use memmap2::{Mmap, MmapMut, MmapOptions, UncheckedAdvice};
use tch::{Device, Kind, Tensor};

use super::format::{ByteOrder, Packing, Stored, inflate};
use crate::error::{Error, Result};
use crate::files;
use crate::libtorch::{blob, threads};

/// From this many bytes on, a tensor is a map of its own. Below, a copy is cheaper than a map, of
/// which a process can have some 65,000.
const MAPPED_FROM: usize = 1 << 16;

/// What a thread reads in one call: some pages, few enough to stay in its core's cache between
/// their first use and the read.
const READ_AT_ONCE: usize = 1 << 18;

/// Where the numbers of a tensor are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// In a private map of the file where it has them as they are.
    Mapped,
    /// In memory of their own.
    Own,
}

/// A file that is mapped as a whole to read names and descriptions from.
#[derive(Debug)]
pub(super) struct Mapped {
    path: PathBuf,
    file: File,
    data: Mmap,
}

impl Mapped {
    /// Maps a file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = files::open(path)?;
        // SAFETY: the map is only ever read, through bounds-checked slices. Another process that
        // shortens the file meanwhile would end this one with SIGBUS, as with any mapped file.
        let data = unsafe { Mmap::map(&file) }.map_err(Error::io(path, "map"))?;
        Ok(Self { path: path.to_path_buf(), file, data })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Releases the pages that were touched. The system maps many around each, and all of them
    /// count as this process's memory.
    pub(super) fn release(&self) {
        // SAFETY: a page of a shared, read-only map comes back from the file as it was.
        let _ = unsafe { self.data.unchecked_advise(UncheckedAdvice::DontNeed) };
    }

    /// A tensor of the file: contiguous, and it may be written to.
    pub(super) fn tensor(
        &self,
        kind: Kind,
        shape: &[i64],
        stored: &Stored,
        memory: Memory,
    ) -> Result<Tensor> {
        if stored.numel() == 0 {
            Ok(Tensor::f_zeros(shape, (kind, Device::Cpu))?)
        } else if stored.is_contiguous() {
            self.run(kind, shape, stored, memory)
        } else {
            let strides: Vec<i64> = stored.strides.iter().map(|&stride| stride as i64).collect();
            let run = self.run(kind, &[stored.span() as i64], stored, Memory::Mapped)?;
            Ok(run.f_as_strided(shape, strides, 0)?.f_contiguous()?)
        }
    }

    /// All elements from a tensor's first to its last, as a tensor of another shape.
    fn run(&self, kind: Kind, shape: &[i64], stored: &Stored, memory: Memory) -> Result<Tensor> {
        let (size, bytes) = (stored.size(), stored.size() * stored.span());
        let from = stored.block.range.start + stored.start;
        let as_is = stored.block.packing == Packing::Plain
            && (stored.order == ByteOrder::NATIVE || size == 1)
            && kind != Kind::Bool;
        if as_is && bytes >= MAPPED_FROM {
            let memory = if memory == Memory::Mapped && from.is_multiple_of(size) {
                self.map(from, bytes).map_err(Error::io(&self.path, "map"))?
            } else {
                self.read(from, bytes).map_err(Error::io(&self.path, "read"))?
            };
            return blob::tensor(memory, shape, kind).map_err(|problem| self.malformed(problem));
        }
        let tensor = Tensor::f_zeros(shape, (kind, Device::Cpu))?;
        // SAFETY: a new tensor of zeros is contiguous and has `bytes` bytes, to which nothing else
        // refers.
        let out = unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), bytes) };
        match stored.block.packing {
            // Not from the map: see `release`.
            Packing::Plain => {
                self.file.read_exact_at(out, from as u64).map_err(Error::io(&self.path, "read"))?;
            }
            Packing::Deflated { len, crc } => {
                let packed = &self.data[stored.block.range.clone()];
                inflate(packed, (len, crc), stored.start, out).map_err(|p| self.malformed(p))?;
            }
        }
        if stored.order != ByteOrder::NATIVE {
            let part = if kind == Kind::ComplexFloat { size / 2 } else { size };
            out.chunks_exact_mut(part).for_each(<[u8]>::reverse);
        }
        if kind == Kind::Bool {
            // Any other byte is undefined behaviour as a bool, in C++ as in Rust.
            out.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        Ok(tensor)
    }

    /// Bytes of the file, mapped. Copied on write, page by page: the file never changes, and no two
    /// maps share writes.
    fn map(&self, from: usize, bytes: usize) -> io::Result<MmapMut> {
        let mut options = MmapOptions::new();
        // SAFETY: as in `open`. Only the caller has this map.
        unsafe { options.offset(from as u64).len(bytes).map_copy(&self.file) }
    }

    /// Bytes of the file, read into new memory: for what must not change with the file, and for
    /// elements that are not aligned in it, as after a legacy pickle. They are not copied from the map of the file, whose pages would have
    /// to be mapped one by one and count beside the copy.
    fn read(&self, from: usize, bytes: usize) -> io::Result<MmapMut> {
        let mut memory = MmapMut::map_anon(bytes)?;
        // Without advice to take large pages. Getting the pages is most of the work, and large ones
        // make it three times as fast where they are at hand, but up to three times as slow in a
        // virtual machine that gives free ones back to its host and has to fetch them again.
        let chunks = Mutex::new(memory.chunks_mut(READ_AT_ONCE).enumerate());
        let failed = OnceLock::new();
        threads::run(|| {
            let next = || chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some((i, chunk)) = next()
                && failed.get().is_none()
            {
                populate(chunk);
                if let Err(e) = self.file.read_exact_at(chunk, (from + i * READ_AT_ONCE) as u64) {
                    // The first of several errors.
                    let _ = failed.set(e);
                }
            }
        });
        match failed.into_inner() {
            None => Ok(memory),
            Some(e) => Err(e),
        }
    }

    /// The error that the file is malformed. Its message is one line, whatever names the file has
    /// in it.
    pub(super) fn malformed(&self, problem: impl AsRef<str>) -> Error {
        const SHOWN: usize = 400;
        let printed = |c: char| if c.is_control() { ' ' } else { c };
        let problem = problem.as_ref().chars().take(SHOWN).map(printed).collect();
        Error::Malformed { path: self.path.clone(), problem }
    }
}

/// Gets the pages of new memory in one call, which takes two thirds of the time of a fault for
/// each. `chunk` is page-aligned.
#[cfg(target_os = "linux")]
fn populate(chunk: &mut [u8]) {
    // SAFETY: the pages are the caller's alone, and keep what is in them.
    let _ = unsafe {
        // Systems before Linux 5.14 refuse; there each page comes with its first use.
        libc::madvise(chunk.as_mut_ptr().cast(), chunk.len(), libc::MADV_POPULATE_WRITE)
    };
}

#[cfg(not(target_os = "linux"))]
fn populate(_: &mut [u8]) {}
