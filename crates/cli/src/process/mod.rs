//! This process, the signals that it is told by, and those that it starts.

pub(crate) mod children;
mod cuda;
#[allow(clippy::module_inception)]
mod process;
pub(crate) mod signals;

pub(crate) use cuda::load_cuda;
pub(crate) use process::{
    age, began_without_stdout, contained, first_folder, keep_few_kernels, leave,
    name_vanished_files, peak_memory_mib,
};
