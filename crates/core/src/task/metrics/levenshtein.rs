//! Alignments of two sequences with the fewest edits. Among alignments that cost the same, the one is
//! chosen that rapidfuzz 3 chooses, on which jiwer's counts rest.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

/// How one element of a reference or of a hypothesis is accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edit {
    /// The next of both, which are the same.
    Hit,
    /// The next of both, which are different.
    Substitution,
    /// The next of the reference, which the hypothesis lacks.
    Deletion,
    /// The next of the hypothesis, which the reference lacks.
    Insertion,
}

/// The fewest edits that make a hypothesis of a reference, in order: of words, characters or whatever
/// can be compared. It takes memory for the sequences and at most some 32 MiB, whatever their length.
pub fn alignment<T: Eq + Hash>(reference: &[T], hypothesis: &[T]) -> Vec<Edit> {
    let mut names = HashMap::new();
    let mut number = |element| {
        let next = names.len();
        *names.entry(element).or_insert(next)
    };
    let reference: Vec<usize> = reference.iter().map(&mut number).collect();
    let hypothesis: Vec<usize> = hypothesis.iter().map(number).collect();
    let mut edits = Vec::with_capacity(reference.len().max(hypothesis.len()));
    align(&reference, &hypothesis, usize::MAX / 4, &mut edits);
    edits
}

/// Bytes of a matrix of bits from which rapidfuzz divides the sequences.
const DIVIDED: usize = 1024 * 1024;

/// The most bytes of a matrix of bits here.
const MATRIX: usize = 32 * DIVIDED;

/// Appends the edits; they are known to be `most` at most.
fn align(reference: &[usize], hypothesis: &[usize], most: usize, edits: &mut Vec<Edit>) {
    let same = |(a, b): &(&usize, &usize)| a == b;
    let before = reference.iter().zip(hypothesis).take_while(same).count();
    let (a, b) = (&reference[before..], &hypothesis[before..]);
    let behind = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
    let (a, b) = (&a[..a.len() - behind], &b[..b.len() - behind]);

    edits.extend((0..before).map(|_| Edit::Hit));
    let most = most.min(a.len().max(b.len()));
    let band = a.len().min(2 * most + 1);
    let is_small = 2 * band * b.len() / 8 < DIVIDED || a.len() < 65 || b.len() < 10;
    if a.is_empty() || b.is_empty() {
        edits.extend(a.iter().map(|_| Edit::Deletion));
        edits.extend(b.iter().map(|_| Edit::Insertion));
    } else if is_small && 2 * a.len() * b.len() / 8 < MATRIX {
        traced(a, b, edits);
    } else {
        // Hirschberg 1975: where a best alignment crosses the middle of the hypothesis.
        let (first, second) = b.split_at(b.len() / 2);
        let left = distances(a.iter(), first.iter());
        let right = distances(a.iter().rev(), second.iter().rev());
        let cost = |at: &usize| left[*at] + right[a.len() - at];
        let at = (0..=a.len()).min_by_key(cost).unwrap_or(0);
        align(&a[..at], first, left[at], edits);
        align(&a[at..], second, right[a.len() - at], edits);
    }
    edits.extend((0..behind).map(|_| Edit::Hit));
}

/// The differences between neighbours of a column of the matrix of distances, whose rows are the
/// reference: a bit for each, in words of 64 (Myers 1999, Hyyrö 2003).
#[derive(Debug, Clone, Copy)]
struct Block {
    /// Where the distance is one more than in the row before.
    up: u64,
    /// Where it is one less.
    down: u64,
}

/// The columns of the matrix, one after another.
struct Columns {
    /// Where each element stands in the reference.
    places: HashMap<usize, Vec<usize>>,
    /// The column.
    blocks: Vec<Block>,
    /// Bits for the rows that are the element of the column.
    equal: Vec<u64>,
}

impl Columns {
    fn new<'n>(reference: impl Iterator<Item = &'n usize>) -> Self {
        let (mut places, mut rows) = (HashMap::<_, Vec<_>>::new(), 0);
        for (at, element) in reference.enumerate() {
            places.entry(*element).or_default().push(at);
            rows = at + 1;
        }
        let blocks = rows.div_ceil(64);
        let start = Block { up: u64::MAX, down: 0 };
        Self { places, blocks: vec![start; blocks], equal: vec![0; blocks] }
    }

    /// The next column: of this element of the hypothesis.
    fn step(&mut self, element: usize) {
        let places = self.places.get(&element).map_or(&[][..], Vec::as_slice);
        for at in places {
            self.equal[at / 64] |= 1 << (at % 64);
        }
        let (mut plus, mut minus) = (1, 0);
        for (Block { up, down }, equal) in self.blocks.iter_mut().zip(&self.equal) {
            let x = equal | minus;
            let diagonal = ((x & *up).wrapping_add(*up) ^ *up) | x | *down;
            let (more, less) = (*down | !(diagonal | *up), diagonal & *up);
            let (shifted_more, shifted_less) = (more << 1 | plus, less << 1 | minus);
            (plus, minus) = (more >> 63, less >> 63);
            *up = shifted_less | !(diagonal | shifted_more);
            *down = shifted_more & diagonal;
        }
        for at in places {
            self.equal[at / 64] = 0;
        }
    }
}

/// The distances of the first 0, 1, … elements of a reference to a hypothesis.
fn distances<'n>(
    reference: impl ExactSizeIterator<Item = &'n usize>,
    hypothesis: impl ExactSizeIterator<Item = &'n usize>,
) -> Vec<usize> {
    let (rows, columns) = (reference.len(), hypothesis.len());
    let mut column = Columns::new(reference);
    hypothesis.for_each(|element| column.step(*element));
    let (mut all, mut distance) = (vec![columns], columns);
    for row in 0..rows {
        let Block { up, down } = column.blocks[row / 64];
        distance += (up >> (row % 64) & 1) as usize;
        distance -= (down >> (row % 64) & 1) as usize;
        all.push(distance);
    }
    all
}

/// Appends the edits, by way of the whole matrix.
fn traced(reference: &[usize], hypothesis: &[usize], edits: &mut Vec<Edit>) {
    let mut column = Columns::new(reference.iter());
    let width = column.blocks.len();
    let mut matrix = Vec::with_capacity(width * hypothesis.len());
    for element in hypothesis {
        column.step(*element);
        matrix.extend_from_slice(&column.blocks);
    }
    let block = |row: usize, column: usize| matrix[column * width + row / 64];
    let (mut row, mut column, from) = (reference.len(), hypothesis.len(), edits.len());
    while row > 0 && column > 0 {
        let bit = (row - 1) % 64;
        if block(row - 1, column - 1).up >> bit & 1 == 1 {
            row -= 1;
            edits.push(Edit::Deletion);
            continue;
        }
        column -= 1;
        if column > 0 && block(row - 1, column - 1).down >> bit & 1 == 1 {
            edits.push(Edit::Insertion);
            continue;
        }
        row -= 1;
        edits.push(match reference[row] == hypothesis[column] {
            true => Edit::Hit,
            false => Edit::Substitution,
        });
    }
    edits.extend((0..row).map(|_| Edit::Deletion));
    edits.extend((0..column).map(|_| Edit::Insertion));
    edits[from..].reverse();
}

#[cfg(test)]
mod tests;
