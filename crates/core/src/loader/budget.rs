//! The memory that samples may take.

/// A budget of memory for samples. It bounds memory, and nothing else: what comes of the samples is
/// the same under any.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    /// Bytes that are not taken yet.
    left: usize,
    /// Bytes of what is read before it is needed, beside what is kept.
    ahead: usize,
}

/// The bytes of a [`MemoryBudget`] if nobody says otherwise.
pub const DEFAULT_MEMORY: usize = 4 << 30;

/// What is read before it is needed may take this fraction of the budget.
const AHEAD: usize = 8;

impl MemoryBudget {
    /// At most so many bytes of samples are kept, and an eighth of that is read ahead; but one
    /// sample, and one batch, at least.
    pub fn new(bytes: usize) -> Self {
        Self { left: bytes, ahead: bytes / AHEAD }
    }

    /// Bytes that are not taken yet.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Bytes of what is read before it is needed.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead
    }

    /// How many things of so many bytes may be read ahead: at least one, at most `most`.
    pub(crate) fn at_once(&self, bytes: usize, most: usize) -> usize {
        at_once(self.ahead, bytes, most)
    }

    /// Takes so many bytes, if they are left.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self::new(DEFAULT_MEMORY)
    }
}

/// How many things of so many bytes fit into `ahead`: at least one, at most `most`.
pub(crate) fn at_once(ahead: usize, bytes: usize, most: usize) -> usize {
    (ahead / bytes.max(1)).clamp(1, most)
}
