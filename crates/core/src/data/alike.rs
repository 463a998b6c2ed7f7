//! Labels that look like the same one written in two ways.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

/// Groups of labels that differ only in case, spaces, Unicode form, or in how a number is written;
/// in the order of the labels.
pub(super) fn alike(labels: &[String]) -> Vec<Vec<usize>> {
    let mut groups = BTreeMap::<String, Vec<usize>>::new();
    for (at, label) in labels.iter().enumerate() {
        groups.entry(plain(label)).or_default().push(at);
    }
    let mut alike: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
    alike.sort();
    alike
}

/// What is left of a label without what people do not see or do not mean.
pub(super) fn plain(label: &str) -> String {
    let folded: String = label.nfkc().flat_map(char::to_lowercase).collect();
    let number = match folded.trim() {
        // As Python and JSON write what others write as 0 and 1.
        "true" => Some(1.),
        "false" => Some(0.),
        other => other.parse::<f64>().ok().filter(|number| number.is_finite()),
    };
    if let Some(number) = number {
        // 0 and -0 are one.
        return format!("{:e}", number + 0.);
    }
    let sign = folded.trim_start().starts_with('-');
    let seen = folded.chars().filter(|c| !is_space(*c)).collect::<String>();
    if sign { format!("-{seen}") } else { seen }
}

/// Whether it separates words or is not seen at all.
fn is_space(c: char) -> bool {
    const UNSEEN: [char; 6] =
        ['\u{200B}', '\u{200C}', '\u{200D}', '\u{2060}', '\u{FEFF}', '\u{AD}'];
    c.is_whitespace() || c == '_' || c == '-' || UNSEEN.contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_look_the_same_are_found() {
        let of =
            |labels: &[&str]| alike(&labels.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(of(&["Ham", "Spam", "ham", "spam"]), [[0, 2], [1, 3]]);
        assert_eq!(of(&["caf\u{e9}", "cafe\u{301}", "tea", "tea\u{a0}"]), [[0, 1], [2, 3]]);
        assert_eq!(of(&["no", "yes", "yes\u{200b}", "\u{feff}no"]), [[0, 3], [1, 2]]);
        assert_eq!(of(&["0", "0.0", "01", "1", "1.0", "10"]), [vec![0, 1], vec![2, 3, 4]]);
        assert_eq!(of(&["0", "1", "True"]), [[1, 2]]);
        assert_eq!(of(&["New York", "new_york"]), [[0, 1]]);
        let none: [[usize; 2]; 0] = [];
        assert_eq!(of(&["-1", "1", "a", "-a", "b", "inf", "", "10"]), none);
    }
}
