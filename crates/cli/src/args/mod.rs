//! Options that several commands share.

mod bytes;
mod calibrate;
mod checkpoint;
mod compute;
mod data;
mod decode;
mod distributed;
mod fit;
mod modality;
mod output;
mod recompute;
mod precision;
mod samples;
mod setting;
mod source;
mod streaming;
mod transfer;

pub use modality::ModalityArgs;

pub(crate) use bytes::Bytes;
pub(crate) use calibrate::{CalibrateArgs, CertaintyArgs};
pub(crate) use checkpoint::CheckpointArgs;
pub(crate) use compute::{ComputeArgs, PlaceArgs};
pub(crate) use data::{DataArgs, InputArgs, LAYOUT, LayoutArgs};
pub(crate) use decode::DecodeArgs;
pub(crate) use distributed::DistributedArgs;
pub(crate) use fit::FitArgs;
pub(crate) use modality::ModalityFlags;
pub(crate) use output::refuse_existing;
pub(crate) use samples::SampleArgs;
pub(crate) use setting::setting;
pub(crate) use source::{ReadArgs, SourceArgs, WeightsArgs};
pub(crate) use streaming::StreamingArgs;
pub(crate) use transfer::{HeadArg, TransferArgs};
