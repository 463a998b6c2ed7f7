//! The decoding of pictures, as the fuzz targets call it.
//!
//! ```text
//! cd crates/image/fuzz
//! mkdir -p corpus/decode
//! cargo +nightly fuzz run decode corpus/decode ../tests/fixtures/formats
//! ```
//!
//! Decoding knows no libtorch, so neither do the targets: they compile the same files. Beside what
//! the sanitizers see, a target checks that a picture has as many samples as it says.

#![allow(dead_code, unused_imports, reason = "the targets use a part of what the crate does")]

// The files know the library by this name, and take no more of it than this.
extern crate self as crosstune_core;

/// As in the library.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[path = "../../src/picture/mod.rs"]
mod picture;

pub use picture::{Background, Channels, Picture, PictureError};

/// Decodes a file in colour and in grey.
pub fn file(data: &[u8]) {
    // libfuzzer's own would end the process at a library's panic that is caught, too. One that is not
    // ends it all the same.
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| ())));
    for channels in [Channels::Rgb, Channels::Grey] {
        let Ok(picture) = Picture::decode(data, channels, Background::default()) else { return };
        let pixels = picture.width() as usize * picture.height() as usize;
        assert_eq!(picture.samples().len(), pixels * channels.count());
    }
}
