//! This process: how it keeps memory, its age and its peak memory.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::alloc::{GlobalAlloc, Layout, System};
use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use crosstune_core::error::out_of_memory;

/// Keeps freed memory in the process. A training step frees what the next one allocates again: by
/// default glibc returns large blocks to the system, which then clears every page anew, which costs
/// some 7 % of a step.
pub(crate) fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both are numbers that mallopt(3) documents; it is called before there are threads.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
    }
}

/// The system's allocator, which ends the process in a line of its own where not even a little memory
/// can be had: Rust would abort it. Whoever asks for much may know what to do without.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
struct LastLine;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: LastLine = LastLine;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
impl LastLine {
    /// Less than this is little, in bytes.
    const LITTLE: usize = 1 << 20;

    fn checked(block: *mut u8, bytes: usize) -> *mut u8 {
        if block.is_null() && bytes < Self::LITTLE {
            let line = b"error: out of memory: smaller inputs or a smaller model need less\n";
            // SAFETY: both calls need no memory; the line lives as long as the process.
            unsafe {
                libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
                libc::_exit(1);
            }
        }
        block
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
// SAFETY: all that is asked for comes from the system's allocator, under the same conditions.
unsafe impl GlobalAlloc for LastLine {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller has promised.
        Self::checked(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller has promised.
        Self::checked(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller has promised.
        Self::checked(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Does the work; a panic becomes an error of one line. Panics of libraries that are caught on the
/// way, as with a damaged file, print nothing. With `RUST_BACKTRACE` set, all print in full.
pub(crate) fn contained<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    static LAST: Mutex<String> = Mutex::new(String::new());
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|set| set == "0") {
        panic::set_hook(Box::new(|info| {
            let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
            *last = info.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        }));
    }
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        // tch unwraps what libtorch answers.
        let said = payload.downcast_ref::<String>();
        if let Some(said) = said.and_then(|said| out_of_memory(said)) {
            bail!(said);
        }
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        bail!("this should not have happened, please report it: {last}")
    })
}

/// Time since the start of the process, including the loading of libtorch if the system tells.
pub(crate) fn age() -> Duration {
    static FIRST: OnceLock<(Duration, Instant)> = OnceLock::new();
    let (before, first) =
        FIRST.get_or_init(|| (age_by_system().unwrap_or_default(), Instant::now()));
    *before + first.elapsed()
}

/// From Linux's /proc: the start is counted in ticks (of 10 ms, USER_HZ) since the system's own.
fn age_by_system() -> Option<Duration> {
    const TICKS_PER_SECOND: f64 = 100.;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name in parentheses, which may hold anything; `starttime` is the
    // 22nd field, the 20th behind the name.
    let started: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let up: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(up - started / TICKS_PER_SECOND).ok()
}

/// The most memory that was ever resident, in MiB, where the system tells.
pub(crate) fn peak_memory_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.)
}
