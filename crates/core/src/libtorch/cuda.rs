//! Copies to a GPU, and what room it has.

use std::ffi::c_int;
use std::mem;

use tch::{Device, Tensor};

/// A tensor on a device: itself where it is there already. A copy from [pinned](pinned) memory to a GPU
/// overlaps with what the CPU does next, as libtorch's stream keeps the order on the GPU.
pub(crate) fn to_device(x: &Tensor, device: Device) -> Tensor {
    // The other way, the CPU would read before the copy has ended.
    let non_blocking = device.is_cuda() && !x.device().is_cuda();
    x.to_device_(device, x.kind(), non_blocking, false)
}

/// A tensor of the CPU in memory that a GPU copies from by itself, if `device` is one; else itself.
pub(crate) fn pinned(x: Tensor, device: Device) -> Tensor {
    match device.is_cuda() && !x.device().is_cuda() && x.numel() > 0 {
        // Without it, the copy is slower, not wrong.
        true => x.f_pin_memory(device).unwrap_or(x),
        false => x,
    }
}

/// `cudaMemGetInfo(free, total)`.
type MemoryInfo = unsafe extern "C" fn(*mut usize, *mut usize) -> c_int;

/// The bytes that are free on the process's GPU; `None` if `device` is none, or nobody tells.
pub(crate) fn free_memory(device: Device) -> Option<usize> {
    if !device.is_cuda() {
        return None;
    }
    // SAFETY: the name is a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"cudaMemGetInfo".as_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: what has this name has this type.
    let info = unsafe { mem::transmute::<*mut libc::c_void, MemoryInfo>(found) };
    let (mut free, mut total) = (0, 0);
    // SAFETY: both are places of a `size_t`.
    (unsafe { info(&raw mut free, &raw mut total) } == 0).then_some(free)
}
