//! Calls into `shim.cpp`: what tch's own binding of libtorch lacks.

use std::ffi::{CStr, c_char};

/// Hands a buffer to `call` for the reason of a failure, and returns what the call returned if it
/// succeeded.
///
/// # Errors
/// The reason.
pub(crate) fn call<T>(
    call: impl FnOnce(*mut c_char, usize) -> T,
    succeeded: impl FnOnce(&T) -> bool,
) -> Result<T, String> {
    let mut problem = [0; 256];
    let returned = call(problem.as_mut_ptr(), problem.len());
    if succeeded(&returned) {
        return Ok(returned);
    }
    // SAFETY: the callee ended its text with a zero within the buffer, which began with one.
    let problem = unsafe { CStr::from_ptr(problem.as_ptr()) }.to_string_lossy();
    // libtorch adds a backtrace in further lines.
    Err(problem.lines().next().unwrap_or_default().to_owned())
}
