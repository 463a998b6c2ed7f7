//! Whose names tensors have in a file: which of several copies of a model is read, and the words that
//! wrappers put between those of a model.

use std::collections::BTreeMap;

use super::format::quote;

/// Of several copies of a model in one file, raw and averaged above all, the one that was taken, by
/// what stands before its names, and those that were not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// What stands before the names of the copy that was taken.
    pub taken: String,
    /// The same of the others.
    pub left: Vec<String>,
}

/// What `torch.compile`, FSDP and activation checkpointing call the module that they wrap, wherever in
/// a model it stands.
const BETWEEN: [&str; 5] = [
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_fpw_module",
    "_forward_module",
];

/// A name without the words that wrappers put between those of a model, and the words; `None`: it has
/// none of them, or nothing else.
pub(super) fn without_wrappers(name: &str) -> Option<(String, Vec<&'static str>)> {
    let mut found = vec![];
    let word = |word: &&str| match BETWEEN.iter().find(|between| *between == word) {
        Some(between) => {
            found.push(*between);
            false
        }
        None => true,
    };
    let kept: Vec<&str> = name.split('.').filter(word).collect();
    (!found.is_empty() && !kept.is_empty()).then(|| (kept.join("."), found))
}

/// What of a file's contents is below a key, by the names that it has there.
///
/// # Errors
/// If nothing is: names the keys that there are.
pub(super) fn below<T>(all: BTreeMap<String, T>, key: &str) -> Result<BTreeMap<String, T>, String> {
    let mut keys = BTreeMap::<String, usize>::new();
    let mut found = BTreeMap::new();
    for (name, value) in all {
        match name.strip_prefix(key).and_then(|rest| rest.strip_prefix('.')) {
            Some(rest) => {
                found.insert(rest.to_string(), value);
            }
            None => {
                let first = name.split('.').next().unwrap_or_default().to_string();
                *keys.entry(first).or_default() += 1;
            }
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    const SHOWN: usize = 6;
    let more = if keys.len() > SHOWN { ", …" } else { "" };
    let shown: Vec<_> =
        keys.iter().take(SHOWN).map(|(key, n)| format!("{} ({n})", quote(key))).collect();
    Err(format!("no tensor is below {}; there are {}{more}", quote(key), shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_wrappers_are_left_out_wherever_they_stand() {
        for (name, clean, words) in [
            ("_orig_mod.h.0.weight", "h.0.weight", &["_orig_mod"][..]),
            ("h.0._checkpoint_wrapped_module.q", "h.0.q", &["_checkpoint_wrapped_module"]),
            ("_fsdp_wrapped_module.h._orig_mod.q", "h.q", &["_fsdp_wrapped_module", "_orig_mod"]),
        ] {
            assert_eq!(without_wrappers(name), Some((clean.into(), words.into())), "{name}");
        }
        for name in ["h.0.weight", "my_orig_mod.weight", "_orig_mod", ""] {
            assert_eq!(without_wrappers(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_below_a_key_has_the_names_that_it_has_there() {
        let all =
            || ["ema.a.w", "ema.b", "emax.a", "step"].map(|name| (name.to_string(), ())).into();
        let found = below(all(), "ema").unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a.w", "b"]);
        assert_eq!(below(all(), "ema.a").unwrap().len(), 1);
        let said = "no tensor is below `em`; there are `ema` (2), `emax` (1), `step` (1)";
        assert_eq!(below(all(), "em").unwrap_err(), said);
    }
}
