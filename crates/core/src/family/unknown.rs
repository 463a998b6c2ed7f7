//! What a person is told of a model whose family is not known: what was found, and what is nearest.

use super::config::Config;
use super::family::Family;
use crate::weights::{CONFIG, Checkpoint, nearest, quote};

/// Where all families are told.
const LISTED: &str = "`inspect --families` lists those that are known";

/// Of a name that a person gave.
pub(super) fn name(given: &str) -> String {
    let near = nearest(given, Family::all().map(|family| family.name));
    let near = near.map(|(_, near)| format!(" (did you mean {near}?)")).unwrap_or_default();
    format!("{given:?} is no family{near}; {LISTED}")
}

/// Of a `config.json` that names another, and of the tensors beside it.
pub(super) fn config(config: &Config, checkpoint: &Checkpoint) -> String {
    let near = match Family::by_names(checkpoint) {
        Some(family) => Some(family.name),
        None => near_tensors(checkpoint).map(|(family, _)| family),
    };
    let by_name = || {
        let said = config.model_type().or(config.architecture()).unwrap_or_default();
        nearest(said, Family::all().map(|family| family.name)).map(|(_, near)| near)
    };
    let near = near.or_else(by_name);
    let near =
        near.map(|near| format!("; the nearest family is {near}, and --family {near} tries it"));
    format!("{}, which is no known family{}; {LISTED}", config.says(), near.unwrap_or_default())
}

/// Of tensors alone.
pub(super) fn tensors(checkpoint: &Checkpoint, config: Option<&Config>) -> String {
    let beside = match config {
        Some(config) => format!("in the {CONFIG} beside it, {}", config.says()),
        None => format!("there is no {CONFIG} beside it"),
    };
    let near = near_tensors(checkpoint)
        .map(|(family, name)| format!(" (the nearest family is {family}, which has `{name}`)"));
    let found = first(checkpoint);
    format!(
        "the names of its tensors are of no known family: {found}{}, and {beside}; {LISTED}",
        near.unwrap_or_default()
    )
}

/// The first tensors with their shapes, and how many more there are.
fn first(checkpoint: &Checkpoint) -> String {
    const SHOWN: usize = 3;
    let count = checkpoint.entries().count();
    let shown = |(name, entry): (&str, &crate::weights::Entry)| {
        format!("{} {:?}", quote(name), entry.shape)
    };
    let shown: Vec<_> = checkpoint.entries().take(SHOWN).map(shown).collect();
    match count.saturating_sub(SHOWN) {
        _ if count == 0 => "there are none".into(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The family that has the name most similar to one of the tensors, and that name.
fn near_tensors(checkpoint: &Checkpoint) -> Option<(&'static str, String)> {
    // As many are looked at: the comparison takes time, and blocks are alike.
    const COMPARED: usize = 1000;
    let probes = Family::all().filter_map(|f| Some((f.name, f.key_map.probe()?)));
    let near = probes.filter_map(|(family, probe)| {
        let probe = format!("{probe}.weight");
        let compared = checkpoint.entries().map(|(name, _)| name).take(COMPARED);
        let (distance, _) = nearest(&probe, compared)?;
        // A short name is soon similar to any other.
        (4 * distance <= probe.len()).then(|| (1000 * distance / probe.len(), family, probe))
    });
    near.min().map(|(_, family, probe)| (family, probe))
}
