//! Applying an operation to a picture.

use super::{affine, colour, operation::Operation, planes::Planes, tone};

impl Operation {
    /// Applies the operation. Empty areas are filled, with a value for each channel.
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
