//! The operations on a picture, as in Pillow and torchvision.

/// An operation and its strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Operation {
    /// A shear along the rows, in pixels a row.
    ShearX(f64),
    /// A shear along the columns, in pixels a column.
    ShearY(f64),
    /// A move to the right, in pixels.
    TranslateX(f64),
    /// A move down, in pixels.
    TranslateY(f64),
    /// A turn to the left, in degrees.
    Rotate(f64),
    /// 1 is the picture, 0 black.
    Brightness(f64),
    /// 1 is the picture, 0 grey.
    Saturation(f64),
    /// 1 is the picture, 0 an even grey.
    Contrast(f64),
    /// 1 is the picture, 0 smoothed.
    Sharpness(f64),
    /// A fraction of the circle of hues.
    Hue(f64),
    /// The bits that are kept of 8.
    Posterize(u32),
    /// From this intensity on, all turns into its opposite.
    Solarize(f64),
    /// Each channel is stretched to the full range.
    AutoContrast,
    /// All intensities of a channel become about equally frequent.
    Equalize,
}
