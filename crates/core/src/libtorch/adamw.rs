//! PyTorch's fused AdamW kernel.

use std::ffi::{c_char, c_void};

use tch::{Kind, TchError, Tensor};

use super::shim;

unsafe extern "C" {
    /// See `shim.cpp`.
    fn crosstune_adamw(
        values: *const *const c_void,
        gradients: *const *const c_void,
        means: *const *const c_void,
        squares: *const *const c_void,
        count: usize,
        steps: *const c_void,
        divisor: *const c_void,
        lr: f64,
        beta1: f64,
        beta2: f64,
        decay: f64,
        eps: f64,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
}

/// One parameter in a step of AdamW, all tensors of one shape: its value, its gradient, and the
/// running means of gradients and of their squares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved<'t> {
    pub(crate) value: &'t Tensor,
    pub(crate) gradient: &'t Tensor,
    pub(crate) means: &'t [Tensor; 2],
}

/// What all parameters of a group share in a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) lr: f64,
    pub(crate) beta1: f64,
    pub(crate) beta2: f64,
    pub(crate) decay: f64,
    pub(crate) eps: f64,
    /// The number of this step, from 1.
    pub(crate) number: i64,
    /// Multiplies the gradients.
    pub(crate) factor: f64,
}

/// Updates parameters in one pass over their memory. Values and means are contiguous, as those of a
/// `VarStore` are.
///
/// # Errors
/// If libtorch refuses.
pub(crate) fn fused_adamw(moved: &[Moved<'_>], step: Step) -> Result<(), TchError> {
    let Some(first) = moved.first() else { return Ok(()) };
    let scalar = |x: f64| Tensor::full([], x, (Kind::Float, first.value.device()));
    let (steps, divisor) = (scalar(step.number as f64), scalar(step.factor.recip()));
    let values = pointers(moved.iter().map(|m| m.value));
    let gradients = pointers(moved.iter().map(|m| m.gradient));
    let means = pointers(moved.iter().map(|m| &m.means[0]));
    let squares = pointers(moved.iter().map(|m| &m.means[1]));
    let call = |problem, capacity| {
        // SAFETY: the four lists have `moved.len()` pointers to live tensors, alike in shape. No
        // exception leaves the function.
        unsafe {
            crosstune_adamw(
                values.as_ptr(),
                gradients.as_ptr(),
                means.as_ptr(),
                squares.as_ptr(),
                moved.len(),
                steps.as_ptr().cast(),
                divisor.as_ptr().cast(),
                step.lr,
                step.beta1,
                step.beta2,
                step.decay,
                step.eps,
                problem,
                capacity,
            )
        }
    };
    shim::call(call, |&done| done).map(drop).map_err(TchError::Torch)
}

fn pointers<'t>(tensors: impl Iterator<Item = &'t Tensor>) -> Vec<*const c_void> {
    tensors.map(|tensor| tensor.as_ptr().cast()).collect()
}
