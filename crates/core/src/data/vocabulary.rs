//! The symbols of a data set for transcription: those of the training texts, or those that are given.

use std::path::Path;

use super::found::{Found, RawTarget};
use super::gathering::Gathering;
use super::item::Split;
use super::labels::EMPTY;
use super::layout::Layout;
use super::symbols::{Symbols, is_letter};
pub(super) use super::transcript_notes::notes;
use crate::error::{Error, Result};
use crate::task::{LetterCase, Vocabulary};

/// The symbols of a data set with these samples, and what they mean. Training texts without any symbol
/// are refused, and what there is to say of the texts is noted.
///
/// # Errors
/// If there is nothing to train on, no training text has a letter, or none has a symbol that is given.
pub(super) fn vocabulary(
    train: &mut Vec<Found>,
    held_out: [(Split, &Vec<Found>); 2],
    path: &Path,
    all: &mut Gathering<'_>,
) -> Result<(Vec<String>, Vocabulary)> {
    if train.is_empty() {
        let others: Vec<_> = held_out.iter().filter(|(_, found)| !found.is_empty()).collect();
        let problem = match &others[..] {
            [] => EMPTY.into(),
            [(split, _), ..] => {
                format!(
                    "{EMPTY}, there is only {split}; give one of its folders or tables by itself"
                )
            }
        };
        return Err(Error::Data { path: path.to_path_buf(), problem });
    }
    let (symbols, vocabulary) = chosen(all.layout, train, path, &mut all.notes)?;
    let known = vocabulary.encoder(&symbols);
    train.retain(|found| match &found.label {
        RawTarget::Text(text) if !has_letters(&known.encode(text).0, &vocabulary) => {
            all.refuse(found.place.clone(), format!("the text {text:?} has none of the symbols"));
            false
        }
        _ => true,
    });
    drop(known);
    let splits = [(Split::Train, &*train)].into_iter().chain(held_out);
    let notes = splits.flat_map(|(split, found)| notes(split, found, &symbols, &vocabulary));
    all.notes.extend(notes);
    Ok((symbols, vocabulary))
}

/// Whether one of these symbols is that of a letter.
fn has_letters(encoded: &[i64], vocabulary: &Vocabulary) -> bool {
    let Vocabulary { delimiter, unknown, .. } = vocabulary;
    let other = [delimiter, unknown].map(|at| at.map(|at| at as i64));
    encoded.iter().any(|at| !other.contains(&Some(*at)))
}

/// The symbols that are given, or else those of the training texts.
fn chosen(
    layout: &Layout,
    train: &[Found],
    path: &Path,
    notes: &mut Vec<String>,
) -> Result<(Vec<String>, Vocabulary)> {
    let texts = || {
        train.iter().filter_map(|found| match &found.label {
            RawTarget::Text(text) => Some(text.as_str()),
            _ => None,
        })
    };
    let Some(given) = &layout.symbols else {
        let (symbols, vocabulary) = Vocabulary::of(texts(), layout.letter_case);
        return match (0..symbols.len()).any(|at| is_letter(&vocabulary, at)) {
            true => Ok((symbols, vocabulary)),
            false => Err(Error::Data {
                path: path.to_path_buf(),
                problem: "no training text has a letter in it".into(),
            }),
        };
    };
    let Symbols { names, mut vocabulary } = given.clone();
    if layout.letter_case != LetterCase::Kept {
        vocabulary.case = layout.letter_case;
    } else if vocabulary.case == LetterCase::Kept
        && let Some(case) = given.case()
    {
        vocabulary.case = case;
        let changed = texts().filter(|text| case.apply(text) != **text).count();
        if changed > 0 {
            let written = match case {
                LetterCase::Upper => "upper",
                _ => "lower",
            };
            notes.push(format!(
                "the symbols are in {written} case, and so the texts are written ({changed} of the \
                 training texts were not)"
            ));
        }
    }
    let fits = {
        let encoder = vocabulary.encoder(&names);
        texts().any(|text| has_letters(&encoder.encode(text).0, &vocabulary))
    };
    match fits || texts().next().is_none() {
        true => Ok((names, vocabulary)),
        false => Err(Error::Data {
            path: path.to_path_buf(),
            problem: "no training text has one of the symbols that are given; is it another \
                      language, or another case (--lowercase, --uppercase)?"
                .into(),
        }),
    }
}
