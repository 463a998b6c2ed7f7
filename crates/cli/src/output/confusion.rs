//! The picture of a confusion matrix.

use std::io;

use crosstune_core::error::printable;
use crosstune_core::task::Confusion;

use super::sheet::{Canvas, png};

/// The most classes that have a picture.
const MOST: usize = 1024;
/// The longest side of the cells together, in pixels, and the sides of one.
const SIDE: usize = 640;
const CELL: (usize, usize) = (1, 32);
/// A letter's width and height, and the gap around it.
const LETTER: usize = 8;
const GAP: usize = 4;
/// The most letters of a class's name.
const NAME: usize = 16;
/// The colour of a cell in which all samples of a class are: the report's blue.
const ALL: [f64; 3] = [11., 95., 176.];

/// The matrix as a PNG file: a row for each true class and a column for each predicted one, the darker, the
/// larger the share of the row's samples. Where there is room, rows have names and cells numbers. `None`: it
/// has too many classes, or none.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn picture(confusion: &Confusion, labels: &[String]) -> io::Result<Option<Vec<u8>>> {
    let classes = confusion.classes();
    if classes == 0 || classes > MOST {
        return Ok(None);
    }
    let cell = (SIDE / classes).clamp(CELL.0, CELL.1);
    let is_named = cell > LETTER;
    let name = |class: usize| -> String {
        let label = labels.get(class).map_or_else(|| class.to_string(), |l| printable(l).into());
        label.chars().take(NAME).collect()
    };
    let longest = (0..classes).map(|class| name(class).chars().count()).max().unwrap_or(0);
    let left = if is_named { GAP + longest * LETTER + GAP } else { GAP };
    let top = GAP + LETTER + GAP;
    let width = (left + classes * cell + GAP).max(GAP + TITLE.len() * LETTER + GAP);
    let mut canvas = Canvas::new(width, top + classes * cell + GAP);
    canvas.write(GAP, GAP, TITLE);
    let totals: Vec<u32> =
        (0..classes).map(|truth| confusion.row(truth).map(|(_, samples)| samples).sum()).collect();
    for (truth, predicted, samples) in confusion.cells() {
        let share = f64::from(samples) / f64::from(totals[truth].max(1));
        let colour = ALL.map(|full| (255. + (full - 255.) * share).round() as u8);
        let (x, y) = (left + predicted * cell, top + truth * cell);
        canvas.place(x, y, cell, &colour.repeat(cell * cell));
        let number = samples.to_string();
        if number.len() * LETTER < cell {
            let x = x + (cell - number.len() * LETTER) / 2;
            canvas.letters(x, y + (cell - LETTER) / 2, &number, (share > 0.5, colour));
        }
    }
    if is_named {
        for class in 0..classes {
            canvas.write(GAP, top + class * cell + (cell - LETTER) / 2, &name(class));
        }
    }
    let mut file = vec![];
    png(&mut file, canvas.width as u32, canvas.height as u32, &canvas.rgb)?;
    Ok(Some(file))
}

const TITLE: &str = "rows: true, columns: predicted";

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: Vec<Vec<u32>>, labels: &[&str]) -> (usize, usize, Vec<u8>) {
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        let file = picture(&rows.into(), &labels).unwrap().unwrap();
        let mut reader = ::png::Decoder::new(io::Cursor::new(file)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        (info.width as usize, info.height as usize, rgb)
    }

    #[test]
    fn a_cell_is_as_dark_as_its_share_of_the_row() {
        let (width, height, rgb) = drawn(vec![vec![4, 0], vec![1, 3]], &["no", "yes"]);
        let (left, top) = (GAP + 3 * LETTER + GAP, GAP + LETTER + GAP);
        assert_eq!(height, top + 64 + GAP);
        let at = |truth: usize, predicted: usize| {
            let pixel = (top + truth * 32 + 1) * width + left + predicted * 32 + 1;
            [rgb[3 * pixel], rgb[3 * pixel + 1], rgb[3 * pixel + 2]]
        };
        assert_eq!((at(0, 0), at(0, 1)), ([11, 95, 176], [255; 3]));
        let part = |share: f64| ALL.map(|full| (255. + (full - 255.) * share).round() as u8);
        assert_eq!((at(1, 0), at(1, 1)), (part(0.25), part(0.75)));
    }

    #[test]
    fn many_classes_are_small_and_too_many_have_none() {
        let mut rows = vec![vec![0; 300]; 300];
        rows[299][0] = 1;
        let (width, height, _) = drawn(rows, &[]);
        assert_eq!((width, height), (GAP + 600 + GAP, 16 + 600 + GAP));
        assert!(picture(&Confusion::new(2000), &[]).unwrap().is_none());
        assert!(picture(&Confusion::new(0), &[]).unwrap().is_none());
    }
}
