//! This process: how it keeps memory, its age and its peak memory.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    sync::{Mutex, OnceLock, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

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
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        bail!("this should not have happened, please report it: {last}")
    })
}

/// Whether stdout was closed when the process began. Before `main`, Rust opens /dev/null in its place,
/// and what is written to it is lost without an error.
pub(crate) fn began_without_stdout() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    return closed::STDOUT.load(Ordering::Relaxed);
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    false
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod closed {
    use std::sync::atomic::{AtomicBool, Ordering};

    pub(super) static STDOUT: AtomicBool = AtomicBool::new(false);

    // SAFETY: the loader calls the functions of this section, which take nothing, before `main`.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        // SAFETY: it only asks for the flags of a descriptor, which may not be there.
        let closed = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1;
        STDOUT.store(closed, Ordering::Relaxed);
    }
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
