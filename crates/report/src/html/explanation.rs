//! What answers are due to: words with their numbers, and maps over pictures and spectrograms.

use super::{
    escape::{Escaped, Name},
    media,
    page::{page, themes},
};
use crate::{
    explained::{Explained, Explanations},
    explanation::{Drawing, Mark},
};

/// Answers and what they are due to, as one HTML file.
pub fn explanations(all: &Explanations) -> String {
    let header = format!(
        "<header>\n<div><h1>What the answers are due to</h1>\n\
         <p class=\"soft\">{}, by Crosstune {}</p></div>\n{}\n</header>",
        Name(&all.model),
        Name(&all.version),
        themes(),
    );
    let notes: String =
        all.notes.iter().map(|note| format!("<p class=\"soft\">{}</p>\n", Escaped(note))).collect();
    let shown: String = all.shown.iter().map(|one| explained(one, &all.unit)).collect();
    let main = format!(
        "<p class=\"lead\">{}</p>\n{}{notes}{shown}",
        Escaped(&all.method),
        legend(&all.unit)
    );
    page("What the answers are due to", &header, &main)
}

/// What the marks mean.
fn legend(unit: &str) -> String {
    let what = if unit.is_empty() { String::new() } else { format!(", in {}", Escaped(unit)) };
    format!(
        "<ul class=\"legend\">\n<li><span class=\"mark pro h5\"><span>for</span><small>+</small></span> \
         speaks for the answer{what}</li>\n\
         <li><span class=\"mark con h5\"><span>against</span><small>−</small></span> speaks against \
         it</li>\n</ul>\n"
    )
}

fn explained(one: &Explained, unit: &str) -> String {
    let Explained { place, answer, asked, sum, media: original, drawing } = one;
    let original = original.as_ref().map_or(String::new(), |of| {
        format!(
            "<figure>{}<figcaption>As the model is given it</figcaption></figure>\n",
            media::media(of, place, "")
        )
    });
    format!(
        "<section class=\"explained\">\n<h2>{}</h2>\n<p>{} <span class=\"soft\">{}</span></p>\n\
         <div class=\"beside\">\n{original}{}</div>\n<p class=\"soft\">{}</p>\n</section>\n",
        Name(place),
        Name(answer),
        Escaped(asked),
        drawn(drawing, &format!("{place}: {asked}"), unit),
        Escaped(sum),
    )
}

/// An input with what its answer is due to.
pub(super) fn drawn(drawing: &Drawing, what: &str, unit: &str) -> String {
    match drawing {
        Drawing::Words(marks) => {
            let most = most(marks);
            let marks: String = marks.iter().map(|mark| word(mark, most, unit)).collect();
            format!("<p class=\"marks\" dir=\"auto\">{marks}</p>\n")
        }
        Drawing::Heat { png, spots } => {
            let most = most(spots);
            let spots: String = spots.iter().map(|spot| self::spot(spot, most)).collect();
            let alt = format!("Map over {}", Escaped(what));
            format!(
                "<figure>{}<figcaption>What the answer is due to<ol class=\"spots\">{spots}</ol>\
                 </figcaption></figure>\n",
                media::picture(png, "map", &alt)
            )
        }
    }
}

/// A word with its number below it; a number that is small beside others is told when one points at it.
fn word(mark: &Mark, most: f64, unit: &str) -> String {
    let text = Escaped(&mark.text);
    let Some(value) = mark.value else { return text.to_string() };
    let number = signed(value);
    let shown = if value.abs() < 0.1 * most { "" } else { &number };
    format!(
        "<span class=\"mark {}\" title=\"{}: {number} {}\"><bdi>{text}</bdi><small>{shown}</small></span>",
        class(value, most),
        text,
        Escaped(unit),
    )
}

fn spot(mark: &Mark, most: f64) -> String {
    let value = mark.value.unwrap_or(0.);
    format!(
        "<li><span class=\"mark {}\">{}</span> {}</li>",
        class(value, most),
        signed(value),
        Escaped(&mark.text)
    )
}

fn most(marks: &[Mark]) -> f64 {
    marks.iter().filter_map(|mark| mark.value).map(f64::abs).fold(f64::MIN_POSITIVE, f64::max)
}

/// For or against, in ten steps.
fn class(value: f64, most: f64) -> String {
    let side = if value < 0. { "con" } else { "pro" };
    match (9. * value.abs() / most).round() as usize {
        0 => side.into(),
        step => format!("{side} h{}", step.min(9)),
    }
}

/// `+1.20`, `−0.03`.
fn signed(value: f64) -> String {
    let digits = match value.abs() {
        0. => 0,
        size => (2. - size.log10().floor()).clamp(0., 4.) as usize,
    };
    let sign = if value < 0. { "−" } else { "+" };
    format!("{sign}{:.digits$}", value.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Blob;

    fn mark(text: &str, value: Option<f64>) -> Mark {
        Mark { text: text.into(), value }
    }

    #[test]
    fn words_have_numbers_and_do_not_escape() {
        let words = vec![
            mark("<b>", Some(2.)),
            mark(" ", None),
            mark("bad\u{202e}", Some(-0.5)),
            mark("a", Some(0.01)),
        ];
        let html = drawn(&Drawing::Words(words), "x", "log-odds");
        let first = "<span class=\"mark pro h9\" title=\"&lt;b&gt;: +2.00 log-odds\">";
        assert!(html.contains(first), "{html}");
        assert!(html.contains("<bdi>&lt;b&gt;</bdi><small>+2.00</small></span> <span"), "{html}");
        assert!(html.contains("mark con h2\" title=\"bad\u{FFFD}: −0.500"), "{html}");
        assert!(
            html.contains("<bdi>a</bdi><small></small>"),
            "small numbers are in the title alone"
        );
    }

    #[test]
    fn a_page_shows_all_and_loads_nothing() {
        let shown = Explained {
            place: "a&b.png".into(),
            answer: "cat 90.0 %".into(),
            asked: "why cat".into(),
            sum: "They add up.".into(),
            media: None,
            drawing: Drawing::Heat {
                png: Blob(vec![1, 2, 3]),
                spots: vec![mark("x 0–8, y 8–16", Some(-1.))],
            },
        };
        let all = Explanations {
            model: "runs/see".into(),
            method: "By gradients.".into(),
            unit: "log-odds".into(),
            version: "1".into(),
            notes: vec![],
            shown: vec![shown],
        };
        let html = explanations(&all);
        assert!(html.contains("a&amp;b.png") && html.contains("why cat"), "{html}");
        assert!(html.contains("<li><span class=\"mark con h9\">−1.00</span> x 0–8, y 8–16</li>"));
        assert!(
            !html.contains("http://") && !html.contains("https://") && !html.contains("<script")
        );
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Explanations>(&text).unwrap(), all);
    }

    #[test]
    fn numbers_have_three_digits() {
        let all = [12.345, 1.2345, 0.123_45, -0.001_234, 1234.5, 0., 1e-9];
        let want = ["+12.3", "+1.23", "+0.123", "−0.0012", "+1234", "+0", "+0.0000"];
        assert_eq!(all.map(signed), want);
    }
}
