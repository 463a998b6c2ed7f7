//! The largest pictures that are read.

/// The largest picture that is read, in pixels: above any camera's, below what fills a memory.
pub(crate) const MAX_PIXELS: u64 = 200_000_000;

/// The most bytes that a pixel takes while it is decoded: four samples of 32 bits.
pub(crate) const MAX_PIXEL_BYTES: u64 = 16;

/// The largest file that is read, in bytes: a little more than the largest picture uncompressed.
pub(crate) const MAX_FILE: u64 = 1 << 30;

/// Whether a picture of this size is small enough to be read.
pub(crate) fn fits(width: u32, height: u32) -> bool {
    u64::from(width) * u64::from(height) <= MAX_PIXELS
}
