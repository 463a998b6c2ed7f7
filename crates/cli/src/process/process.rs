//! This process: what gives it memory, its age and its peak memory, and how it ends.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::alloc::{GlobalAlloc, Layout};
use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use crosstune_core::error::out_of_memory;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use tikv_jemallocator::Jemalloc;

/// Lets oneDNN keep fewer of the kernels that it compiles, one for each shape: of sentences and recordings,
/// which come in many lengths, its usual 1,024 take some 300 MiB. To compile those of a step again takes 2 %
/// of it. Pictures have one size.
pub(crate) fn keep_few_kernels(modality: &str) {
    const CAPACITY: &str = "ONEDNN_PRIMITIVE_CACHE_CAPACITY";
    if modality != "image" && std::env::var_os(CAPACITY).is_none() {
        // SAFETY: it is called before there are threads.
        unsafe { std::env::set_var(CAPACITY, "64") };
    }
}

/// jemalloc, which ends the process in a line of its own where not even a little memory can be had: Rust
/// would abort it. Whoever asks for much may know what to do without.
///
/// It takes the place of `malloc` for libtorch, too: a step allocates again what the one before freed, and
/// glibc either returns it to the system, which then clears every page anew (some 7 % of a step), or keeps
/// it in pieces that fit nothing (a tenth of a training's memory, a third of a server's).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
struct LastLine;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: LastLine = LastLine;

/// What jemalloc reads as it starts, ahead of the user's `MALLOC_CONF`: what is freed is kept, large blocks
/// too, and in one place for all threads, of which few allocate at a time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[unsafe(export_name = "malloc_conf")]
static KEEP: &[u8; 49] = b"narenas:1,dirty_decay_ms:-1,oversize_threshold:0\0";

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
// SAFETY: all that is asked for comes from jemalloc, under the same conditions.
unsafe impl GlobalAlloc for LastLine {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller has promised.
        Self::checked(unsafe { Jemalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller has promised.
        Self::checked(unsafe { Jemalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller has promised.
        Self::checked(unsafe { Jemalloc.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller has promised.
        unsafe { Jemalloc.dealloc(block, layout) }
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

/// Says in one line which file was shortened while it was mapped, and ends the process with code 1:
/// by default the system ends it without a word.
pub(crate) fn name_vanished_files() {
    #[cfg(target_os = "linux")]
    // SAFETY: an action of zeros with a handler is a valid one, and the handler does nothing but what
    // signal-safety(7) allows; it is called before there are threads.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = vanished as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}

/// The handler. It allocates nothing and takes no lock: the file's name is taken from the system's
/// list of this process's maps, which is read piece by piece.
#[cfg(target_os = "linux")]
extern "C" fn vanished(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system hands over a valid description; the buffers are of the lengths given.
    unsafe {
        let address = (*info).si_addr() as usize;
        let say = |text: &[u8]| libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len());
        say(b"error: ");
        let maps = libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        let mut found = Vanished { address, ..Vanished::default() };
        let mut piece = [0_u8; 512];
        loop {
            let read = libc::read(maps, piece.as_mut_ptr().cast(), piece.len());
            let Ok(read @ 1..) = usize::try_from(read) else { break };
            for &byte in &piece[..read] {
                if found.is_named(byte) {
                    say(&[if byte.is_ascii_control() { b'?' } else { byte }]);
                }
            }
        }
        say(b": the file was shortened or overwritten while it was read; start again\n");
        libc::_exit(1);
    }
}

/// A reader of `/proc/self/maps`, byte by byte: `START-END MODE OFFSET DEVICE INODE   PATH` a line.
#[cfg(target_os = "linux")]
#[derive(Default)]
struct Vanished {
    /// What the wanted map has in it.
    address: usize,
    /// The spaces so far, those before the path counted as one.
    field: usize,
    /// The path has begun.
    path: bool,
    start: usize,
    end: usize,
}

#[cfg(target_os = "linux")]
impl Vanished {
    /// Whether a byte is one of the wanted path.
    fn is_named(&mut self, byte: u8) -> bool {
        const PATH: usize = 5;
        match byte {
            b'\n' => *self = Self { address: self.address, ..Self::default() },
            _ if self.field == PATH => {
                self.path |= byte != b' ';
                return self.path && (self.start..self.end).contains(&self.address);
            }
            b' ' => self.field += 1,
            _ if self.field > 0 => {}
            b'-' => self.start = std::mem::take(&mut self.end),
            digit => {
                let digit = (digit as char).to_digit(16).unwrap_or(0) as usize;
                self.end = (self.end << 4) | digit;
            }
        }
        false
    }
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

/// The working folder that the process began in; it is first asked for before any other is gone to.
pub(crate) fn first_folder() -> Option<&'static Path> {
    static FIRST: OnceLock<Option<PathBuf>> = OnceLock::new();
    FIRST.get_or_init(|| std::env::current_dir().ok()).as_deref()
}

/// Ends the process at once, whatever its threads are waiting for or computing.
pub(crate) fn leave(code: u8) -> ! {
    // SAFETY: nothing of this process is left that could be in a wrong state.
    #[cfg(unix)]
    unsafe {
        libc::_exit(code.into())
    }
    #[cfg(not(unix))]
    std::process::exit(code.into())
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

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::{fs::File, process::Command};

    use super::{Vanished, name_vanished_files};

    #[test]
    fn the_map_around_an_address_has_a_name() {
        let maps = "55d0-55e0 r--p 00000000 08:01 123                  /usr/bin/some thing\n\
                    7f00000000-7f00001000 rw-p 00000000 00:00 0 \n\
                    7f00001000-7f00003000 r--s 00001000 08:01 4567     /data/model  x.safetensors\n\
                    7ffe000000-7ffe100000 rw-p 00000000 00:00 0        [stack]\n";
        for (address, path) in [
            (0x55d0, "/usr/bin/some thing"),
            (0x55df, "/usr/bin/some thing"),
            (0x55e0, ""),
            (0x7f00000010, ""),
            (0x7f00002fff, "/data/model  x.safetensors"),
            (0x7f00003000, ""),
        ] {
            let mut found = Vanished { address, ..Vanished::default() };
            let name: Vec<u8> = maps.bytes().filter(|&byte| found.is_named(byte)).collect();
            assert_eq!(String::from_utf8(name).unwrap(), path, "{address:#x}");
        }
    }

    /// Maps a file, shortens it and looks at it: the end of the process that calls it.
    fn look_at_a_vanished_file(path: &str) {
        name_vanished_files();
        let file = File::options().write(true).read(true).open(path).unwrap();
        // SAFETY: a new map of the file, which is looked at within its length.
        let byte = unsafe {
            let (read, private) = (libc::PROT_READ, libc::MAP_PRIVATE);
            let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
            let map = libc::mmap(std::ptr::null_mut(), 3 << 12, read, private, fd, 0);
            assert_ne!(map, libc::MAP_FAILED);
            file.set_len(0).unwrap();
            map.cast::<u8>().add(5000).read_volatile()
        };
        panic!("there was {byte}");
    }

    #[test]
    fn a_file_that_is_shortened_while_it_is_mapped_is_named() {
        const PATH: &str = "CROSSTUNE_TEST_VANISHED";
        if let Ok(path) = std::env::var(PATH) {
            return look_at_a_vanished_file(&path);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model one.safetensors");
        std::fs::write(&path, vec![1; 3 << 12]).unwrap();
        let name = "a_file_that_is_shortened_while_it_is_mapped_is_named";
        let mut again = Command::new(std::env::current_exe().unwrap());
        let ran = again.args([name, "--nocapture"]).env(PATH, &path).output().unwrap();
        assert_eq!(ran.status.code(), Some(1));
        let said = String::from_utf8_lossy(&ran.stderr);
        let line = format!(
            "error: {}: the file was shortened or overwritten while it was read; start again\n",
            path.display()
        );
        assert!(said.ends_with(&line), "{said}");
    }
}
