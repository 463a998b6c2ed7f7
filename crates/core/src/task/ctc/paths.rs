//! Where the symbols of a prefix are, along its most probable alignment.

use super::emission::Emission;

/// No link: nothing comes before.
pub(super) const NONE: u32 = u32::MAX;

/// An alignment of a prefix: that of its last symbol, behind a chain of the symbols before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    /// The logarithm of its probability.
    pub(super) score: f64,
    /// The symbols before the last one.
    pub(super) chain: u32,
    /// The first position of the last symbol.
    pub(super) start: u32,
    /// The one behind its last.
    pub(super) end: u32,
}

impl Path {
    /// Of the empty prefix.
    pub(super) const EMPTY: Self = Self { score: 0., chain: NONE, start: 0, end: 0 };
    /// There is no such alignment.
    pub(super) const IMPOSSIBLE: Self = Self { score: f64::NEG_INFINITY, ..Self::EMPTY };

    /// The more probable one.
    pub(super) fn or(self, other: Self) -> Self {
        if other.score > self.score { other } else { self }
    }
}

/// The chains of all prefixes, which share their beginnings.
#[derive(Debug, Default)]
pub(super) struct Chains {
    links: Vec<Link>,
    /// How many links there may be before those that no prefix needs are dropped.
    limit: usize,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    previous: u32,
    symbol: u32,
    start: u32,
    end: u32,
}

/// The least number of links that is worth dropping some.
const FEW: usize = 1 << 16;

impl Chains {
    /// A path of a prefix with one more symbol, whose first position is `at`. `last` is the last symbol
    /// of the prefix so far.
    pub(super) fn extend(&mut self, path: Path, last: Option<u32>, at: u32) -> Path {
        let chain = match last {
            None => NONE,
            Some(symbol) => {
                let Path { chain: previous, start, end, .. } = path;
                self.links.push(Link { previous, symbol, start, end });
                (self.links.len() - 1) as u32
            }
        };
        Path { chain, start: at, end: at + 1, score: path.score }
    }

    /// Drops the links that none of the paths needs, if there are many, so that memory follows the
    /// length of the text and not of the search.
    pub(super) fn collect<'p>(&mut self, paths: impl Iterator<Item = &'p mut Path>) {
        if self.links.len() < self.limit.max(FEW) {
            return;
        }
        let paths: Vec<&mut Path> = paths.collect();
        let mut kept = vec![false; self.links.len()];
        for path in &paths {
            let mut at = path.chain;
            while at != NONE && !kept[at as usize] {
                kept[at as usize] = true;
                at = self.links[at as usize].previous;
            }
        }
        let mut moved = vec![NONE; self.links.len()];
        let mut count = 0;
        for at in 0..self.links.len() {
            if kept[at] {
                let link = self.links[at];
                let previous = moved.get(link.previous as usize).copied().unwrap_or(NONE);
                self.links[count] = Link { previous, ..link };
                moved[at] = count as u32;
                count += 1;
            }
        }
        self.links.truncate(count);
        self.limit = 2 * count;
        for path in paths {
            path.chain = moved.get(path.chain as usize).copied().unwrap_or(NONE);
        }
    }

    /// The symbols of a prefix in order, the last of which is `last`.
    pub(super) fn emissions(
        &self,
        path: Path,
        last: Option<u32>,
        probability: impl Fn(usize, usize, usize) -> f64,
    ) -> Vec<Emission> {
        let mut emitted = vec![];
        let mut emit = |symbol: u32, start: u32, end: u32| {
            let [symbol, start, end] = [symbol, start, end].map(|x| x as usize);
            let probability = probability(symbol, start, end);
            emitted.push(Emission { symbol, start, end, probability });
        };
        if let Some(last) = last {
            emit(last, path.start, path.end);
        }
        let mut at = path.chain;
        while let Some(Link { previous, symbol, start, end }) = self.links.get(at as usize) {
            emit(*symbol, *start, *end);
            at = *previous;
        }
        emitted.reverse();
        emitted
    }
}
