//! Operations with backward passes of their own, which libtorch lacks or makes of many passes. As tch's
//! own, they panic where libtorch refuses: shapes that do not fit.

use std::ffi::{c_char, c_void};

use tch::{Device, Kind, Tensor};

use super::shim;

unsafe extern "C" {
    /// See `fused.cpp`, as for the others.
    fn crosstune_linear(
        x: *const c_void,
        weight: *const c_void,
        bias: *const c_void,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_dropout(
        x: *const c_void,
        add: *const c_void,
        p: f64,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_attention(
        q: *const c_void,
        k: *const c_void,
        v: *const c_void,
        mask: *const c_void,
        cu_seqlens: *const c_void,
        causal: bool,
        scale: f64,
        p: f64,
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
    fn crosstune_is_tracing() -> bool;
    fn crosstune_recompute(
        x: *const c_void,
        closure: *mut c_void,
        call: extern "C" fn(*mut c_void, *const c_void) -> *mut c_void,
        release: extern "C" fn(*mut c_void),
        problem: *mut c_char,
        capacity: usize,
    ) -> *mut c_void;
}

/// `x Wᵀ + b` of `x […, d_in]`, as [`Tensor::linear`]. On a CPU with AVX-512 that is not Intel's,
/// products in f32 are oneDNN's: MKL uses half of such a machine's vectors.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    // SAFETY: the tensors live, and `bias` may be null. No exception leaves the function.
    new(|problem, capacity| unsafe {
        crosstune_linear(pointer(x), pointer(weight), maybe(bias), problem, capacity)
    })
}

/// `x` on a CPU, in f32 or bf16, with each element zeroed with probability `p` and the others divided
/// by `1 - p`; plus `add`, of the same shape and kind, where there is one: all in one pass.
pub(crate) fn dropout(x: &Tensor, add: Option<&Tensor>, p: f64) -> Tensor {
    // SAFETY: the tensors live, and `add` may be null. No exception leaves the function.
    new(|problem, capacity| unsafe {
        crosstune_dropout(pointer(x), maybe(add), p, problem, capacity)
    })
}

/// The operands of attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionInputs<'t> {
    /// `[B, heads, T, W]`, f32 or bf16, as the next two, which may have another `T`.
    pub(crate) q: &'t Tensor,
    pub(crate) k: &'t Tensor,
    pub(crate) v: &'t Tensor,
    /// Bool, broadcasts to `[B, heads, T, T]`. Of packed sequences, what they share: `[T, T]` of the longest.
    pub(crate) mask: Option<&'t Tensor>,
    /// Of sequences that lie one behind the other, with `B` 1, where each begins, and the end of the last,
    /// i64, as FlashAttention's functions for sequences of various lengths have it: each attends to itself.
    pub(crate) cu_seqlens: Option<&'t Tensor>,
    /// To no later position.
    pub(crate) causal: bool,
    /// Multiplies the scores.
    pub(crate) scale: f64,
}

/// Attention on a CPU, `[B, heads, T, W]`, with dropout `p` of its weights, which are never written: the
/// backward pass computes them again. Where nothing is attended to, all positions are, alike.
pub(crate) fn attention(of: AttentionInputs<'_>, p: f64) -> Tensor {
    let AttentionInputs { q, k, v, mask, cu_seqlens, causal, scale } = of;
    // SAFETY: the tensors live, and `mask` and `cu_seqlens` may be null. No exception leaves the function.
    new(|problem, capacity| unsafe {
        crosstune_attention(
            pointer(q),
            pointer(k),
            pointer(v),
            maybe(mask),
            maybe(cu_seqlens),
            causal,
            scale,
            p,
            problem,
            capacity,
        )
    })
}

/// Whether [`dropout`] and [`attention`] take tensors like this.
pub(crate) fn has_kernels_for(x: &Tensor) -> bool {
    x.device() == Device::Cpu && matches!(x.kind(), Kind::Float | Kind::BFloat16)
}

/// Whether what is computed now is written down as TorchScript: it may depend on no value of a tensor.
pub(crate) fn is_tracing() -> bool {
    // SAFETY: it takes nothing and changes nothing.
    unsafe { crosstune_is_tracing() }
}

/// What `part` makes of `x`, keeping nothing that its backward pass needs but `x`: that pass calls
/// `part` once more, with the same random numbers. Outside of training it just calls it.
///
/// `part` is a pure function of `x`, of parameters and of random numbers.
pub(crate) fn recompute<F: Fn(&Tensor) -> Tensor + 'static>(x: &Tensor, part: F) -> Tensor {
    extern "C" fn call<F: Fn(&Tensor) -> Tensor>(
        closure: *mut c_void,
        x: *const c_void,
    ) -> *mut c_void {
        // SAFETY: the closure below, which is not released yet; a panic ends the process here.
        let part = unsafe { &*closure.cast::<F>() };
        // SAFETY: `x` is a live tensor, of which this makes another handle.
        let x = unsafe { Tensor::clone_from_ptr(x.cast_mut().cast()) };
        let y = std::mem::ManuallyDrop::new(part(&x));
        y.as_ptr().cast_mut().cast()
    }
    extern "C" fn release<F>(closure: *mut c_void) {
        // SAFETY: it comes from `Box::into_raw` of this type, and is handed over only once.
        drop(unsafe { Box::from_raw(closure.cast::<F>()) });
    }
    let closure = Box::into_raw(Box::new(part)).cast();
    // SAFETY: `x` lives; `call` and `release` fit the closure, which the callee owns from here on. The
    // engine calls it while the thread that runs the backward pass waits. No exception leaves.
    new(|problem, capacity| unsafe {
        crosstune_recompute(pointer(x), closure, call::<F>, release::<F>, problem, capacity)
    })
}

fn pointer(tensor: &Tensor) -> *const c_void {
    tensor.as_ptr().cast()
}

fn maybe(tensor: Option<&Tensor>) -> *const c_void {
    tensor.map_or(std::ptr::null(), pointer)
}

/// The tensor that a call makes.
fn new(make: impl FnOnce(*mut c_char, usize) -> *mut c_void) -> Tensor {
    let made = shim::call(make, |made| !made.is_null());
    // As tch's own operations do.
    let made = made.expect("libtorch takes operands of these shapes");
    // SAFETY: the pointer is a new `at::Tensor` that nobody else will delete.
    unsafe { Tensor::from_ptr(made.cast()) }
}

#[cfg(test)]
mod tests;
