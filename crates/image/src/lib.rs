//! Pictures for transfer learning with Crosstune: JPEG, PNG, WebP, GIF, BMP and TIFF files of any
//! size and colour become `[C, H, W]` tensors, and batches of them become sequences of patches or
//! feature maps for any trunk, whatever it was trained on. Image models keep their own embedder.
//!
//! [`ImageSettings`] is the whole of it for [`crosstune_core`]; [`Picture`] is the part that knows
//! no libtorch.
//!
//! ```
//! use crosstune_core::{Input, Modality};
//! use crosstune_image::ImageSettings;
//!
//! let picture = Input::File("tests/fixtures/formats/grey.png".into());
//! let mut settings = ImageSettings::default();
//! settings.survey(&[&picture]); // 17 x 12 pixels, all grey: no need for more
//! assert_eq!(settings.read(&picture)?.size(), [1, 12, 12]);
//! # Ok::<(), crosstune_core::BoxError>(())
//! ```
#![deny(missing_docs)]

pub mod augment;
pub mod embed;
pub mod geometry;
pub mod options;
pub mod picture;
mod documented;
mod explaining;
mod published;
pub mod resample;
mod resize;
pub mod scale;
pub mod settings;

#[cfg(feature = "cli")]
mod cli;

pub use augment::{Augment, Policy};
#[cfg(feature = "cli")]
pub use cli::ImageArgs;
pub use embed::PatchEmbedder;
pub use geometry::{CropMode, Geometry, Margin};
pub use options::ImageOptions;
pub use picture::{Background, Channels, Picture, PictureError};
pub use resample::Resample;
pub use scale::Normalization;
pub use settings::ImageSettings;
