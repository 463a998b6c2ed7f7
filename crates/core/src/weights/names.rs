//! Parameter names: globs, and the most similar name.

/// Whether a glob matches a name: `*` stands for any characters, dots too, `?` for one.
pub fn matches(glob: &str, name: &str) -> bool {
    let (glob, name) = (glob.as_bytes(), name.as_bytes());
    // Where to go on, in both, if the last star has to match one character more.
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < name.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(&c) if c == b'?' || c == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((behind, matched)) => {
                    star = Some((behind, matched + 1));
                    at = behind;
                    from = matched + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|&c| c == b'*')
}

/// The most similar of some names, if any is similar enough, and in how many bytes it differs.
pub(crate) fn nearest<'n>(
    name: &str,
    others: impl Iterator<Item = &'n str>,
) -> Option<(usize, &'n str)> {
    // Others are too far by their length alone, and may be as long as a file.
    let near = |other: &&str| name.len().abs_diff(other.len()) <= name.len() / 3;
    others
        .filter(near)
        .map(|other| (distance(name, other), other))
        .min()
        .filter(|(d, _)| *d <= name.len() / 3)
}

/// Levenshtein's edit distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["encoder.layer.0.output.dense.weight", "pooler.dense.weight"];
        let near = |name| nearest(name, names.into_iter());
        assert_eq!(near("encoder.layers.0.output.dense.weight"), Some((1, names[0])));
        assert_eq!(near("h.0.ln_1.weight"), None);
    }

    #[test]
    fn globs_match_whole_names() {
        for (glob, name, yes) in [
            ("head.weight", "head.weight", true),
            ("head", "head.weight", false),
            ("*.attn.q", "trunk.blocks.3.attn.q", true),
            ("*.attn.q", "trunk.blocks.3.attn.q.weight", false),
            ("trunk.*.norm?.*", "trunk.blocks.11.norm2.bias", true),
            ("trunk.*.norm?.*", "trunk.norm.bias", false),
            ("*", "", true),
            ("**a*b", "aXbYab", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(glob, name), yes, "{glob} {name}");
        }
    }
}
