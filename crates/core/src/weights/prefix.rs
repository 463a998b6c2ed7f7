//! Where a family's names begin in a checkpoint: whoever wraps a model in a class of their own puts
//! words before all of its names.

use std::collections::BTreeSet;

use super::checkpoint::Copies;
use super::key_map::{KeyMap, fill};
use super::transform::TensorTransform;

/// What stands before a family's names in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The words of what the model is a part of, before every name of body and head:
    /// `module.encoder_q.`; usually none.
    pub wrapper: String,
    /// Before the names of the body, behind those words: one of [`KeyMap::prefixes`].
    pub body: &'static str,
    /// If there are several copies of the model, which wrapper's was taken.
    pub copies: Option<Copies>,
}

/// The longest wrapper, in bytes.
const LONGEST: usize = 200;

/// Of several copies of a model, the one that is meant to be taken: MoCo's query encoder, BYOL's online
/// one, DINO's teacher, and a model beside its moving average.
const CHOSEN: [&str; 11] = [
    "encoder_q",
    "base_encoder",
    "online_encoder",
    "online_network",
    "teacher",
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "network",
    "net",
];

impl KeyMap {
    /// What stands before the names of a checkpoint; `None`: it is not of this family.
    ///
    /// # Errors
    /// If there are several models of the family in it: two of their wrappers.
    pub fn prefix<'n>(
        &self,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<Option<Prefix>, [String; 2]> {
        let Some(probe) = self.probe() else { return Ok(None) };
        for body in self.prefixes.iter().copied() {
            let start = format!("{body}{probe}");
            if names.clone().any(|name| name.strip_prefix(&start).is_some_and(ends)) {
                return Ok(Some(Prefix { wrapper: String::new(), body, copies: None }));
            }
        }
        // A single word is too common to be known by within another model: all names have to begin
        // alike.
        if !probe.contains('.') {
            let wrapper = shared(names.clone());
            let begins = |body: &str| {
                let start = format!("{wrapper}{body}{probe}");
                names.clone().any(|name| name.strip_prefix(&start).is_some_and(ends))
            };
            let body = self.prefixes.iter().copied().find(|body| begins(body));
            return Ok(body.map(|body| Prefix { wrapper: wrapper.into(), body, copies: None }));
        }
        let mut prefixes = self.prefixes.to_vec();
        prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        for body in prefixes {
            let start = format!(".{body}{probe}");
            let wrapper = |name: &'n str| {
                let at = name.find(&start).filter(|&at| at < LONGEST)?;
                ends(&name[at + start.len()..]).then_some(&name[..=at]).filter(|w| is_wrapper(w))
            };
            let wrappers: BTreeSet<&str> = names.clone().filter_map(wrapper).collect();
            let only = |word: &&str| {
                let mut has = wrappers.iter().filter(|w| w.split('.').any(|x| x == *word));
                has.next().filter(|_| has.next().is_none())
            };
            let chosen = || CHOSEN.iter().find_map(only);
            let wrapper = match wrappers.iter().collect::<Vec<_>>()[..] {
                [] => continue,
                [only] => only,
                [first, second, ..] => match chosen() {
                    Some(chosen) => chosen,
                    None => return Err([first, second].map(|w| w.to_string())),
                },
            };
            let left = wrappers.iter().filter(|other| *other != wrapper).map(|w| w.to_string());
            let copies = Copies { taken: wrapper.to_string(), left: left.collect() };
            let copies = Some(copies).filter(|copies| !copies.left.is_empty());
            return Ok(Some(Prefix { wrapper: wrapper.to_string(), body, copies }));
        }
        Ok(None)
    }

    /// Whether the table names a tensor of the publisher's, without a prefix, in a first block.
    pub(crate) fn has_their(&self, name: &str) -> bool {
        self.body.iter().chain(self.head).any(|rule| {
            let rest = name.strip_prefix(&fill(rule.theirs, &[0, 0]));
            !rule.theirs.is_empty()
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// A name that every checkpoint of the family has, without its prefix.
    pub(crate) fn probe(&self) -> Option<String> {
        let first = self.body.first()?;
        let probe = fill(first.theirs, &[0, 0]);
        Some(match first.transform {
            TensorTransform::WeightNorm { v, .. } => format!("{probe}.{v}"),
            _ => probe,
        })
    }
}

/// Whether a name ends here, or goes on with a leaf.
fn ends(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('.')
}

/// The words that all names begin with, but for those of a single word: counters and the like.
fn shared<'n>(names: impl Iterator<Item = &'n str>) -> &'n str {
    let mut names = names.filter_map(|name| Some(&name[..=name.rfind('.')?]));
    let Some(mut shared) = names.next() else { return "" };
    for name in names {
        let words = shared.split_inclusive('.').zip(name.split_inclusive('.'));
        shared = &shared[..words.take_while(|(a, b)| a == b).map(|(word, _)| word.len()).sum()];
    }
    shared
}

/// Whether these are words of attributes. A number is an index: of one of many blocks that belong to
/// another architecture, unless it is that of the first thing in a sequence of models.
fn is_wrapper(words: &str) -> bool {
    words.split('.').skip(1).all(|word| word.parse::<usize>().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::key_map::{KeyRule, same};

    const TABLE: KeyMap = KeyMap {
        name: "test",
        prefixes: &["", "model.body."],
        body: &[same("trunk.blocks.{}.q", "h.{}.qkv")],
        head: &[],
    };

    #[test]
    fn the_prefix_is_found_or_the_family_is_another() {
        let prefix = |names: &[&str]| TABLE.prefix(names.iter().copied());
        for (name, wrapper, body) in [
            ("h.0.qkv.weight", "", ""),
            ("model.body.h.0.qkv.weight", "", "model.body."),
            ("h.0.qkv", "", ""),
            ("module.h.0.qkv.weight", "module.", ""),
            ("net.model.body.h.0.qkv.weight", "net.", "model.body."),
            ("base_model.model._orig_mod.h.0.qkv.weight", "base_model.model._orig_mod.", ""),
            ("0.auto_model.h.0.qkv.weight", "0.auto_model.", ""),
        ] {
            let found = Prefix { wrapper: wrapper.into(), body, copies: None };
            assert_eq!(prefix(&[name, "criterion.weight"]), Ok(Some(found)), "{name}");
        }
        let long = format!("{}.h.0.qkv", "x".repeat(1 << 20));
        let other = ["h.0.qkvs.weight", "xh.0.qkv.weight", "layers.0.h.0.qkv.weight", &long, ""];
        for name in other {
            assert_eq!(prefix(&[name]), Ok(None), "{name}");
        }
    }

    #[test]
    fn of_several_copies_the_usual_one_is_taken_or_all_are_refused() {
        let prefix = |wrappers: [&str; 2]| {
            let names = wrappers.map(|wrapper| format!("{wrapper}h.0.qkv.weight"));
            let found = TABLE.prefix(names.iter().map(String::as_str));
            found.map(|found| found.unwrap().wrapper)
        };
        for (wrappers, taken) in [
            (["module.encoder_k.", "module.encoder_q."], "module.encoder_q."),
            (["student.backbone.", "teacher.backbone."], "teacher.backbone."),
            (["ema.", "model."], "model."),
            (["", "ema."], ""),
        ] {
            assert_eq!(prefix(wrappers).as_deref(), Ok(taken));
        }
        for [first, second] in [["document.", "query."], ["model.document.", "model.query."]] {
            assert_eq!(prefix([second, first]), Err([first, second].map(Into::into)));
        }
    }

    #[test]
    fn a_single_word_is_looked_for_at_the_start_alone() {
        const BODY: &[KeyRule] = &[same("embed.conv", "conv0")];
        let table = KeyMap { body: BODY, ..TABLE };
        assert!(table.prefix(["conv0.weight"].into_iter()).unwrap().is_some());
        let other = ["features.conv0.weight", "classifier.weight"];
        assert!(table.prefix(other.into_iter()).unwrap().is_none());
        let wrapped = ["n_averaged", "module.net.conv0.weight", "module.net.fc.bias"];
        let found = table.prefix(wrapped.into_iter()).unwrap().unwrap();
        assert_eq!(found.wrapper, "module.net.");
    }
}
