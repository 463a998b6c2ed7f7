//! Moving pixels: `Image.transform` of Pillow, by the nearest pixel.

use std::iter;

use super::planes::Planes;

/// Where a pixel at `(x, y)` comes from: `(a x + b y + c, d x + e y + f)`, in `[a, b, c, d, e, f]`.
pub(crate) type Matrix = [f64; 6];

/// Bits of the fraction in Pillow's fixed-point numbers.
const FRACTION: u32 = 16;

/// A shear along the rows.
pub(crate) fn shear_x(by: f64) -> Matrix {
    [1., by, 0., 0., 1., 0.]
}

/// A shear along the columns.
pub(crate) fn shear_y(by: f64) -> Matrix {
    [1., 0., 0., by, 1., 0.]
}

/// A move to the right and down, in pixels.
pub(crate) fn translate(right: f64, down: f64) -> Matrix {
    [1., 0., -right, 0., 1., -down]
}

/// A turn to the left about the middle, in degrees.
pub(crate) fn rotate(degrees: f64, (width, height): (usize, usize)) -> Matrix {
    // Rounded as Pillow does it, so that a quarter turn is exact.
    let round = |x: f64| (x * 1e15).round() / 1e15;
    let (sin, cos) = (-degrees.to_radians()).sin_cos();
    let (sin, cos) = (round(sin), round(cos));
    let (x, y) = (width as f64 / 2., height as f64 / 2.);
    [cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y]
}

/// Moves the pixels; those that come from beyond the border are filled, a value for each channel.
pub(crate) fn transform(planes: &mut Planes, matrix: Matrix, fill: &[u8]) {
    let (width, height) = planes.size();
    let fixed = |x: f64| (x * f64::from(1 << FRACTION) + 0.5).floor() as i64;
    let [a, b, c, d, e, f] = matrix;
    // The middles of pixels are asked for.
    let start = (fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5));
    let (a, b, d, e) = (fixed(a), fixed(b), fixed(d), fixed(e));
    let inside =
        |at: i64, length: usize| usize::try_from(at >> FRACTION).ok().filter(|&at| at < length);
    for (plane, &fill) in iter::zip(&mut planes.planes, fill) {
        let mut moved = Vec::with_capacity(plane.len());
        for row in 0..height as i64 {
            let (mut x, mut y) = (start.0 + row * b, start.1 + row * e);
            for _ in 0..width {
                let sample = match (inside(x, width), inside(y, height)) {
                    (Some(x), Some(y)) => plane[y * width + x],
                    _ => fill,
                };
                moved.push(sample);
                x += a;
                y += d;
            }
        }
        *plane = moved;
    }
}
