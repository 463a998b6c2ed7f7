//! The precision in which a model computes.

use clap::{Args, ValueEnum};
use crosstune_core::{Device, Precision};

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PrecisionArgs {
    /// Mixed precision: what a model computes in, as PyTorch's autocast has it. Weights that train stay
    /// f32; with bf16, those that do not are kept in it, in half the memory
    #[arg(long, value_enum, value_name = "PRECISION", default_value_t = PrecisionArg::F32)]
    precision: PrecisionArg,
}

impl PrecisionArgs {
    /// The precision on a device.
    ///
    /// # Errors
    /// If the device does not compute in it.
    pub(crate) fn on(self, device: Device) -> crosstune_core::Result<Precision> {
        let precision = self.value();
        precision.check(device)?;
        Ok(precision)
    }

    /// The precision.
    pub(crate) fn value(self) -> Precision {
        match self.precision {
            PrecisionArg::F32 => Precision::F32,
            PrecisionArg::Bf16 => Precision::Bf16,
            PrecisionArg::F16 => Precision::F16,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrecisionArg {
    /// f32 throughout
    F32,
    /// bf16 on CPUs and GPUs that have it
    Bf16,
    /// f16 with a scaled loss; on GPUs only
    F16,
}
