//! The windowed transformer (Swin) that serves every family of them.

mod attention;
mod block;
mod config;
mod swin;
mod windows;

pub use config::{SwinConfig, SwinStage, SwinVersion, WindowPadding};
pub use swin::Swin;
