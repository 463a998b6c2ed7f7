//! Checkpoints on disk: each a folder that is written beside its place, hashed and renamed.
//!
//! | file | holds |
//! |---|---|
//! | `tensors.safetensors` | every tensor |
//! | `state.json` | every other value, and what the training is |
//! | `SHA256SUMS` | the hashes of both, as `sha256sum -c` takes them |

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::parts::Parts;
use super::tensors;
use crate::error::{Error, Result};
use crate::files::{self, hexadecimal, sync_folder};

const TENSORS: &str = "tensors.safetensors";
const STATE: &str = "state.json";
const SUMS: &str = "SHA256SUMS";

/// What the name of a checkpoint begins with; its number follows.
const NAME: &str = "checkpoint-";

/// How many are kept: should the last be damaged, there is one before it.
const KEPT: usize = 2;

/// Bytes of a `state.json`, at most: lists of numbers are in tensors.
const MOST_STATE: u64 = 1 << 28;

/// Writes a checkpoint into a folder, which may be new, and removes those before the last one but
/// this. The new one's folder.
///
/// # Errors
/// If it cannot be written. What was there before is then still there.
pub(super) fn write(folder: &Path, parts: &Parts) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let numbers = numbers(folder)?;
    let place = folder.join(name(numbers.first().map_or(1, |last| last + 1)));
    let partial = files::partial(&place);
    clear(&partial)?;
    fs::create_dir(&partial).map_err(Error::io(&partial, "create"))?;
    let written = write_files(&partial, parts);
    if let Err(error) = written {
        // The disk may be full: a part of a checkpoint is of no use to anybody.
        let _ = clear(&partial);
        return Err(error);
    }
    fs::rename(&partial, &place).map_err(Error::io(&place, "write"))?;
    sync_folder(folder)?;
    for old in numbers.iter().skip(KEPT - 1) {
        // One that stays costs space, and nothing else.
        let _ = clear(&folder.join(name(*old)));
    }
    Ok(place)
}

fn write_files(folder: &Path, parts: &Parts) -> Result<()> {
    let mut sums = String::new();
    let path = folder.join(TENSORS);
    sums += &written(&path, TENSORS, |to| {
        tensors::write(&parts.tensors, to, |e| Error::io(&path, "write")(e))
    })?;
    let path = folder.join(STATE);
    let state = serde_json::to_vec_pretty(&parts.values)
        .map_err(|e| parts.malformed(format!("{STATE} cannot be written: {e}")))?;
    sums += &written(&path, STATE, |to| to.write_all(&state).map_err(Error::io(&path, "write")))?;
    let path = folder.join(SUMS);
    written(&path, SUMS, |to| to.write_all(sums.as_bytes()).map_err(Error::io(&path, "write")))?;
    sync_folder(folder)
}

/// Writes a file to the disk itself; its line for `SHA256SUMS`.
fn written(
    path: &Path,
    name: &str,
    write: impl FnOnce(&mut Hashing<BufWriter<File>>) -> Result<()>,
) -> Result<String> {
    let file = File::create(path).map_err(Error::io(path, "write"))?;
    let mut to = Hashing { to: BufWriter::with_capacity(1 << 20, file), hash: Sha256::new() };
    write(&mut to)?;
    let sum = hexadecimal(&to.hash.finalize());
    let file = to.to.into_inner().map_err(|e| Error::io(path, "write")(e.into_error()))?;
    file.sync_all().map_err(Error::io(path, "write"))?;
    Ok(format!("{sum}  {name}\n"))
}

/// A writer that hashes what it writes.
struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The last checkpoint in a folder that is whole; `None`: there is none. One whose files are not those
/// that were hashed is passed over.
///
/// # Errors
/// If the folder, or one that is whole, cannot be read.
pub(super) fn newest(folder: &Path) -> Result<Option<Parts>> {
    for number in numbers(folder)? {
        let place = folder.join(name(number));
        if is_whole(&place) {
            return read(&place).map(Some);
        }
    }
    Ok(None)
}

/// Whether the files of a checkpoint are those that were hashed.
fn is_whole(place: &Path) -> bool {
    let Ok(sums) = fs::read_to_string(place.join(SUMS)) else { return false };
    let line = |name| sum(place, name).map(|sum| format!("{sum}  {name}\n"));
    let expected: Option<String> = [TENSORS, STATE].into_iter().map(line).collect();
    expected.is_some_and(|expected| expected == sums)
}

fn sum(place: &Path, name: &str) -> Option<String> {
    let mut file = File::open(place.join(name)).ok()?;
    let mut hash = Hashing { to: io::sink(), hash: Sha256::new() };
    io::copy(&mut file, &mut hash).ok()?;
    Some(hexadecimal(&hash.hash.finalize()))
}

fn read(place: &Path) -> Result<Parts> {
    let state = place.join(STATE);
    let values = serde_json::from_slice::<Value>(&files::read(&state, MOST_STATE)?)
        .and_then(serde_json::from_value)
        .map_err(|e| Error::Malformed { path: state, problem: e.to_string() })?;
    let path = place.join(TENSORS);
    let file = File::open(&path).map_err(Error::io(&path, "read"))?;
    let tensors = tensors::read(&mut BufReader::with_capacity(1 << 20, file))
        .map_err(|problem| Error::Malformed { path, problem })?;
    Ok(Parts { path: place.to_path_buf(), values, tensors })
}

/// The numbers of the checkpoints in a folder, whole or not, the last first.
fn numbers(folder: &Path) -> Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(e) => return Err(Error::io(folder, "read")(e)),
    };
    let mut numbers: Vec<u64> = vec![];
    for entry in entries {
        let name = entry.map_err(Error::io(folder, "read"))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(NAME)?.parse::<u64>().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    Ok(numbers)
}

fn name(number: u64) -> String {
    format!("{NAME}{number:06}")
}

/// Removes a checkpoint, first what says that it is whole.
fn clear(place: &Path) -> Result<()> {
    if place.symlink_metadata().is_err() {
        return Ok(());
    }
    let _ = fs::remove_file(place.join(SUMS));
    fs::remove_dir_all(place).map_err(Error::io(place, "remove"))
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;

    fn parts(number: i64) -> Parts {
        let mut parts = Parts::default();
        parts.put("number", &number).unwrap();
        parts.put_tensor("tensor", &Tensor::from_slice(&[number, 2, 3]));
        parts
    }

    fn number(folder: &Path) -> Option<i64> {
        newest(folder).unwrap().map(|parts| {
            let number: i64 = parts.get("number").unwrap();
            assert_eq!(parts.tensor("tensor").unwrap().int64_value(&[0]), number);
            number
        })
    }

    #[test]
    fn the_last_two_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("checkpoints");
        assert!(newest(&place).unwrap().is_none());
        for at in 1..=4 {
            write(&place, &parts(at)).unwrap();
            assert_eq!(number(&place), Some(at));
            assert_eq!(numbers(&place).unwrap().len(), at.min(2) as usize);
        }
        let sums = fs::read_to_string(place.join("checkpoint-000004/SHA256SUMS")).unwrap();
        assert_eq!(sums.lines().count(), 2, "{sums}");
    }

    #[test]
    fn what_is_half_written_is_not_taken_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        write(place, &parts(1)).unwrap();
        let last = write(place, &parts(2)).unwrap();
        for file in [TENSORS, STATE, SUMS] {
            let path = last.join(file);
            let whole = fs::read(&path).unwrap();
            let flipped = |at: usize| {
                let mut bytes = whole.clone();
                bytes[at] ^= 1;
                bytes
            };
            let half = [&whole[..0], &whole[..whole.len() / 2], &whole[..whole.len() - 1]];
            let longer = [&whole[..], b" "].concat();
            let changed = [flipped(0), flipped(whole.len() - 1), longer];
            for wrong in half.map(<[u8]>::to_vec).into_iter().chain(changed) {
                fs::write(&path, wrong).unwrap();
                assert_eq!(number(place), Some(1), "{file}");
            }
            fs::remove_file(&path).unwrap();
            assert_eq!(number(place), Some(1), "{file}");
            fs::write(&path, whole).unwrap();
            assert_eq!(number(place), Some(2), "{file}");
        }
        // As a process leaves it that is killed before the renaming, and in the middle of a removal.
        fs::rename(&last, files::partial(&last)).unwrap();
        assert_eq!(number(place), Some(1));
        fs::remove_file(place.join("checkpoint-000001").join(SUMS)).unwrap();
        assert_eq!(number(place), None);
        write(place, &parts(3)).unwrap();
        assert_eq!(number(place), Some(3));
        assert!(!files::partial(&last).exists(), "what was in its way is gone");
    }

    #[cfg(unix)]
    #[test]
    fn one_that_cannot_be_written_leaves_those_before_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &parts(1)).unwrap();
        let mut wrong = parts(2);
        wrong.put_tensor(
            "complex",
            &Tensor::zeros([1], (tch::Kind::ComplexFloat, tch::Device::Cpu)),
        );
        let said = write(folder.path(), &wrong).unwrap_err().to_string();
        assert!(said.contains("tensors.safetensors: cannot write"), "{said}");
        assert_eq!(number(folder.path()), Some(1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of it");
    }
}
