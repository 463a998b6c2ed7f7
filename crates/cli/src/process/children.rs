//! Processes that this one has started: signals to them and from them.

use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};

/// The signal that came and was not handed on yet; 0: none.
static CAME: AtomicI32 = AtomicI32::new(0);

/// The last that was handed on.
static SENT: AtomicI32 = AtomicI32::new(0);

/// From now on, SIGINT and SIGTERM are for the processes that this one has started: [`received`] tells of
/// them.
#[cfg(unix)]
pub(crate) fn listen() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: actions of zeros are valid ones, and the handler does nothing but what
        // signal-safety(7) allows.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = heard as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

#[cfg(unix)]
extern "C" fn heard(signal: libc::c_int) {
    CAME.store(signal, Ordering::Relaxed);
}

#[cfg(not(unix))]
pub(crate) fn listen() {}

/// The signal that has come since this was last asked.
pub(crate) fn received() -> Option<i32> {
    match CAME.swap(0, Ordering::Relaxed) {
        0 => None,
        signal => {
            SENT.store(signal, Ordering::Relaxed);
            Some(signal)
        }
    }
}

/// Whether any signal has been handed on to the processes.
pub(crate) fn asked() -> bool {
    SENT.load(Ordering::Relaxed) != 0
}

/// Sends a signal to a process that this one has started and has not seen end.
pub(crate) fn send(process: u32, signal: i32) {
    #[cfg(unix)]
    if let Ok(process) = libc::pid_t::try_from(process) {
        // SAFETY: it only asks the system.
        unsafe { libc::kill(process, signal) };
    }
    #[cfg(not(unix))]
    let _ = (process, signal);
}

/// Whether a signal has been handed on to the processes.
pub(crate) fn was_sent(signal: i32) -> bool {
    SENT.load(Ordering::Relaxed) == signal
}

/// A process that hears no signal of the terminal's, which this one hands on, and that is asked to end
/// when this one ends without a word.
pub(crate) fn alone(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec, it makes one system call.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(command, || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
}

/// The signal that has ended a process.
pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

/// A signal as people call it.
pub(crate) fn name(signal: i32) -> String {
    #[cfg(unix)]
    for (number, name) in [
        (libc::SIGKILL, "SIGKILL: by hand, or because memory ran out"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
    ] {
        if number == signal {
            return name.into();
        }
    }
    format!("signal {signal}")
}
