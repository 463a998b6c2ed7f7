//! The names of splits, as people and publishers write them.

use super::item::Split;

/// Words that say nothing of which part it is, in the plural.
const FILLERS: &[&str] = &[
    "sets",
    "datasets",
    "splits",
    "parts",
    "folders",
    "files",
    "samples",
    "images",
    "imgs",
    "pictures",
    "photos",
    "audios",
    "wavs",
    "clips",
    "recordings",
    "texts",
    "sentences",
];

/// A name with the word for a split in it: `test`, `Test-Set`, `val2017`, `imagenet_train`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SplitName {
    /// Which split.
    pub(super) split: Split,
    /// Its other words, apart from fillers and numbers. Without any, the name is a split's for
    /// certain.
    others: Vec<String>,
}

impl SplitName {
    /// Reads a name. `None`: it has no such word, or those of several splits.
    pub(super) fn read(name: &str) -> Option<Self> {
        let (mut split, mut others) = (None, vec![]);
        for word in words(name) {
            match keyword(&word) {
                Some(one) if split.is_none_or(|other| other == one) => split = Some(one),
                Some(_) => return None,
                None if is_filler(&word) => {}
                None if word.bytes().all(|b| b.is_ascii_digit()) => {}
                None => others.push(word),
            }
        }
        split.map(|split| Self { split, others })
    }

    fn is_certain(&self) -> bool {
        self.others.is_empty()
    }
}

impl Split {
    /// The split that a folder, a file stem or a table's cell names for certain.
    pub(super) fn named(name: &str) -> Option<Self> {
        SplitName::read(name).filter(SplitName::is_certain).map(|name| name.split)
    }

    /// The same of a table's file stem, possibly with the number of a shard.
    pub(super) fn of_stem(stem: &str) -> Option<Self> {
        Self::named(without_shard(stem))
    }
}

/// Those of some siblings, each with its name, that are the splits of a data set: by their names
/// alone, or because several names differ in nothing but the word for the split, as `pets_train` and
/// `pets_test` do. `None`: there is none to train on.
pub(super) fn splits<T>(siblings: Vec<(Option<&str>, T)>) -> Option<Vec<(Split, T)>> {
    let named =
        |(name, one): (Option<&str>, T)| Some((SplitName::read(without_shard(name?))?, one));
    let named: Vec<(SplitName, T)> = siblings.into_iter().filter_map(named).collect();
    let names: Vec<SplitName> = named.iter().map(|(name, _)| name.clone()).collect();
    let is_split = |name: &SplitName| {
        let same = || names.iter().filter(|other| other.others == name.others);
        let train = same().any(|other| other.split == Split::Train);
        name.is_certain() || (train && same().any(|other| other.split != Split::Train))
    };
    let splits: Vec<_> = named
        .into_iter()
        .filter(|(name, _)| is_split(name))
        .map(|(name, one)| (name.split, one))
        .collect();
    splits.iter().any(|(split, _)| *split == Split::Train).then_some(splits)
}

/// A file stem without the number of a shard: `train` of `train-00000-of-00002`.
fn without_shard(stem: &str) -> &str {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let name = || {
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (name, index) = rest.rsplit_once('-')?;
        (number(count) && number(index)).then_some(name)
    };
    name().unwrap_or(stem)
}

fn is_filler(word: &str) -> bool {
    word == "data"
        || FILLERS.iter().any(|many| *many == word || many.strip_suffix('s') == Some(word))
}

/// As Hugging Face's `datasets` has them.
fn keyword(word: &str) -> Option<Split> {
    // `trainset`, `testdata`
    let bare = ["set", "data"].iter().find_map(|filler| word.strip_suffix(filler)).unwrap_or(word);
    match bare {
        "train" | "training" => Some(Split::Train),
        "validation" | "valid" | "val" | "dev" | "development" => Some(Split::Validation),
        "test" | "testing" | "eval" | "evaluation" => Some(Split::Test),
        _ => None,
    }
}

/// The words of a name, in lower case; numbers are words of their own.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![];
    let mut before = None;
    for c in name.chars() {
        let kind = match c {
            ' ' | '-' | '_' | '.' => None,
            _ => Some(c.is_ascii_digit()),
        };
        if kind.is_some() {
            match words.last_mut() {
                Some(word) if kind == before => word.extend(c.to_lowercase()),
                _ => words.push(c.to_lowercase().collect()),
            }
        }
        before = kind;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_go_by_many_names() {
        for (names, split) in [
            (
                "train Train TRAINING training_set train-set trainset train_data Train.Images",
                Split::Train,
            ),
            (
                "val VALID validation Validation-Set dev development val2017 dev-data",
                Split::Validation,
            ),
            ("test Testing test_set testset TEST-DATA eval evaluation test_images", Split::Test),
        ] {
            for name in names.split(' ') {
                assert_eq!(Split::named(name), Some(split), "{name}");
            }
        }
        assert_eq!(Split::named("Training Set"), Some(Split::Train));
        for name in ["cat", "trains", "my_train", "testament", "train-test", "", "2017", "set"] {
            assert_eq!(Split::named(name), None, "{name}");
        }
        assert!(SplitName::read("my_train").is_some_and(|name| name.split == Split::Train));
        for (stem, name) in [
            ("train-00000-of-00002", "train"),
            ("test_set-00000-of-00002", "test_set"),
            ("train-x-of-00002", "train-x-of-00002"),
        ] {
            assert_eq!(without_shard(stem), name);
        }
    }

    #[test]
    fn names_that_differ_in_the_split_alone_are_splits() {
        let of = |names: &[&str]| {
            let siblings = names.iter().map(|name| (Some(*name), name.to_string())).collect();
            splits(siblings).map(|splits: Vec<(Split, String)>| splits.len())
        };
        assert_eq!(of(&["pets_train", "pets_test"]), Some(2));
        assert_eq!(of(&["pets-test", "pets-train", "train-00000-of-00001"]), Some(3));
        assert_eq!(of(&["pets_train", "dogs_test"]), None);
        assert_eq!(of(&["train", "holdout_test", "extra"]), Some(1));
        assert_eq!(of(&["val", "test"]), None, "nothing to train on");
        assert_eq!(of(&["my_train", "cat"]), None);
    }
}
