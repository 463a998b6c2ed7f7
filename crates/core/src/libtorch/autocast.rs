//! Mixed precision: autocast, and gradients that were scaled.

use std::ffi::{c_char, c_int, c_void};
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::shim;
use crate::error::{Error, Result};

unsafe extern "C" {
    /// See `shim.cpp`.
    fn crosstune_autocast_enter(
        of: *const c_void,
        bf16: bool,
        enabled: *mut bool,
        dtype: *mut c_int,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
    /// See `shim.cpp`.
    fn crosstune_autocast_leave(
        of: *const c_void,
        enabled: bool,
        dtype: c_int,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
    /// See `shim.cpp`.
    fn crosstune_unscale(
        gradients: *const *const c_void,
        count: usize,
        inverse: *const c_void,
        found: *const c_void,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
}

/// The precision in which a model computes. What trains, its gradients and the optimizer's state are
/// f32 in any case, and so are losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout.
    #[default]
    F32,
    /// Autocast to bf16, with PyTorch's lists of operations: products and convolutions in bf16. On a
    /// CPU, what stands between them stays in the type that it comes in.
    Bf16,
    /// Autocast to f16 with a scaled loss (Micikevicius et al. 2018, §3.2). On GPUs only.
    F16,
}

impl Precision {
    /// Checks that a device computes in it.
    ///
    /// # Errors
    /// If it is f16 on a CPU.
    pub fn check(self, device: Device) -> Result<()> {
        if self == Self::F16 && device == Device::Cpu {
            // Measured: a hundredth of the speed of f32, on a CPU that is fast in bf16.
            let problem = "f16 is for GPUs; a CPU computes products in it many times slower than in \
                           f32: take bf16";
            return Err(Error::setting("--precision", problem));
        }
        Ok(())
    }

    /// Computes in this precision, in this thread and on this kind of device, until the guard is dropped;
    /// `None`: as it is. Guards may stand within each other. What goes backward needs none: it is of the
    /// types that went forward.
    ///
    /// # Errors
    /// If libtorch refuses.
    pub(crate) fn autocast(self, device: Device) -> Result<Option<Autocast>> {
        match self {
            Self::F32 => Ok(None),
            Self::Bf16 | Self::F16 => Autocast::new(self, device).map(Some),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        })
    }
}

/// Autocast in this thread, while it lives: `torch.autocast`.
#[derive(Debug)]
pub(crate) struct Autocast {
    /// Of the device.
    of: Tensor,
    /// What was set before.
    before: (bool, c_int),
    /// Autocast is a state of the thread.
    _thread: PhantomData<*const ()>,
}

impl Autocast {
    fn new(precision: Precision, device: Device) -> Result<Self> {
        let of = Tensor::f_empty([0], (Kind::Float, device))?;
        let (mut enabled, mut dtype) = (false, 0);
        let enter = |problem, capacity| {
            // SAFETY: `of` is a live `at::Tensor`, the two results are written before it returns, and no
            // exception leaves the function.
            unsafe {
                crosstune_autocast_enter(
                    of.as_ptr().cast(),
                    precision == Precision::Bf16,
                    &raw mut enabled,
                    &raw mut dtype,
                    problem,
                    capacity,
                )
            }
        };
        shim::call(enter, |&done| done).map_err(tch::TchError::Torch)?;
        Ok(Self { of, before: (enabled, dtype), _thread: PhantomData })
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        let (enabled, dtype) = self.before;
        let leave = |problem, capacity| {
            // SAFETY: as in `new`.
            unsafe {
                crosstune_autocast_leave(self.of.as_ptr().cast(), enabled, dtype, problem, capacity)
            }
        };
        // It sets what was set before, which libtorch took then.
        let _ = shim::call(leave, |&done| done);
    }
}

/// Multiplies gradients in place by `inverse`; whether all of them were finite. Some may be undefined.
///
/// # Errors
/// If libtorch refuses.
pub(crate) fn unscale(gradients: &[Tensor], inverse: f64) -> Result<bool> {
    let there: Vec<&Tensor> = gradients.iter().filter(|g| g.defined()).collect();
    let Some(first) = there.first() else { return Ok(true) };
    let one = |value: f64| Tensor::f_full([1], value, (Kind::Float, first.device()));
    let (inverse, found) = (one(inverse)?, one(0.)?);
    let pointers: Vec<*const c_void> = there.iter().map(|g| g.as_ptr().cast()).collect();
    let call = |problem, capacity| {
        // SAFETY: the list has so many pointers to live tensors, and so are the two others. No exception
        // leaves the function.
        unsafe {
            crosstune_unscale(
                pointers.as_ptr(),
                pointers.len(),
                inverse.as_ptr().cast(),
                found.as_ptr().cast(),
                problem,
                capacity,
            )
        }
    };
    shim::call(call, |&done| done).map_err(tch::TchError::Torch)?;
    Ok(found.f_double_value(&[0])? == 0.)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The type of a product.
    fn kind(x: &Tensor) -> Kind {
        x.matmul(x).kind()
    }

    #[test]
    fn autocast_ends_with_its_guard_and_guards_nest() {
        let x = Tensor::rand([4, 4], (Kind::Float, Device::Cpu));
        assert!(Precision::F32.autocast(Device::Cpu).unwrap().is_none());
        let outer = Precision::Bf16.autocast(Device::Cpu).unwrap();
        assert_eq!(kind(&x), Kind::BFloat16);
        let inner = Precision::F16.autocast(Device::Cpu).unwrap();
        assert_eq!(kind(&x), Kind::Half);
        drop(inner);
        assert_eq!(kind(&x), Kind::BFloat16);
        // It is a state of the thread alone.
        let other = x.shallow_clone();
        let elsewhere = std::thread::spawn(move || kind(&other)).join().unwrap();
        assert_eq!(elsewhere, Kind::Float);
        // What is not in PyTorch's lists stays as it is; losses are f32.
        assert_eq!((&x + 1.).kind(), Kind::Float);
        let classes = Tensor::from_slice(&[0_i64; 4]);
        assert_eq!(
            x.matmul(&x)
                .cross_entropy_loss::<Tensor>(&classes, None, tch::Reduction::Mean, -100, 0.)
                .kind(),
            Kind::Float
        );
        drop(outer);
        assert_eq!(kind(&x), Kind::Float);
    }

    #[test]
    fn weights_that_changed_are_cast_again() {
        let w = Tensor::ones([2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let x = Tensor::ones([2, 2], (Kind::Float, Device::Cpu));
        for want in [2., 4.] {
            let guard = Precision::Bf16.autocast(Device::Cpu).unwrap();
            assert_eq!(x.matmul(&w).double_value(&[0, 0]), want);
            drop(guard);
            let _ = tch::no_grad(|| w.shallow_clone().g_mul_scalar_(2.));
        }
    }

    #[test]
    fn gradients_are_unscaled_and_infinity_is_found() {
        let of = |values: &[f32]| Tensor::from_slice(values);
        let gradients = [of(&[2., 4.]), Tensor::new(), of(&[8.])];
        assert!(unscale(&gradients, 0.5).unwrap());
        assert_eq!(Vec::<f32>::try_from(&gradients[0]).unwrap(), [1., 2.]);
        assert_eq!(Vec::<f32>::try_from(&gradients[2]).unwrap(), [4.]);
        assert!(!unscale(&[of(&[1.]), of(&[0., f32::INFINITY])], 0.5).unwrap());
        assert!(!unscale(&[of(&[f32::NAN])], 0.5).unwrap());
        assert!(unscale(&[Tensor::new()], 0.5).unwrap());
    }
}
