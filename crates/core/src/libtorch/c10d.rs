//! PyTorch's engine of distributed training: stores, process groups and their collectives.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Once;
use std::time::Duration;

use tch::Tensor;

use super::shim;

unsafe extern "C" {
    // See `c10d.cpp`.
    fn crosstune_c10d_quiet();
    fn crosstune_tcp_store(
        host: *const c_char,
        port: *mut u16,
        serve: bool,
        world: usize,
        timeout_ms: i64,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_prefix_store(
        prefix: *const c_char,
        store: *const c_void,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_store_clone(
        store: *const c_void,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_store_free(store: *mut c_void);
    fn crosstune_store_set(
        store: *const c_void,
        key: *const c_char,
        data: *const u8,
        length: usize,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
    fn crosstune_store_get(
        store: *const c_void,
        key: *const c_char,
        timeout_ms: i64,
        to: *mut c_void,
        take: extern "C" fn(*mut c_void, *const u8, usize),
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
    fn crosstune_store_has(
        store: *const c_void,
        key: *const c_char,
        has: *mut bool,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
    fn crosstune_store_add(
        store: *const c_void,
        key: *const c_char,
        value: *mut i64,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
    fn crosstune_gloo(
        store: *const c_void,
        rank: c_int,
        size: c_int,
        address: *const c_char,
        timeout_ms: i64,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_nccl(
        store: *const c_void,
        rank: c_int,
        size: c_int,
        timeout_ms: i64,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_group_free(group: *mut c_void);
    fn crosstune_all_reduce(
        group: *const c_void,
        tensor: *const c_void,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_broadcast(
        group: *const c_void,
        tensor: *const c_void,
        from: i64,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_all_gather(
        group: *const c_void,
        tensor: *const c_void,
        all: *const c_void,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_work_wait(work: *mut c_void, problem: *mut c_char, capacity: usize) -> bool;
    fn crosstune_sum(
        group: *const c_void,
        tensor: *const c_void,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
}

/// How an error begins that a sum has met through which gradients flow.
pub(crate) const SUM_FAILED: &str = "a sum over all processes failed";

/// A store of keys and values that all processes share: `TCPStore`, or a part of it.
#[derive(Debug)]
pub(crate) struct Store(NonNull<c_void>);

// SAFETY: a store of c10d takes a lock for each request.
unsafe impl Send for Store {}
// SAFETY: likewise.
unsafe impl Sync for Store {}

/// Who serves a [`Store`], and how many processes wait for each other there, this one among them; 0: nobody
/// waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// This process.
    Here(usize),
    /// Another one.
    Elsewhere(usize),
}

impl Store {
    /// Opens the store at an address, and returns it with its port: where this process serves it and
    /// names port 0, the system chooses one.
    ///
    /// # Errors
    /// If the port is taken, or if nobody answers in time.
    pub(crate) fn open(
        host: &str,
        port: u16,
        server: Server,
        timeout: Duration,
    ) -> Result<(Self, u16), String> {
        static QUIET: Once = Once::new();
        // SAFETY: it sets an environment variable, before there are threads of ours that read any.
        QUIET.call_once(|| unsafe { crosstune_c10d_quiet() });
        let (host, mut port) = (text(host)?, port);
        let (serves, world) = match server {
            Server::Here(world) => (true, world),
            Server::Elsewhere(world) => (false, world),
        };
        let open = |problem, capacity| {
            // SAFETY: the host is a C string and the port a number; no exception leaves the function.
            unsafe {
                crosstune_tcp_store(
                    host.as_ptr(),
                    &raw mut port,
                    serves,
                    world,
                    milliseconds(timeout),
                    problem,
                    capacity,
                )
            }
        };
        Ok((Self(made(open)?), port))
    }

    /// The part of this store whose keys begin with a prefix.
    pub(crate) fn part(&self, prefix: &str) -> Result<Self, String> {
        let prefix = text(prefix)?;
        // SAFETY: the store is one, and the prefix a C string.
        let part = |problem, capacity| unsafe {
            crosstune_prefix_store(prefix.as_ptr(), self.0.as_ptr(), problem, capacity)
        };
        made(part).map(Self)
    }

    /// The same store over a connection of its own.
    pub(crate) fn again(&self) -> Result<Self, String> {
        // SAFETY: the store is one.
        let again = |problem, capacity| unsafe {
            crosstune_store_clone(self.0.as_ptr(), problem, capacity)
        };
        made(again).map(Self)
    }

    pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
        let key = text(key)?;
        // SAFETY: the store is one, the key a C string, and the value as long as is said.
        let set = |problem, capacity| unsafe {
            let (data, length) = (value.as_ptr(), value.len());
            crosstune_store_set(self.0.as_ptr(), key.as_ptr(), data, length, problem, capacity)
        };
        shim::call(set, |&done| done).map(drop)
    }

    /// Waits for a key, at most so long, and returns its value.
    pub(crate) fn get(&self, key: &str, timeout: Duration) -> Result<Vec<u8>, String> {
        extern "C" fn take(to: *mut c_void, data: *const u8, length: usize) {
            // Of nothing, there may be no address.
            if length == 0 {
                return;
            }
            // SAFETY: `to` is the vector below; the bytes are as many as is said.
            unsafe { (*to.cast::<Vec<u8>>()).extend(slice::from_raw_parts(data, length)) };
        }
        let (key, mut value) = (text(key)?, Vec::<u8>::new());
        let to: *mut Vec<u8> = &raw mut value;
        // SAFETY: the store is one, the key a C string; `take` is called before it returns.
        let get = |problem, capacity| unsafe {
            let wait = milliseconds(timeout);
            let (store, key) = (self.0.as_ptr(), key.as_ptr());
            crosstune_store_get(store, key, wait, to.cast(), take, problem, capacity)
        };
        shim::call(get, |&done| done)?;
        Ok(value)
    }

    /// Whether there is such a key.
    pub(crate) fn has(&self, key: &str) -> Result<bool, String> {
        let (key, mut has) = (text(key)?, false);
        // SAFETY: the store is one, and the key a C string.
        let ask = |problem, capacity| unsafe {
            crosstune_store_has(self.0.as_ptr(), key.as_ptr(), &raw mut has, problem, capacity)
        };
        shim::call(ask, |&done| done)?;
        Ok(has)
    }

    /// Adds to a counter, which begins at 0, and returns what it is then.
    pub(crate) fn add(&self, key: &str, amount: i64) -> Result<i64, String> {
        let (key, mut value) = (text(key)?, amount);
        // SAFETY: the store is one, and the key a C string.
        let add = |problem, capacity| unsafe {
            crosstune_store_add(self.0.as_ptr(), key.as_ptr(), &raw mut value, problem, capacity)
        };
        shim::call(add, |&done| done)?;
        Ok(value)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: it was made by one of the functions above, and is freed once.
        unsafe { crosstune_store_free(self.0.as_ptr()) }
    }
}

/// The processes of a training, as one of them speaks to all: c10d's `Backend`.
#[derive(Debug)]
pub(crate) struct ProcessGroup(NonNull<c_void>);

// SAFETY: nothing in a backend belongs to the thread that made it. That all ranks call the same
// collectives in the same order is the caller's.
unsafe impl Send for ProcessGroup {}
// SAFETY: likewise.
unsafe impl Sync for ProcessGroup {}

impl ProcessGroup {
    /// Over Gloo, for tensors in the CPU's memory. `address`: the one that this process listens at;
    /// `None`: as PyTorch chooses it.
    pub(crate) fn gloo(
        store: &Store,
        [rank, size]: [usize; 2],
        address: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let (rank, size) = (rank as c_int, size as c_int);
        let address = address.map(text).transpose()?;
        let address = address.as_ref().map_or(ptr::null(), |address| address.as_ptr());
        let wait = milliseconds(timeout);
        // SAFETY: the store is one, and the address null or a C string.
        let make = |problem, capacity| unsafe {
            crosstune_gloo(store.0.as_ptr(), rank, size, address, wait, problem, capacity)
        };
        made(make).map(Self)
    }

    /// Over NCCL, for tensors on GPUs.
    pub(crate) fn nccl(
        store: &Store,
        [rank, size]: [usize; 2],
        timeout: Duration,
    ) -> Result<Self, String> {
        let (rank, size) = (rank as c_int, size as c_int);
        let wait = milliseconds(timeout);
        // SAFETY: the store is one.
        let make = |problem, capacity| unsafe {
            crosstune_nccl(store.0.as_ptr(), rank, size, wait, problem, capacity)
        };
        made(make).map(Self)
    }

    /// Begins to sum a contiguous tensor over all ranks, in place.
    pub(crate) fn all_reduce(&self, tensor: &Tensor) -> Result<Work, String> {
        // SAFETY: both are live; the work keeps the tensor's memory.
        let begin = |problem, capacity| unsafe {
            crosstune_all_reduce(self.0.as_ptr(), tensor.as_ptr().cast(), problem, capacity)
        };
        made(begin).map(Work)
    }

    /// Begins to give a contiguous tensor the values that it has on a rank, in place.
    pub(crate) fn broadcast(&self, tensor: &Tensor, from: usize) -> Result<Work, String> {
        let (tensor, from) = (tensor.as_ptr().cast(), from as i64);
        // SAFETY: as above.
        let begin = |problem, capacity| unsafe {
            crosstune_broadcast(self.0.as_ptr(), tensor, from, problem, capacity)
        };
        made(begin).map(Work)
    }

    /// Begins to write the tensors of all ranks, which are alike and contiguous, to the rows of `all`.
    pub(crate) fn all_gather(&self, tensor: &Tensor, all: &Tensor) -> Result<Work, String> {
        let (tensor, all) = (tensor.as_ptr().cast(), all.as_ptr().cast());
        // SAFETY: as above.
        let begin = |problem, capacity| unsafe {
            crosstune_all_gather(self.0.as_ptr(), tensor, all, problem, capacity)
        };
        made(begin).map(Work)
    }

    /// The sum of a tensor over all ranks, through which gradients flow.
    pub(crate) fn sum(&'static self, tensor: &Tensor) -> Result<Tensor, String> {
        // SAFETY: both are live, and the group lives as long as the graph of gradients, which keeps it.
        let sum = |problem, capacity| unsafe {
            crosstune_sum(self.0.as_ptr(), tensor.as_ptr().cast(), problem, capacity)
        };
        // SAFETY: the pointer is a new `at::Tensor` that nobody else will delete.
        made(sum).map(|tensor| unsafe { Tensor::from_ptr(tensor.as_ptr().cast()) })
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // SAFETY: it was made by one of the functions above, and is freed once.
        unsafe { crosstune_group_free(self.0.as_ptr()) }
    }
}

/// A collective under way, which keeps the memory of its tensors.
#[must_use]
#[derive(Debug)]
pub(crate) struct Work(NonNull<c_void>);

impl Work {
    /// Waits until it is done; on a GPU, lets what comes after it wait.
    pub(crate) fn wait(self) -> Result<(), String> {
        // SAFETY: it was made by one of the functions above, and is handed over once.
        let wait =
            |problem, capacity| unsafe { crosstune_work_wait(self.0.as_ptr(), problem, capacity) };
        shim::call(wait, |&done| done).map(drop)
    }
}

fn made(make: impl FnOnce(*mut c_char, usize) -> *mut c_void) -> Result<NonNull<c_void>, String> {
    let made = shim::call(make, |made| !made.is_null())?;
    NonNull::new(made).ok_or_else(String::new)
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|e| e.to_string())
}

fn milliseconds(time: Duration) -> i64 {
    time.as_millis().try_into().unwrap_or(i64::MAX)
}
