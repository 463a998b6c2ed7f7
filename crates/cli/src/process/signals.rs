//! SIGINT and SIGTERM: the first asks a training to end, the second ends the process.

use std::sync::atomic::{AtomicI32, Ordering};

/// The signal that came; 0: none.
static CAME: AtomicI32 = AtomicI32::new(0);

/// The signal that asks the process to end, if one has come since a [`Watch`] began.
pub(crate) fn asked() -> Option<i32> {
    match CAME.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal),
    }
}

/// As long as it lives, the first SIGINT or SIGTERM is noted, and the process goes on; the second ends
/// it, as both do before and after.
#[derive(Debug)]
pub(crate) struct Watch {
    #[cfg(unix)]
    before: [(libc::c_int, libc::sigaction); 2],
}

impl Watch {
    #[cfg(unix)]
    pub(crate) fn begin() -> Self {
        CAME.store(0, Ordering::Relaxed);
        let before = [libc::SIGINT, libc::SIGTERM].map(|signal| {
            // SAFETY: actions of zeros are valid ones, and the handler does nothing but what
            // signal-safety(7) allows.
            unsafe {
                let mut before: libc::sigaction = std::mem::zeroed();
                libc::sigaction(signal, std::ptr::null(), &raw mut before);
                // Who starts a process with a signal ignored, as nohup does, means it to be so.
                if before.sa_sigaction != libc::SIG_IGN {
                    let mut noted: libc::sigaction = std::mem::zeroed();
                    noted.sa_sigaction = note as *const () as usize;
                    noted.sa_flags = libc::SA_RESTART;
                    libc::sigaction(signal, &raw const noted, std::ptr::null_mut());
                }
                (signal, before)
            }
        });
        Self { before }
    }

    #[cfg(not(unix))]
    pub(crate) fn begin() -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Watch {
    fn drop(&mut self) {
        for (signal, before) in &self.before {
            // SAFETY: it was this signal's action when the watch began.
            unsafe { libc::sigaction(*signal, before, std::ptr::null_mut()) };
        }
    }
}

/// The handler. It allocates nothing and takes no lock.
#[cfg(unix)]
extern "C" fn note(signal: libc::c_int) {
    let line = b"stopping after this step, with a checkpoint; a second signal ends at once\n";
    CAME.store(signal, Ordering::Relaxed);
    // SAFETY: all of these calls are allowed in a handler; the line lives as long as the process.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
        libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
    }
}
