//! The filters that pictures are scaled with, and Pillow's convolution by them.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod convolve;
mod passes;
mod resample;
mod weights;

pub use resample::Resample;
pub(crate) use resample::Window;
