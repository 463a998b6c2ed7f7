//! What can be done to a picture, as Pillow and torchvision do it.

use super::{Planes, affine, colour, tone};

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
    /// A share of the circle of hues.
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

impl Operation {
    /// Does it. What is laid bare is filled, a value for each channel.
    pub(crate) fn apply(self, planes: &mut Planes, fill: &[u8]) {
        let size = planes.size();
        let mut move_by = |matrix| affine::transform(planes, matrix, fill);
        match self {
            Self::ShearX(by) => move_by(affine::shear_x(by)),
            Self::ShearY(by) => move_by(affine::shear_y(by)),
            Self::TranslateX(by) => move_by(affine::translate(by, 0.)),
            Self::TranslateY(by) => move_by(affine::translate(0., by)),
            Self::Rotate(degrees) => move_by(affine::rotate(degrees, size)),
            Self::Brightness(factor) => colour::brightness(planes, factor),
            Self::Saturation(factor) => colour::saturation(planes, factor),
            Self::Contrast(factor) => colour::contrast(planes, factor),
            Self::Sharpness(factor) => colour::sharpness(planes, factor),
            Self::Hue(by) => colour::hue(planes, by),
            Self::Posterize(bits) => planes.map(|_| tone::posterize(bits)),
            Self::Solarize(threshold) => planes.map(|_| tone::solarize(threshold)),
            Self::AutoContrast => planes.map(tone::stretch),
            Self::Equalize => planes.map(tone::equalize),
        }
    }
}
