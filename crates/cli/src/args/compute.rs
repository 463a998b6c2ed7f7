//! How and where a model runs.

use std::{num::NonZeroUsize, result::Result as StdResult, str::FromStr};

use anyhow::Result;
use clap::Args;
use crosstune_core::{Device, MatmulPrecision, Precision};

use super::precision::PrecisionArgs;
use super::setting::setting;
use crate::process::load_cuda;

/// How a model runs without training.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    /// Samples per batch
    #[arg(long, value_name = "N", default_value = "32")]
    pub(crate) batch_size: NonZeroUsize,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    precision: PrecisionArgs,
}

impl ComputeArgs {
    /// The device, and the precision to compute in. From here on, products and convolutions are exact.
    ///
    /// # Errors
    /// If the device does not compute in it.
    pub(crate) fn place(&self) -> Result<(Device, Precision)> {
        place(&self.device, self.precision)
    }
}

/// The same where batches are not of one size.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    precision: PrecisionArgs,
}

impl PlaceArgs {
    /// As [`ComputeArgs::place`].
    ///
    /// # Errors
    /// If the device does not compute in it.
    pub(crate) fn place(&self) -> Result<(Device, Precision)> {
        place(&self.device, self.precision)
    }
}

fn place(device: &DeviceArgs, precision: PrecisionArgs) -> Result<(Device, Precision)> {
    let device = device.get();
    // Else the convolutions of a GPU round their inputs to 11 bits.
    MatmulPrecision::default().apply()?;
    Ok((device, precision.on(device)?))
}

/// Where a model runs.
#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Device: cpu, cuda, cuda:N, or auto: the first GPU, if there is one
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: DeviceArg,
}

impl DeviceArgs {
    /// The device.
    pub(crate) fn get(&self) -> Device {
        match self.device {
            DeviceArg::Auto => {
                load_cuda();
                Device::cuda_if_available()
            }
            DeviceArg::Given(device) => device,
        }
    }

    /// The device of a computation that is the same with any number of threads: a CPU.
    ///
    /// # Errors
    /// If another was asked for.
    pub(crate) fn deterministic(&self) -> Result<Device> {
        match self.device {
            DeviceArg::Auto | DeviceArg::Given(Device::Cpu) => Ok(Device::Cpu),
            DeviceArg::Given(_) => {
                let problem = "it holds on a CPU only; leave it out, or take --device cpu";
                Err(setting("--deterministic", problem))
            }
        }
    }
}

/// A device that is there.
#[derive(Debug, Clone, Copy)]
enum DeviceArg {
    Auto,
    Given(Device),
}

impl FromStr for DeviceArg {
    type Err = String;

    fn from_str(text: &str) -> StdResult<Self, String> {
        let index = match text {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Given(Device::Cpu)),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|n| n.parse().ok()),
        };
        let index = index.ok_or("expected auto, cpu, cuda or cuda:N")?;
        let problem = load_cuda();
        match (tch::Cuda::device_count(), problem) {
            (0, Some(why)) => Err(format!("libtorch's half for GPUs cannot be loaded: {why}")),
            (0, None) => {
                Err("this libtorch sees no CUDA device; `cargo xtask doctor` says why".into())
            }
            (n, _) if index >= n as usize => {
                Err(format!("there are {n} CUDA devices, counted from 0"))
            }
            _ => Ok(Self::Given(Device::Cuda(index))),
        }
    }
}
