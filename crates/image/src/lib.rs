//! Pictures for transfer learning with Crosstune: JPEG and PNG files of any size and colour become
//! `[C, H, W]` tensors, and batches of them become sequences of patches, which any sequence trunk
//! takes, whatever it was trained on.
//!
//! [`ImageSettings`] is the whole of it for [`crosstune_core`]; [`Picture`] is the part that knows
//! no libtorch.
//!
//! ```
//! use crosstune_core::{Input, Modality};
//! use crosstune_image::ImageSettings;
//!
//! let picture = Input::File("samples/digits/train/3/0003.png".into());
//! let mut settings = ImageSettings::default();
//! settings.survey(&[&picture]); // 8 x 8 pixels in grey: kept as they are
//! assert_eq!(settings.read(&picture)?.size(), [1, 8, 8]);
//! # Ok::<(), crosstune_core::Cause>(())
//! ```
#![deny(missing_docs)]

pub mod decode;
mod jpeg;
pub mod layout;
pub mod patches;
pub mod picture;
mod resize;
pub mod settings;

#[cfg(feature = "cli")]
pub mod cli;

pub use decode::PictureError;
pub use layout::{ImageOptions, Layout};
pub use patches::PatchEmbedder;
pub use picture::{Channels, Picture};
pub use settings::{ImageSettings, Scale};
