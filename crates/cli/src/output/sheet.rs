//! A sheet of samples to look at: some of each class.

use std::{
    io::{self, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};
use crosstune_core::{Dataset, Item, Modality, Preview, Target, Task, error::printable};
use font8x8::UnicodeFonts;
use rayon::prelude::*;

use super::{format::number, save::save};

/// The number of samples shown of each class.
const SHOWN: usize = 8;
/// The gap between two pictures, in pixels.
const GAP: usize = 4;
/// The width and the height of a letter, in pixels.
const LETTER: usize = 8;
/// The height of a class's name, in pixels.
const NAME: usize = LETTER + GAP;
/// How many rows of samples are shown where there are no classes.
const SEQUENCES: usize = 4;
/// How many letters have room below a sample at least, where texts stand there.
const LEAST: usize = 16;
/// How many lines of a text are shown.
const LINES: usize = 4;

/// Writes a sheet. Samples that cannot be read are skipped.
pub(crate) fn write<M: Modality>(
    path: &Path,
    modality: &M,
    data: &Dataset,
    overwrite: bool,
) -> Result<()> {
    let parts = parts(data);
    let shown = if data.task.is_sequence() { SHOWN * SEQUENCES } else { SHOWN };
    let rows: Vec<(&str, Vec<Shown>)> = parts
        .par_iter()
        .map(|(name, of)| {
            // Spread over the class: its first samples may all be of one kind.
            let step = of.len().div_ceil(shown).max(1);
            let sample = |item: &&Item| {
                let preview = modality.preview(&item.input).ok()?;
                Some(Shown { preview, answer: answer(data, item) })
            };
            (name.as_str(), of.iter().step_by(step).filter_map(sample).collect())
        })
        .collect();
    // What is too long for one row goes on in the next.
    let rows: Vec<(&str, &[Shown])> = rows
        .iter()
        .flat_map(|(name, row)| {
            let first = [(*name, &row[..row.len().min(SHOWN)])];
            let rest = row.chunks(SHOWN).skip(1).map(|more| ("", more));
            first.into_iter().chain(rest)
        })
        .collect();
    let pictures = rows
        .iter()
        .flat_map(|(_, row)| *row)
        .any(|shown| matches!(shown.preview, Preview::Picture { .. }));
    if pictures && path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("png")) {
        bail!(
            "--sheet {}: a sheet of pictures is a PNG file; end its name in .png",
            path.display()
        );
    }
    let mut sheet = vec![];
    let made = if pictures { draw(&rows, &mut sheet) } else { list(&rows, &mut sheet) };
    made.with_context(|| format!("{}: cannot be made", path.display()))?;
    save(path, sheet, overwrite)
}

/// A sample, and what is below it.
struct Shown {
    preview: Preview,
    /// The text that is spoken or written in it; empty where its class stands above it.
    answer: String,
}

/// What stands below a sample.
fn answer(data: &Dataset, item: &Item) -> String {
    match data.task.is_sequence() {
        true => item.target.named(&data.labels),
        false => String::new(),
    }
}

/// The training samples by target: by class, by label, or in quarters by the first value, lowest
/// first.
fn parts(data: &Dataset) -> Vec<(String, Vec<&Item>)> {
    if data.task.is_sequence() {
        return vec![(data.task.to_string(), data.train.iter().collect())];
    }
    if data.task != Task::Regression {
        let part = |(at, label): (usize, &String)| {
            (label.clone(), data.train.iter().filter(|item| item.target.has(at)).collect())
        };
        return data.labels.iter().enumerate().map(part).collect();
    }
    let value = |item: &Item| match &item.target {
        Target::Values(values) => values.first().copied().unwrap_or_default(),
        _ => 0.,
    };
    let mut sorted: Vec<&Item> = data.train.iter().collect();
    sorted.sort_by(|a, b| value(a).total_cmp(&value(b)));
    let quarters = sorted.chunks(sorted.len().div_ceil(4).max(1));
    let name = |quarter: &[&Item]| {
        let ends = [quarter.first(), quarter.last()].map(|item| item.map_or(0., |i| value(i)));
        format!("{} {} to {}", data.labels[0], number(ends[0]), number(ends[1]))
    };
    quarters.map(|quarter| (name(quarter), quarter.to_vec())).collect()
}

/// Texts, below the names of their classes.
fn list(rows: &[(&str, &[Shown])], out: &mut dyn Write) -> io::Result<()> {
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (label, row) in rows {
        if !label.is_empty() {
            writeln!(out, "{}", printable(label))?;
        }
        for Shown { preview, answer } in *row {
            if let Preview::Text(text) = preview {
                writeln!(out, "    {}", printable(&in_one_line(text)))?;
            }
            if !answer.is_empty() {
                writeln!(out, "    → {}", printable(&in_one_line(answer)))?;
            }
        }
    }
    Ok(())
}

/// Pictures in rows, below the names of their classes.
fn draw(rows: &[(&str, &[Shown])], out: &mut dyn Write) -> io::Result<()> {
    let mut cell = (1, 1);
    for Shown { preview, .. } in rows.iter().flat_map(|(_, row)| *row) {
        if let Preview::Picture { width, height, .. } = preview {
            cell = (cell.0.max(*width as usize), cell.1.max(*height as usize));
        }
    }
    let answers = rows.iter().flat_map(|(_, row)| *row).map(|shown| &shown.answer);
    if answers.clone().any(|answer| !answer.is_empty()) {
        cell.0 = cell.0.max(LEAST * LETTER);
    }
    let in_line = cell.0 / LETTER;
    let lines = answers.map(|answer| wrapped(answer, in_line).len()).max().unwrap_or(0);
    let row_height = NAME + cell.1 + GAP + lines * (LETTER + 1);
    let mut canvas = Canvas::new(GAP + SHOWN * (cell.0 + GAP), GAP + rows.len() * row_height);
    for (at, (label, row)) in rows.iter().enumerate() {
        let top = GAP + at * row_height;
        canvas.write(GAP, top, label);
        for (column, Shown { preview, answer }) in row.iter().enumerate() {
            let left = GAP + column * (cell.0 + GAP);
            if let Preview::Picture { width, rgb, .. } = preview {
                canvas.place(left, top + NAME, *width as usize, rgb);
            }
            for (at, line) in wrapped(answer, in_line).iter().enumerate() {
                canvas.write(left, top + NAME + cell.1 + GAP / 2 + at * (LETTER + 1), line);
            }
        }
    }
    png(out, canvas.width as u32, canvas.height as u32, &canvas.rgb)
}

/// A text in lines of at most so many letters, broken between words where that is possible, and cut
/// off after [`LINES`].
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let (mut lines, most) = (vec![], most.max(1));
    let mut line = String::new();
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(most) {
            let used = line.chars().count();
            if used > 0 && used + 1 + piece.len() > most {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(piece);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        if let Some(last) = lines.last_mut() {
            *last = last.chars().take(most.saturating_sub(2)).collect::<String>() + "..";
        }
    }
    lines
}

/// Pictures beside each other, each with a text below, as a PNG file.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn captioned(samples: Vec<(Preview, String)>) -> io::Result<Vec<u8>> {
    let shown: Vec<Shown> =
        samples.into_iter().map(|(preview, answer)| Shown { preview, answer }).collect();
    let rows: Vec<(&str, &[Shown])> = shown.chunks(SHOWN).map(|row| ("", row)).collect();
    let mut file = vec![];
    draw(&rows, &mut file)?;
    Ok(file)
}

/// Writes rows of pixels from the top, three bytes each, as a PNG file.
pub(crate) fn png(out: &mut dyn Write, width: u32, height: u32, rgb: &[u8]) -> io::Result<()> {
    let mut encoder = png::Encoder::new(out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    writer.write_image_data(rgb).map_err(io::Error::other)
}

/// A letter of 8 × 8 pixels: a byte for each row from the top, its lowest bit on the left. One that is not
/// known is a question mark.
pub(super) fn glyph(letter: char) -> [u8; 8] {
    let drawn = font8x8::BASIC_FONTS
        .get(letter)
        .or_else(|| font8x8::LATIN_FONTS.get(letter))
        .or_else(|| font8x8::GREEK_FONTS.get(letter))
        .or_else(|| font8x8::BASIC_FONTS.get('?'));
    drawn.unwrap_or_default()
}

/// A white canvas.
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, rgb: vec![255; 3 * width * height] }
    }

    /// Copies a picture; what lies outside the canvas is cut off.
    pub(super) fn place(&mut self, left: usize, top: usize, width: usize, rgb: &[u8]) {
        let end = (left + width).min(self.width);
        for (y, row) in rgb.chunks_exact(3 * width.max(1)).enumerate() {
            if top + y < self.height && left < end {
                let from = 3 * ((top + y) * self.width + left);
                let length = 3 * (end - left);
                self.rgb[from..from + length].copy_from_slice(&row[..length]);
            }
        }
    }

    /// Writes a line in letters of 8 × 8 pixels.
    pub(super) fn write(&mut self, left: usize, top: usize, text: &str) {
        self.letters(left, top, text, (false, [255; 3]));
    }

    /// The same in black, or in white, on a colour.
    pub(super) fn letters(
        &mut self,
        left: usize,
        top: usize,
        text: &str,
        (is_white, ground): (bool, [u8; 3]),
    ) {
        let ink = [if is_white { 255 } else { 0 }; 3];
        for (at, letter) in text.chars().enumerate() {
            let pixel = |row: &u8, x: usize| if row >> x & 1 == 1 { ink } else { ground };
            let rows = glyph(letter);
            let rgb: Vec<u8> =
                rows.iter().flat_map(|row| (0..8).flat_map(move |x| pixel(row, x))).collect();
            self.place(left + 8 * at, top, 8, &rgb);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, value: u8) -> Shown {
        let rgb = vec![value; 3 * (width * height) as usize];
        Shown { preview: Preview::Picture { width, height, rgb }, answer: String::new() }
    }

    #[test]
    fn texts_stand_below_their_samples() {
        assert_eq!(wrapped("so  good\nit was", 8), ["so good", "it was"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("a b c d e f", 1), ["a", "b", "c", ".."]);
        assert!(wrapped(" ", 3).is_empty());
        let answer = "two words".to_string();
        let sample = [Shown { answer, ..picture(10, 6, 1) }];
        let mut file = vec![];
        draw(&[("", &sample)], &mut file).unwrap();
        let reader = png::Decoder::new(io::Cursor::new(file)).read_info().unwrap();
        let (width, height) = (reader.info().width as usize, reader.info().height as usize);
        assert_eq!(width, GAP + SHOWN * (LEAST * LETTER + GAP));
        assert_eq!(height, GAP + NAME + 6 + GAP + LETTER + 1);
    }

    #[test]
    fn pictures_lie_in_rows_under_their_classes() {
        let (cats, others) = ([picture(10, 6, 1), picture(4, 4, 2)], [picture(2, 9, 3)]);
        let rows: [(&str, &[Shown]); 2] = [("cat", &cats), ("né", &others)];
        let mut file = vec![];
        draw(&rows, &mut file).unwrap();
        let mut reader = png::Decoder::new(io::Cursor::new(file)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        let (width, height) = (GAP + SHOWN * (10 + GAP), GAP + 2 * (NAME + 9 + GAP));
        assert_eq!((info.width as usize, info.height as usize), (width, height));
        let count = |value: u8| rgb.chunks(3).filter(|p| *p == [value; 3]).count();
        assert_eq!((count(1), count(2), count(3)), (60, 16, 18));
        let at = |x: usize, y: usize| rgb[3 * (y * width + x)];
        assert_eq!((at(GAP, GAP + NAME), at(GAP + 10 + GAP, GAP + NAME)), (1, 2));
        // The letters of both names.
        assert!(count(0) > 40, "{}", count(0));
    }

    #[test]
    fn texts_are_a_line_each() {
        let mut out = vec![];
        let preview = || Preview::Text("a fine\n film".into());
        let film = [Shown { preview: preview(), answer: String::new() }];
        list(&[("good", &film), ("bad", &[])], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "good\n    a fine film\nbad\n");
        let answered = [Shown { preview: preview(), answer: "O O O".into() }];
        let mut out = vec![];
        list(&[("tagging", &answered), ("", &answered)], &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        assert_eq!(told, "tagging\n".to_string() + &"    a fine film\n    → O O O\n".repeat(2));
    }
}
