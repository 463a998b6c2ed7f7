//! Work on the threads that libtorch computes with.

use std::ffi::{c_uint, c_void};
use std::mem;
use std::sync::OnceLock;

/// Calls `work` once on each of libtorch's threads, and returns when all calls have.
///
/// Its OpenMP threads spin for some milliseconds after each operation. Threads of another pool
/// would compete with them for the cores: between operations, reading takes twice as long there.
/// Where libtorch has no OpenMP threads, rayon's are used.
pub(crate) fn run<W: Fn() + Sync>(work: W) {
    extern "C" fn call<W: Fn() + Sync>(work: *mut c_void) {
        // SAFETY: `work` is the reference below, which outlives the team.
        (unsafe { &*work.cast::<W>() })();
    }
    match openmp() {
        Some(parallel) => {
            let threads = c_uint::try_from(tch::get_num_threads()).unwrap_or(1).max(1);
            // SAFETY: this is libgomp's interface to compilers: it hands the pointer to the
            // function on each thread and returns after the last has ended. `W` is `Sync`, and a
            // panic ends the process at `call`.
            unsafe { parallel(call::<W>, (&raw const work).cast_mut().cast(), threads, 0) }
        }
        None => {
            rayon::broadcast(|_| work());
        }
    }
}

/// `GOMP_parallel(function, argument, threads, flags)`, which LLVM's OpenMP has too.
type Parallel = unsafe extern "C" fn(extern "C" fn(*mut c_void), *mut c_void, c_uint, c_uint);

/// The function in the OpenMP library that libtorch has loaded, if there is one.
fn openmp() -> Option<Parallel> {
    static OPENMP: OnceLock<Option<Parallel>> = OnceLock::new();
    *OPENMP.get_or_init(|| {
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"GOMP_parallel".as_ptr()) };
        // SAFETY: what has this name has this type.
        (!found.is_null()).then(|| unsafe { mem::transmute::<*mut c_void, Parallel>(found) })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use crate::libtorch::threads::{openmp, run};

    #[test]
    fn every_thread_has_its_turn() {
        let calls = AtomicUsize::new(0);
        run(|| {
            calls.fetch_add(1, Relaxed);
        });
        assert!((1..=1024).contains(&calls.into_inner()));
        assert!(openmp().is_some() || !cfg!(target_os = "linux"), "libtorch's threads");
    }
}
