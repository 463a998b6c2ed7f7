//! The half of libtorch that runs on NVIDIA GPUs, where it is there but was not linked.

#[cfg(target_os = "linux")]
use std::ffi::CStr;
use std::sync::OnceLock;

/// Loads it if it lies where libtorch is found, and if there is a driver: a binary that was linked with
/// the CPU's half alone, as one that is handed on is, then uses GPUs too. libtorch looks once for what
/// can use them, so this comes before whatever asks it. Where there is no driver, nothing is loaded:
/// these are a gigabyte of libraries. Returns why it could not be loaded though there is a driver.
pub(crate) fn load_cuda() -> Option<&'static str> {
    static PROBLEM: OnceLock<Option<String>> = OnceLock::new();
    PROBLEM.get_or_init(problem).as_deref()
}

#[cfg(target_os = "linux")]
fn problem() -> Option<String> {
    // The driver first: without it, the other would be loaded in vain.
    load(c"libcuda.so.1").ok()?;
    load(c"libtorch_cuda.so").err()
}

#[cfg(not(target_os = "linux"))]
fn problem() -> Option<String> {
    None
}

/// Loads a library for as long as the process lives.
#[cfg(target_os = "linux")]
fn load(name: &CStr) -> Result<(), String> {
    // SAFETY: the name ends with a zero, and so does what dlerror returns, which lives until the next such
    // call of this thread. The libraries are those that PyTorch loads, in the same way.
    unsafe {
        if !libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL).is_null() {
            return Ok(());
        }
        let said = libc::dlerror();
        match said.is_null() {
            true => Err(name.to_string_lossy().into_owned()),
            false => Err(CStr::from_ptr(said).to_string_lossy().into_owned()),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_loaded_and_what_is_not_is_named() {
        assert_eq!(load(c"libm.so.6"), Ok(()));
        let said = load(c"libcrosstune_nowhere.so").unwrap_err();
        assert!(said.contains("libcrosstune_nowhere.so"), "{said}");
    }
}
