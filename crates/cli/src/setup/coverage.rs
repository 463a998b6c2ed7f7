//! How much of the inputs a model takes, and which option takes more.

use crosstune_core::{
    Input, Modality,
    data::{Coverage, Extent},
};
use rayon::prelude::*;

use crate::output::{
    format::{amount, count, percent},
    say,
};

/// When a coverage is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before a training, whose options can still be changed.
    Training,
    /// When a model answers: only another training takes more.
    Answering,
}

/// How much of each input a model takes by these settings. Inputs that cannot be read are passed
/// over: who reads them reports them.
pub(crate) fn coverage<'i, M: Modality>(
    modality: &M,
    inputs: impl Iterator<Item = &'i Input>,
) -> Option<Coverage> {
    covered::<M>(&extents(modality, inputs))
}

/// The same of [`extents`].
pub(crate) fn covered<M: Modality>(extents: &[Option<Extent>]) -> Option<Coverage> {
    Coverage::of(M::EXTENT, &extents.iter().flatten().copied().collect::<Vec<_>>())
}

/// How long each input is; `None` where it has no length or cannot be read.
pub(crate) fn extents<'i, M: Modality>(
    modality: &M,
    inputs: impl Iterator<Item = &'i Input>,
) -> Vec<Option<Extent>> {
    let inputs: Vec<&Input> = inputs.collect();
    inputs.par_iter().map(|input| modality.extent(input).ok().flatten()).collect()
}

/// What is worth telling of it, as a name and a text.
pub(crate) fn told<M: Modality>(
    modality: &M,
    coverage: &Coverage,
    when: When,
) -> Option<(&'static str, String)> {
    let Coverage { unit, inputs, longer, cut, .. } = *coverage;
    let longer = format!(
        "{} of {} {} are longer than the {} {unit} that the model takes at once",
        count(longer),
        count(inputs),
        M::SAMPLES,
        amount(coverage.at_once),
    );
    if cut > 0 {
        let most = amount(coverage.most_left_out);
        let left_out = percent(coverage.left_out);
        let option = match (modality.take_more(coverage), when) {
            (Some(option), When::Training) => option,
            (Some(option), When::Answering) => format!("in training, {option}"),
            (None, _) => "it has no room for more".into(),
        };
        let text =
            format!("{longer}: {left_out} of all {unit} are left out, {most} of one; {option}");
        return Some(("cut", text));
    }
    if coverage.longer > 0 {
        let training = match when {
            When::Training => "training takes another part in each epoch; ",
            When::Answering => "",
        };
        let text = format!("{longer}: {training}predictions come from windows over all of it");
        return Some(("windows", text));
    }
    let option = modality.take_less(coverage).filter(|_| when == When::Training)?;
    let (usual, at_once) = (amount(coverage.usual), amount(coverage.at_once));
    let samples = M::SAMPLES;
    let text = format!(
        "{samples} are padded to {at_once} {unit}, and 95 % have at most {usual}; {option}"
    );
    Some(("padded", text))
}

/// Tells it as a line of progress.
pub(crate) fn say_coverage<M: Modality>(modality: &M, coverage: &Coverage, when: When) {
    if let Some((name, text)) = told(modality, coverage, when) {
        say(name, text);
    }
}
