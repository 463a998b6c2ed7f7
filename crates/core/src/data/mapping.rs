//! Labels of a data set that go by other names in a model.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::alike::plain;
use super::found::RawTarget;

/// The option that names them, for messages.
pub(super) const MAP_LABELS: &str = "--map-labels";

/// Gives the labels of a sample the names that `map` has for them, and notes in `used` which of its
/// pairs were of use.
pub(super) fn rename(label: &mut RawTarget, map: &[(String, String)], used: &mut BTreeSet<usize>) {
    if map.is_empty() {
        return;
    }
    let mut new = |name: &String| match map.iter().position(|(from, _)| from == name) {
        Some(at) => {
            used.insert(at);
            map[at].1.clone()
        }
        None => name.clone(),
    };
    match label {
        RawTarget::Labels(names) | RawTarget::Tags(names) => {
            names.iter_mut().for_each(|name| *name = new(name))
        }
        RawTarget::Cells { columns, .. } => {
            let renamed: Arc<[String]> = columns.iter().map(&mut new).collect();
            *columns = renamed;
        }
        RawTarget::Text(_) | RawTarget::Missing(_) => {}
    }
}

/// What to say of pairs that no label of the data has met.
pub(super) fn unmet(map: &[(String, String)], used: &BTreeSet<usize>) -> Option<String> {
    let names = map.iter().enumerate().filter(|(at, _)| !used.contains(at));
    let names: Vec<_> = names.map(|(_, (from, _))| from.clone()).collect();
    (!names.is_empty())
        .then(|| format!("{MAP_LABELS}: no sample has a label called {}", shown(&names)))
}

/// What is wrong where labels of the data are none of the model's, with the names that they may have
/// there: those that look the same, or, where one side has numbers, those at the same place. `None`:
/// all are known, or nothing pairs up.
pub(super) fn mismatch(data: &[String], model: &[String]) -> Option<String> {
    let unknown: Vec<&String> = data.iter().filter(|label| !model.contains(label)).collect();
    if unknown.is_empty() {
        return None;
    }
    let pairs = by_name(&unknown, model).or_else(|| by_place(data, model))?;
    if pairs.iter().any(|(from, to)| [from, to].iter().any(|name| name.contains([',', '=']))) {
        return None;
    }
    let pairs: Vec<_> = pairs.iter().map(|(from, to)| format!("{from}={to}")).collect();
    // A shell would take spaces and quotes apart.
    let quote = match pairs
        .iter()
        .any(|pair| pair.contains(|c: char| !c.is_alphanumeric() && !"=_-.".contains(c)))
    {
        true => "'",
        false => "",
    };
    Some(format!(
        "its labels ({}) are not the model's ({}); if they mean the same in this way, add {MAP_LABELS} \
         {quote}{}{quote}",
        shown(data),
        shown(model),
        pairs.join(",")
    ))
}

/// Each label with the one that differs from it in what people do not mean alone.
fn by_name<'a>(unknown: &[&'a String], model: &'a [String]) -> Option<Vec<(&'a str, &'a str)>> {
    let like = |label: &&'a String| {
        let mut same = model.iter().filter(|other| plain(other) == plain(label));
        let first = same.next()?;
        same.next().is_none().then_some((label.as_str(), first.as_str()))
    };
    unknown.iter().map(like).collect()
}

/// Each label with the one at the same place, where the labels of one side are numbers.
fn by_place<'a>(data: &'a [String], model: &'a [String]) -> Option<Vec<(&'a str, &'a str)>> {
    let number = |label: &String| {
        let digits = label.strip_prefix("LABEL_").unwrap_or(label);
        digits.parse::<f64>().ok().filter(|n| n.fract() == 0. && *n >= 0.).map(|n| n as usize)
    };
    let numbers = |labels: &[String]| labels.iter().map(number).collect::<Option<Vec<_>>>();
    let places: Vec<usize> = match (numbers(data), numbers(model)) {
        (Some(places), _) if places.iter().all(|at| *at < model.len()) => places,
        // Counted from 1.
        (Some(places), _) if places.iter().all(|at| (1..=model.len()).contains(at)) => {
            places.into_iter().map(|at| at - 1).collect()
        }
        (Some(_), _) | (None, Some(_)) if data.len() == model.len() => (0..data.len()).collect(),
        _ => return None,
    };
    let pairs = data.iter().zip(places).map(|(label, at)| (label.as_str(), model[at].as_str()));
    Some(pairs.collect())
}

/// Labels, the first of them if there are many.
pub(super) fn shown(labels: &[String]) -> String {
    const SHOWN: usize = 20;
    let first = labels[..labels.len().min(SHOWN)].join(", ");
    match labels.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first}, … and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &str) -> Vec<String> {
        all.split(' ').filter(|name| !name.is_empty()).map(str::to_string).collect()
    }

    #[test]
    fn labels_pair_up_by_name_or_by_place() {
        let proposed = |data: &str, model: &str| {
            let problem = mismatch(&names(data), &names(model))?;
            problem.split_once("--map-labels ").map(|(_, pairs)| pairs.to_string())
        };
        let is = |pairs: &str| Some(pairs.to_string());
        let sst = "NEGATIVE POSITIVE";
        assert_eq!(proposed("0 1", sst), is("0=NEGATIVE,1=POSITIVE"));
        assert_eq!(proposed("1", sst), is("1=POSITIVE"));
        assert_eq!(proposed("1 2", sst), is("1=NEGATIVE,2=POSITIVE"));
        assert_eq!(proposed("-1 1", sst), None, "no place has a number below 0");
        assert_eq!(proposed("negative positive", sst), is("negative=NEGATIVE,positive=POSITIVE"));
        assert_eq!(proposed("NEGATIVE positive", sst), is("positive=POSITIVE"));
        assert_eq!(proposed("bad good", "LABEL_0 LABEL_1"), is("bad=LABEL_0,good=LABEL_1"));
        assert_eq!(proposed("0 2", "a b c"), is("0=a,2=c"));
        assert_eq!(proposed("0.0 1.0", "0 1"), is("0.0=0,1.0=1"));
        for (data, model) in [("cat dog", sst), ("a b", "b a"), ("0 1 2", sst), ("a", "A a")] {
            assert_eq!(proposed(data, model), None, "{data} to {model}");
        }
        let spaced = mismatch(&["a b".into()], &["A B".into()]).unwrap();
        assert!(spaced.ends_with("add --map-labels 'a b=A B'"), "{spaced}");
        assert_eq!(mismatch(&["a,b".into()], &["A,B".into()]), None, "cannot be written");
    }
}
