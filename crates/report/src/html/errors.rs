//! The worst errors: pictures, recordings with their spectrograms, and texts.

use super::{
    escape::{Escaped, Name},
    sentence,
};
use crate::{
    blob::Blob,
    comparison::{Answer, Comparison, ErrorExample, Media},
    words,
};

/// The most characters shown of a text.
const TEXT: usize = 600;
/// Pictures up to this width are enlarged without smoothing.
const SMALL: u32 = 96;

/// The error examples, if there are any.
pub(super) fn part(c: &Comparison) -> String {
    let Some(first) = c.error_examples.first() else { return String::new() };
    let shown: String = c.error_examples.iter().map(|example| error(c, example)).collect();
    let legends = c.error_examples.iter().filter_map(|example| example.sentence.as_ref());
    let legend = legends.map(sentence::legend).next().unwrap_or_default();
    let wide = if legend.is_empty() { "" } else { " sentences" };
    format!(
        "<h3>Worst errors of the {}, {} {}</h3>\n{legend}<div class=\"errors{wide}\">\n{shown}</div>\n",
        words::arm(first.arm),
        words::count(first.size),
        Name(&c.target.samples)
    )
}

fn error(c: &Comparison, example: &ErrorExample) -> String {
    let place = Name(&example.place);
    if let Some(answered) = &example.sentence {
        // The words are there already.
        let media = match &example.media {
            Media::Text(_) => String::new(),
            _ => media(example, ""),
        };
        return format!(
            "<figure class=\"error\">{media}{}<figcaption><code>{place}</code></figcaption></figure>\n",
            sentence::words(answered)
        );
    }
    let truth = example.truth.and_then(|truth| c.labels.get(truth)).map_or("", String::as_str);
    let answer = |answer: &Answer| {
        let label = Name(&c.labels[answer.class]);
        let percent = words::percent(f64::from(answer.probability));
        let yes = if Some(answer.class) == example.truth { " class=\"yes\"" } else { "" };
        format!("<li{yes}><span>{label}</span><span>{percent} %</span></li>")
    };
    let answers: String = example.answers.iter().take(3).map(answer).collect();
    format!(
        "<figure class=\"error\">{}<figcaption><strong>{}</strong>, but answered:\
         <ol class=\"answers\">{answers}</ol><code>{place}</code></figcaption></figure>\n",
        media(example, truth),
        Name(truth),
    )
}

fn media(example: &ErrorExample, truth: &str) -> String {
    let place = Escaped(&example.place);
    match &example.media {
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

fn picture(png: &Blob, class: &str, alt: &str) -> String {
    format!("<img class=\"{class}\" alt=\"{alt}\" src=\"data:image/png;base64,{}\">", png.base64())
}

/// The width in a PNG's header, in pixels.
fn width(png: &Blob) -> Option<u32> {
    let bytes = png.0.get(16..20)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
