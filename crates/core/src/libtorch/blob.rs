//! A tensor over our own memory, which it keeps alive.

use std::ffi::{c_char, c_void};

use memmap2::MmapMut;
use tch::{Device, Kind, Tensor};

use super::shim;

unsafe extern "C" {
    /// See `shim.cpp`.
    fn crosstune_from_blob(
        data: *mut c_void,
        sizes: *const i64,
        dims: usize,
        like: *const c_void,
        owner: *mut c_void,
        release: extern "C" fn(*mut c_void),
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
}

/// A tensor of the first elements of a map, which lives as long as the tensor and its views. It
/// may be written to: whether that changes the file depends on how it was mapped.
///
/// # Errors
/// If the map is too short or not aligned for the elements, or if libtorch refuses.
pub(crate) fn tensor(mut map: MmapMut, shape: &[i64], kind: Kind) -> Result<Tensor, String> {
    let size = kind.elt_size_in_bytes();
    let bytes = shape.iter().try_fold(size, |bytes, &n| bytes.checked_mul(n.try_into().ok()?));
    if bytes.is_none_or(|bytes| bytes > map.len()) {
        return Err(format!("{shape:?} of {kind:?} in a map of {} bytes", map.len()));
    }
    let data = map.as_mut_ptr();
    if data.align_offset(size) != 0 {
        return Err(format!("{kind:?} at an address that is not a multiple of {size}"));
    }
    let like = Tensor::f_empty([0], (kind, Device::Cpu)).map_err(|e| e.to_string())?;
    // The map's memory does not move when its owner does.
    let owner = Box::into_raw(Box::new(map));
    let make = |problem, capacity| {
        // SAFETY: `data` is readable, writable and aligned for all elements, as was just checked,
        // for as long as `owner` is not released, and nothing else refers to it. `shape` and
        // `problem` have the lengths that are handed over, and `like` is a live `at::Tensor`.
        // `release` undoes exactly `Box::into_raw`, is called once, and may run on any thread, as
        // `MmapMut` is `Send`. No exception leaves the function.
        unsafe {
            crosstune_from_blob(
                data.cast(),
                shape.as_ptr(),
                shape.len(),
                like.as_ptr().cast(),
                owner.cast(),
                release,
                problem,
                capacity,
            )
        }
    };
    let tensor = shim::call(make, |tensor| !tensor.is_null())?;
    // SAFETY: the pointer is a new `at::Tensor` that nobody else will delete.
    Ok(unsafe { Tensor::from_ptr(tensor.cast()) })
}

/// Unmaps what [`tensor`] boxed.
extern "C" fn release(owner: *mut c_void) {
    // SAFETY: `owner` comes from `Box::into_raw` of this type, and is handed over only once.
    drop(unsafe { Box::from_raw(owner.cast::<MmapMut>()) });
}
