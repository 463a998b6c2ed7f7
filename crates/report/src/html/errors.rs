//! The worst errors: pictures, recordings with their spectrograms, and texts.

use super::{
    escape::{Escaped, Name},
    explanation, media, sentence,
};
use crate::{
    comparison::{Answer, Comparison, ErrorExample, Media},
    words,
};

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
            of => media::media(of, &example.place, ""),
        };
        let asked = example.asked.as_deref().unwrap_or_default();
        let explained = example.explanation.as_ref().map_or(String::new(), |drawing| {
            let what = format!("{}: {asked}", example.place);
            let drawn = explanation::drawn(drawing, &what, "");
            format!("<p class=\"soft\">{}:</p>{drawn}", Escaped(asked))
        });
        return format!(
            "<figure class=\"error\">{media}{}{explained}<figcaption><code>{place}</code></figcaption>\
             </figure>\n",
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
    let media = match (&example.media, &example.explanation) {
        // The words are marked there.
        (Media::Text(_), Some(_)) => String::new(),
        (of, _) => media::media(of, &example.place, truth),
    };
    let explained = example.explanation.as_ref().map_or(String::new(), |drawing| {
        explanation::drawn(drawing, &example.place, "log-odds of the first answer")
    });
    format!(
        "<figure class=\"error\">{media}{explained}<figcaption><strong>{}</strong>, but answered:\
         <ol class=\"answers\">{answers}</ol><code>{place}</code></figcaption></figure>\n",
        Name(truth),
    )
}
