//! Maps of numbers over pictures, and words with numbers, as pictures.

use super::sheet::glyph;

/// What speaks for an answer is blue, what speaks against it orange: told apart by whoever does not tell red
/// from green, too. The report's own, on a light ground.
const FOR: [f64; 3] = [11., 95., 176.];
const AGAINST: [f64; 3] = [214., 108., 14.];
/// The least length of a picture's longer side, in pixels: smaller ones are enlarged.
const LEAST: usize = 320;
/// The height of a letter of 8 × 8 pixels in a picture.
const LETTER: usize = 8;

/// A picture of three bytes a pixel, that is drawn on.
pub(super) struct Heat {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
}

/// A grid of numbers, from the top.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid<'a> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: &'a [f64],
}

impl Heat {
    /// A picture in grey, enlarged, under a map: the stronger its colour, the larger the number. All that is
    /// beyond the largest hundredth of the numbers is as strong as it.
    pub(super) fn over((width, height): (usize, usize), rgb: &[u8], grid: Grid<'_>) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        // Rows and columns may be enlarged by other factors: a spectrogram has few bands, or few frames.
        let by = |side: usize, least: usize| least.div_ceil(side).max(1);
        let once = by(width.max(height), LEAST);
        let [right, down] = [width, height].map(|side| once.max(by(side, LEAST / 2)));
        let most = strongest(grid.values);
        let (to_width, to_height) = (width * right, height * down);
        let mut drawn = Vec::with_capacity(3 * to_width * to_height);
        for y in 0..to_height {
            for x in 0..to_width {
                let at = 3 * ((y / down) * width + x / right);
                let [r, g, b] = [0, 1, 2].map(|i| f64::from(rgb.get(at + i).copied().unwrap_or(0)));
                // Rec. 601, lifted so that colours are seen in the dark, too.
                let grey = 60. + 0.76 * (0.299 * r + 0.587 * g + 0.114 * b);
                let cell = (y * grid.rows / to_height) * grid.columns + x * grid.columns / to_width;
                let value = grid.values.get(cell).copied().unwrap_or(0.);
                drawn.extend(mixed([grey; 3], value / most));
            }
        }
        Self { width: to_width, height: to_height, rgb: drawn }
    }

    /// Words in lines, each on its colour, with its number below it.
    pub(super) fn words(words: &[(String, Option<f64>)]) -> Self {
        const COLUMNS: usize = 60;
        let (letter, line) = (2 * LETTER, 5 * LETTER);
        let most = strongest(&words.iter().filter_map(|(_, value)| *value).collect::<Vec<_>>());
        let (mut column, mut row, mut places) = (0, 0, vec![]);
        for (text, value) in words {
            let shown: String =
                text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
            let number = value.map(|value| format!("{value:+.2}"));
            let wide =
                shown.chars().count().max(number.as_ref().map_or(0, |n| n.len().div_ceil(2)));
            if column > 0 && column + wide > COLUMNS {
                (column, row) = (0, row + 1);
            }
            places.push((column, row, shown, *value, number, wide));
            column += wide;
        }
        let (width, height) = ((COLUMNS + 1) * letter, (row + 1) * line + LETTER);
        let mut heat = Self { width, height, rgb: vec![255; 3 * width * height] };
        for (column, row, text, value, number, wide) in places {
            let (left, top) = (LETTER + column * letter, LETTER + row * line);
            if let Some(value) = value {
                let colour = mixed([255.; 3], value / most);
                heat.fill((left, top), (wide.min(COLUMNS) * letter, letter + 2), colour);
            }
            heat.text((left, top), 2, &text);
            if let Some(number) = number {
                heat.text((left, top + letter + LETTER / 2), 1, &number);
            }
        }
        heat
    }

    /// A frame around a part of the picture, of shares of its sides, with a number in its corner.
    pub(super) fn frame(&mut self, [left, top, right, bottom]: [f64; 4], number: usize) {
        let pixel = |share: f64, side: usize| ((share * side as f64).round() as usize).min(side);
        let (left, right) = (pixel(left, self.width), pixel(right, self.width));
        let (top, bottom) = (pixel(top, self.height), pixel(bottom, self.height));
        let (wide, high) = (right.saturating_sub(left), bottom.saturating_sub(top));
        let edges = [
            ((left, top), (wide, 1)),
            ((left, bottom.saturating_sub(1)), (wide, 1)),
            ((left, top), (1, high)),
            ((right.saturating_sub(1), top), (1, high)),
        ];
        for (at, size) in edges {
            self.fill(at, size, [0; 3]);
        }
        let number = number.to_string();
        self.fill((left, top), (number.len() * LETTER + 2, LETTER + 2), [255; 3]);
        self.text((left + 1, top + 1), 1, &number);
    }

    fn fill(&mut self, (left, top): (usize, usize), (wide, high): (usize, usize), colour: [u8; 3]) {
        for y in top..(top + high).min(self.height) {
            for x in left..(left + wide).min(self.width) {
                let at = 3 * (y * self.width + x);
                self.rgb[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    /// A line in black letters, so many times as large; what is beyond the edge is cut off.
    fn text(&mut self, (left, top): (usize, usize), times: usize, text: &str) {
        for (at, letter) in text.chars().enumerate() {
            for (y, row) in glyph(letter).into_iter().enumerate() {
                for x in (0..LETTER).filter(|x| row >> x & 1 == 1) {
                    let place = (left + (at * LETTER + x) * times, top + y * times);
                    self.fill(place, (times, times), [0; 3]);
                }
            }
        }
    }
}

/// The size of the largest numbers, but for the largest hundredth of them; above 0.
fn strongest(values: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let at = sizes.len().saturating_sub(1 + sizes.len() / 100);
    let most = sizes.get(at).copied().unwrap_or(0.);
    let most = if most > 0. { most } else { sizes.last().copied().unwrap_or(0.) };
    most.max(f64::MIN_POSITIVE)
}

/// A ground under the colour of a number from -1 to 1.
fn mixed(ground: [f64; 3], value: f64) -> [u8; 3] {
    let colour = if value < 0. { AGAINST } else { FOR };
    let share = 0.85 * value.abs().min(1.);
    [0, 1, 2].map(|i| (ground[i] + share * (colour[i] - ground[i])).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_lies_over_its_picture() {
        let values = [1., 0., 0., -1.];
        let grid = Grid { rows: 2, columns: 2, values: &values };
        let mut heat = Heat::over((4, 4), &[255; 48], grid);
        assert_eq!((heat.width, heat.height, heat.rgb.len()), (320, 320, 3 * 320 * 320));
        let at = |heat: &Heat, x: usize, y: usize| {
            let at = 3 * (y * heat.width + x);
            [heat.rgb[at], heat.rgb[at + 1], heat.rgb[at + 2]]
        };
        let [blue, bare, orange] = [at(&heat, 10, 10), at(&heat, 200, 10), at(&heat, 310, 310)];
        assert!(blue[2] > blue[0] && orange[0] > orange[2], "{blue:?} {orange:?}");
        assert!(bare[0] == bare[1] && bare[1] == bare[2] && bare[0] > 240);
        heat.frame([0.5, 0.5, 1., 1.], 1);
        assert_eq!(at(&heat, 319, 200), [0; 3]);
        assert_eq!(at(&heat, 310, 310), orange);
        // A spectrogram of few bands is made high enough.
        let heat = Heat::over((500, 40), &[0; 60_000], grid);
        assert_eq!((heat.width, heat.height), (500, 160));
        // One of a few frames, wide enough.
        let heat = Heat::over((10, 80), &[0; 2400], grid);
        assert_eq!((heat.width, heat.height), (160, 320));
    }

    #[test]
    fn words_break_into_lines() {
        let word = |text: &str, value| (text.to_string(), value);
        let words: Vec<_> =
            (0..30).flat_map(|_| [word("word", Some(0.5)), word(" ", None)]).collect();
        let heat = Heat::words(&words);
        assert_eq!(heat.height, 3 * 40 + 8);
        assert_eq!(heat.rgb.len(), 3 * heat.width * heat.height);
        let inked = heat.rgb.chunks_exact(3).filter(|pixel| *pixel == [0; 3]).count();
        assert!(inked > 30 * 4 * 40, "{inked}");
    }

    #[test]
    fn one_outlier_does_not_hide_the_others() {
        let mut values = vec![1.; 200];
        values[7] = 100.;
        assert_eq!(strongest(&values), 1.);
        assert_eq!(strongest(&[0., -3.]), 3.);
        assert!(strongest(&[]) > 0.);
    }
}
