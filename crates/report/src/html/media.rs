//! Samples: pictures, recordings with their spectrograms, and texts.

use super::escape::Escaped;
use crate::{blob::Blob, comparison::Media};

/// The most characters shown of a text.
const TEXT: usize = 600;
/// Pictures up to this width are enlarged without smoothing.
const SMALL: u32 = 96;

/// A sample at a place, of this class if any is told.
pub(super) fn media(of: &Media, place: &str, truth: &str) -> String {
    let place = Escaped(place);
    match of {
        Media::Picture { png } => {
            let small = if width(png).is_some_and(|width| width <= SMALL) { "small" } else { "" };
            let which = if truth.is_empty() { "" } else { ", which is " };
            let alt = format!("{place}{which}{}", Escaped(truth));
            picture(png, small, &alt)
        }
        Media::Sound { wav, spectrogram_png } => {
            let alt = format!("Spectrogram of {place}: time to the right, low frequencies below");
            format!(
                "{}<audio controls preload=\"metadata\" aria-label=\"{place}\" \
                 src=\"data:audio/wav;base64,{}\"></audio>",
                picture(spectrogram_png, "small spectrogram", &alt),
                wav.base64()
            )
        }
        Media::Text(text) => {
            let mut short: String = text.chars().take(TEXT).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            let parts =
                short.split('\t').map(|part| format!("<p dir=\"auto\">{}</p>", Escaped(part)));
            format!("<blockquote>{}</blockquote>", parts.collect::<String>())
        }
    }
}

/// A picture; `alt` is HTML.
pub(super) fn picture(png: &Blob, class: &str, alt: &str) -> String {
    format!("<img class=\"{class}\" alt=\"{alt}\" src=\"data:image/png;base64,{}\">", png.base64())
}

/// The width in a PNG's header, in pixels.
fn width(png: &Blob) -> Option<u32> {
    let bytes = png.0.get(16..20)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
