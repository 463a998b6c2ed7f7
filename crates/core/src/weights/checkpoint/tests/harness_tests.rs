//! Opens bytes as a checkpoint and holds it to its promise: tensors, or an error of one line that
//! names the file; no panic, no hang, no memory that the file does not warrant.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Result, one_line};
use crate::weights::checkpoint::checkpoint::Checkpoint;

/// What reading a file may take beside twice its length.
const CONSTANT: usize = 192 << 20;

/// What the slowest case may take, in an unoptimised build beside others.
const PATIENCE: Duration = Duration::from_secs(20);

/// The system's allocator, and what each thread holds of it.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all calls go to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends has no counters any more.
        let _ = HELD.try_with(|held| {
            // A thread may free what another took.
            held.set(held.get() + layout.size() as isize);
            let now = held.get();
            let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now)));
        });
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set(held.get() - layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

/// The value of a function, and the most memory that this thread held meanwhile.
fn measured<T>(f: impl FnOnce() -> T) -> (T, usize) {
    HELD.set(0);
    PEAK.set(0);
    let value = f();
    (value, PEAK.get() as usize)
}

/// What is to become of a case.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// It opens, and all its tensors can be read.
    Loads,
    /// It is refused with an error that says this.
    Fails(&'static str),
    /// Either.
    Any,
}

/// A file that no well-meaning program wrote.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) fate: Fate,
}

/// A case that must fail, and say this.
pub(super) fn fails(name: impl Into<String>, bytes: Vec<u8>, says: &'static str) -> Case {
    Case { name: name.into(), bytes, fate: Fate::Fails(says) }
}

/// A case that must load.
pub(super) fn loads(name: impl Into<String>, bytes: Vec<u8>) -> Case {
    Case { name: name.into(), bytes, fate: Fate::Loads }
}

/// A case of which only the promise is known.
pub(super) fn any(name: impl Into<String>, bytes: Vec<u8>) -> Case {
    Case { name: name.into(), bytes, fate: Fate::Any }
}

/// Opens a file and reads all its tensors.
fn read(path: &Path) -> Result<()> {
    let checkpoint = Checkpoint::open(path)?;
    for (name, entry) in checkpoint.entries() {
        let tensor = checkpoint.tensor(name)?;
        assert_eq!((tensor.kind(), &tensor.size()), (entry.kind, &entry.shape));
    }
    Ok(())
}

/// What is wrong with the outcome of a case.
fn fault(folder: &Path, Case { name: _, bytes, fate }: &Case) -> Option<String> {
    let path = folder.join("evil.bin");
    fs::write(&path, bytes).unwrap();
    let start = Instant::now();
    let (outcome, peak) = measured(|| read(&path));
    let took = start.elapsed();
    if took > PATIENCE || peak > 2 * bytes.len() + CONSTANT {
        return Some(format!("{took:?} and {peak} bytes for a file of {}", bytes.len()));
    }
    match (outcome, fate) {
        (Ok(()), Fate::Loads | Fate::Any) => None,
        (Ok(()), Fate::Fails(says)) => Some(format!("loads, but should say {says:?}")),
        (Err(error), Fate::Loads) => Some(one_line(&error)),
        (Err(error), Fate::Fails(_) | Fate::Any) => {
            let text = error.to_string();
            let says = if let Fate::Fails(says) = fate { says } else { "" };
            let good = !text.contains(char::is_control)
                && text.contains("evil.bin: ")
                && text.len() < 1000
                && text.contains(says);
            (!good).then(|| format!("{text:?}, but should say {says:?} in a line"))
        }
    }
}

/// Checks all cases, of which there must be at least some number.
#[track_caller]
pub(super) fn check(cases: impl IntoIterator<Item = Case>, least: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (mut count, mut faults) = (0, Vec::new());
    for case in cases {
        count += 1;
        let fault = fault(folder.path(), &case);
        faults.extend(fault.map(|fault| format!("{}: {fault}", case.name)));
    }
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
    assert!(count >= least, "only {count} cases");
}
