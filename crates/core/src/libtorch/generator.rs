//! The states of libtorch's random-number generators: of the CPU, and of each GPU.

use std::ffi::{c_char, c_int, c_void};

use tch::{Device, TchError, Tensor};

use super::shim;
use crate::error::Result;

unsafe extern "C" {
    /// See `shim.cpp`.
    fn crosstune_generator_state(cuda: c_int, problem: *mut c_char, capacity: usize)
    -> *mut c_void;
    /// See `shim.cpp`.
    fn crosstune_set_generator_state(
        cuda: c_int,
        state: *const c_void,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
}

/// What a device's generator will draw depends on this alone: bytes `[N]`, on the CPU.
///
/// # Errors
/// If libtorch refuses.
pub(crate) fn state(device: Device) -> Result<Tensor> {
    let device = index(device);
    let ask = |problem, capacity| {
        // SAFETY: the buffer has `capacity` bytes, and no exception leaves the function.
        unsafe { crosstune_generator_state(device, problem, capacity) }
    };
    let state = shim::call(ask, |state| !state.is_null()).map_err(TchError::Torch)?;
    // SAFETY: the pointer is a new `at::Tensor` that nobody else will delete.
    Ok(unsafe { Tensor::from_ptr(state.cast()) })
}

/// Lets a device's generator go on from a state that [`state`] returned.
///
/// # Errors
/// If it is none.
pub(crate) fn set_state(device: Device, state: &Tensor) -> Result<()> {
    let device = index(device);
    let set = |problem, capacity| {
        // SAFETY: `state` is a live `at::Tensor`, the buffer has `capacity` bytes, and no exception
        // leaves the function.
        unsafe { crosstune_set_generator_state(device, state.as_ptr().cast(), problem, capacity) }
    };
    shim::call(set, |&done| done).map_err(TchError::Torch)?;
    Ok(())
}

/// A GPU's index; -1: the CPU.
fn index(device: Device) -> c_int {
    match device {
        Device::Cuda(index) => index as c_int,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    // Other tests draw at the same time, so what is drawn here is not compared.
    #[test]
    fn a_state_is_taken_and_set() {
        let state = state(Device::Cpu).unwrap();
        assert_eq!(state.kind(), Kind::Uint8);
        assert!(state.numel() > 2_000, "a Mersenne Twister has 2,496 bytes");
        set_state(Device::Cpu, &state).unwrap();
        let wrong = set_state(Device::Cpu, &state.narrow(0, 0, 10)).unwrap_err();
        assert_eq!(wrong.to_string(), "libtorch");
    }
}
