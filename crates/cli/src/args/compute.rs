//! How and where a model runs.

use std::num::NonZeroUsize;

use clap::Args;

/// How a model runs without training.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    /// Samples per batch
    #[arg(long, value_name = "N", default_value = "32")]
    pub(crate) batch_size: NonZeroUsize,
    /// Device: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: DeviceArg,
}

/// A device that is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceArg(pub(crate) tch::Device);

impl std::str::FromStr for DeviceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let index = match text {
            "cpu" => return Ok(Self(tch::Device::Cpu)),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|n| n.parse().ok()),
        };
        let index = index.ok_or("expected cpu, cuda or cuda:N")?;
        match tch::Cuda::device_count() {
            0 => Err("this libtorch sees no CUDA device; `cargo xtask doctor` says why".into()),
            n if index >= n as usize => Err(format!("there are {n} CUDA devices, counted from 0")),
            _ => Ok(Self(tch::Device::Cuda(index))),
        }
    }
}
