//! Samples that occur several times, found by their contents.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::Read;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::dataset::Dataset;
use super::item::{Input, Item, Split};
use crate::error::Location;
use crate::task::Target;

/// Samples with the same contents, byte for byte; two or more.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate {
    /// Where they are, each with its split and its target.
    pub places: Vec<(Split, Location, Target)>,
}

impl Duplicate {
    /// Whether the splits overlap: a model would be evaluated on samples that it was trained on or
    /// chosen by.
    pub fn across_splits(&self) -> bool {
        self.places.iter().any(|(split, ..)| *split != self.places[0].0)
    }

    /// Whether one of the targets is wrong.
    pub fn labels_differ(&self) -> bool {
        self.places.iter().any(|(.., target)| *target != self.places[0].2)
    }
}

/// All samples of a data set that occur several times, in order of their first occurrence. Files
/// that cannot be read are skipped.
pub fn duplicates(data: &Dataset) -> Vec<Duplicate> {
    let items: Vec<(Split, &Item)> = data.items().collect();
    let hashes: Vec<_> = items.par_iter().map(|(_, item)| hash(&item.input).ok()).collect();
    let mut of = HashMap::<_, usize>::new();
    let mut found: Vec<Duplicate> = vec![];
    for ((split, item), hash) in items.into_iter().zip(hashes) {
        let Some(hash) = hash else { continue };
        let at = *of.entry(hash).or_insert(found.len());
        if at == found.len() {
            found.push(Duplicate { places: vec![] });
        }
        found[at].places.push((split, item.place.clone(), item.target.clone()));
    }
    found.retain(|duplicate| duplicate.places.len() > 1);
    found
}

/// A hash of an input's contents, different for different contents.
fn hash(input: &Input) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    match &*input.loaded().map_err(io::Error::other)? {
        Input::Stored(_) => {}
        Input::File(path) => {
            let (mut file, mut piece) = (File::open(path)?, vec![0; 1 << 16]);
            loop {
                match file.read(&mut piece)? {
                    0 => break,
                    read => hasher.update(&piece[..read]),
                }
            }
        }
        Input::Bytes { bytes, .. } => hasher.update(bytes),
        Input::Text(text) => hasher.update(text),
        // No text has this byte, so that a pair and a text, or two different pairs, cannot collide.
        Input::Pair([first, second]) => {
            hasher.update(first);
            hasher.update([0xFF]);
            hasher.update(second);
        }
        Input::Words(words) => {
            for word in words {
                hasher.update(word);
                hasher.update([0xFF]);
            }
        }
    }
    Ok(hasher.finalize().into())
}
