//! Explanations as people see them: words with their numbers, maps over pictures and spectrograms.

use anyhow::Result;
use crosstune_core::predict::{Attributions, ExplainTarget, Explanation};
use crosstune_core::{Pixels, Spec, Surface};
use crosstune_report::{Drawing, Mark};

use super::heat::{Grid, Heat};
use super::sheet::png;

/// How many parts of a picture are told by number.
const SPOTS: usize = 5;
/// The most parts of a side that are told apart there.
const PARTS: [usize; 2] = [8, 16];

/// An explanation for the report. `adds` says whether numbers of neighbours add up, or are averaged.
///
/// # Errors
/// If a picture cannot be written.
pub(crate) fn drawing(of: &Explanation, adds: bool) -> Result<Drawing> {
    Ok(match (&of.surface, &of.attributions) {
        (Surface::Words { .. }, _) => Drawing::Words(marks(of)),
        (Surface::Picture(pixels), Attributions::Map { rows, columns, values }) => {
            let grid = Grid { rows: *rows, columns: *columns, values };
            let (width, height) = (f64::from(pixels.width), f64::from(pixels.height));
            let name = |[left, top, right, bottom]: [f64; 4]| {
                let at = |share: f64, side: f64| format!("{:.0}", share * side);
                format!(
                    "x {}–{}, y {}–{}",
                    at(left, width),
                    at(right, width),
                    at(top, height),
                    at(bottom, height)
                )
            };
            heat(pixels, grid, [PARTS[0]; 2], adds, &name)?
        }
        (
            Surface::Recording { spectrogram, seconds, .. },
            Attributions::Map { rows, columns, values },
        ) => {
            // The lowest band is drawn below.
            let flipped: Vec<f64> =
                values.chunks(*columns).rev().flat_map(|row| row.iter().copied()).collect();
            let grid = Grid { rows: *rows, columns: *columns, values: &flipped };
            let bands = *rows;
            let name = |[left, top, right, bottom]: [f64; 4]| {
                let time = format!("{:.2}–{:.2} s", left * seconds, right * seconds);
                let band = |share: f64| (bands as f64 * (1. - share)).round() as usize;
                match bands {
                    1 => time,
                    _ => format!("{time}, bands {}–{} of {bands}", band(bottom) + 1, band(top)),
                }
            };
            heat(spectrogram, grid, [PARTS[0] / 2, PARTS[1]], adds, &name)?
        }
        // Pictures and recordings have maps.
        (_, Attributions::Words(_)) => Drawing::Words(vec![]),
    })
}

/// What is explained: `why positive`. `words` are those that labels are of.
pub(crate) fn why(
    question: &ExplainTarget,
    spec: &Spec,
    words: &[String],
    word: Option<usize>,
) -> String {
    let label = |at: &usize| spec.labels.get(*at).map_or("", String::as_str);
    match question {
        ExplainTarget::Label(at) | ExplainTarget::Value(at) => format!("why {}", label(at)),
        ExplainTarget::Tag { word, label: at } => {
            let written = words.get(*word).map_or(String::new(), |word| format!(" “{word}”"));
            format!("why {} for word {}{written}", label(at), word + 1)
        }
        ExplainTarget::Symbols(_) => match word {
            Some(word) => format!("why word {}", word + 1),
            None => "why this text".into(),
        },
    }
}

/// What the numbers are.
pub(crate) fn unit(question: &ExplainTarget, spec: &Spec) -> String {
    match question {
        ExplainTarget::Label(_) | ExplainTarget::Tag { .. } => "log-odds".into(),
        ExplainTarget::Value(at) => spec.labels.get(*at).cloned().unwrap_or_default(),
        ExplainTarget::Symbols(_) => "log-probability".into(),
    }
}

/// The parts of a text, one behind the other: words with their numbers, and what lies between them.
pub(crate) fn marks(of: &Explanation) -> Vec<Mark> {
    let (Surface::Words { text, words, .. }, Attributions::Words(values)) =
        (&of.surface, &of.attributions)
    else {
        return vec![];
    };
    let characters: Vec<char> = text.chars().collect();
    let part = |from: usize, to: usize| -> String {
        characters.get(from..to).map(|part| part.iter().collect()).unwrap_or_default()
    };
    let (mut marks, mut behind) = (vec![], 0);
    for (word, value) in words.iter().zip(values) {
        if word.start > behind {
            marks.push(Mark { text: part(behind, word.start), value: None });
        }
        marks.push(Mark { text: part(word.start, word.end), value: Some(*value) });
        behind = word.end;
    }
    if behind < characters.len() {
        marks.push(Mark { text: part(behind, characters.len()), value: None });
    }
    marks
}

/// The words of a text with their numbers, as a PNG file.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn words_png(marks: &[Mark]) -> Result<Vec<u8>> {
    let words: Vec<_> = marks.iter().map(|mark| (mark.text.clone(), mark.value)).collect();
    encoded(&Heat::words(&words))
}

fn heat(
    pixels: &Pixels,
    grid: Grid<'_>,
    most: [usize; 2],
    adds: bool,
    name: &dyn Fn([f64; 4]) -> String,
) -> Result<Drawing> {
    let size = (pixels.width as usize, pixels.height as usize);
    let mut heat = Heat::over(size, &pixels.rgb, grid);
    let mut spots = parts(grid, most, adds);
    spots.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    spots.truncate(SPOTS);
    for (at, (part, _)) in spots.iter().enumerate() {
        heat.frame(*part, at + 1);
    }
    let spots =
        spots.into_iter().map(|(part, value)| Mark { text: name(part), value: Some(value) });
    Ok(Drawing::Heat { png: encoded(&heat)?.into(), spots: spots.collect() })
}

fn encoded(heat: &Heat) -> Result<Vec<u8>> {
    let mut file = vec![];
    png(&mut file, heat.width as u32, heat.height as u32, &heat.rgb)?;
    Ok(file)
}

/// The parts of a grid, at most so many from top to bottom and from left to right, each with the sum or the
/// mean of what it holds, as `[left, top, right, bottom]` in shares of the sides.
fn parts(grid: Grid<'_>, most: [usize; 2], adds: bool) -> Vec<([f64; 4], f64)> {
    let (down, right) = (grid.rows.min(most[0]).max(1), grid.columns.min(most[1]).max(1));
    let edge = |at: usize, of: usize, cells: usize| at * cells / of;
    let mut parts = vec![];
    for row in 0..down {
        for column in 0..right {
            let rows = edge(row, down, grid.rows)..edge(row + 1, down, grid.rows);
            let columns = edge(column, right, grid.columns)..edge(column + 1, right, grid.columns);
            let cells =
                rows.clone().flat_map(|y| columns.clone().map(move |x| y * grid.columns + x));
            let found: Vec<f64> = cells.filter_map(|cell| grid.values.get(cell).copied()).collect();
            let sum: f64 = found.iter().sum();
            let value = if adds { sum } else { sum / found.len().max(1) as f64 };
            let share = |at: usize, of: usize| at as f64 / of.max(1) as f64;
            let part = [
                share(columns.start, grid.columns),
                share(rows.start, grid.rows),
                share(columns.end, grid.columns),
                share(rows.end, grid.rows),
            ];
            parts.push((part, value));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use crosstune_core::Baseline;

    use super::*;

    fn explanation(surface: Surface, attributions: Attributions) -> Explanation {
        Explanation {
            score: 1.,
            baseline_score: Some(0.),
            baseline: Baseline::Black,
            attributions,
            rest: 0.,
            residual: 0.,
            steps: 50,
            converged: true,
            surface,
        }
    }

    #[test]
    fn a_text_keeps_what_lies_between_its_words() {
        let surface = Surface::Words {
            text: " né owl… cut".into(),
            words: vec![1..3, 4..7],
            positions: vec![],
        };
        let marks = marks(&explanation(surface, Attributions::Words(vec![1., -2.])));
        let got: Vec<_> = marks.iter().map(|mark| (&*mark.text, mark.value)).collect();
        let want =
            [(" ", None), ("né", Some(1.)), (" ", None), ("owl", Some(-2.)), ("… cut", None)];
        assert_eq!(got, want);
    }

    #[test]
    fn the_parts_that_count_most_are_named() {
        let mut values = vec![0.; 16 * 16];
        values[17] = 1.5;
        values[255] = -3.;
        let pixels = Pixels { width: 32, height: 32, rgb: vec![9; 3 * 32 * 32] };
        let map = Attributions::Map { rows: 16, columns: 16, values: values.clone() };
        let of = explanation(Surface::Picture(pixels.clone()), map);
        let Drawing::Heat { spots, .. } = drawing(&of, true).unwrap() else { panic!("no map") };
        let two: Vec<_> = spots[..2].iter().map(|spot| (&*spot.text, spot.value)).collect();
        assert_eq!(two, [("x 28–32, y 28–32", Some(-3.)), ("x 0–4, y 0–4", Some(1.5))]);
        let Drawing::Heat { spots, .. } = drawing(&of, false).unwrap() else { panic!("no map") };
        assert_eq!(spots[0].value, Some(-0.75), "the mean of four");

        // The last row is the highest band.
        let surface = Surface::Recording {
            spectrogram: pixels,
            seconds: 1.6,
            starts: vec![0.],
            lengths: vec![16],
            step: 0.1,
        };
        let map = Attributions::Map { rows: 16, columns: 16, values };
        let of = explanation(surface, map);
        let Drawing::Heat { spots, .. } = drawing(&of, true).unwrap() else { panic!("no map") };
        let two: Vec<_> = spots[..2].iter().map(|spot| &*spot.text).collect();
        assert_eq!(two, ["1.50–1.60 s, bands 13–16 of 16", "0.10–0.20 s, bands 1–4 of 16"]);
    }
}
