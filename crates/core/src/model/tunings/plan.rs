//! Which tunings have what in common.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tch::nn::VarStore;

use super::stretch::Stretch;
use crate::error::Result;
use crate::modality::Modality;
use crate::model::model::Model;
use crate::model::part::ModelPart;
use crate::nn::{Encoder, Trunk, TrunkConfig};
use crate::weights::lora::{Adapting, is_adapter};
use crate::weights::{Fresh, Member, Members, VarBuilder};

/// The names of parameters with the addresses of their values: equal where models share them.
type Parameters = Vec<(String, usize)>;

/// A tuning, and what it does not have by row.
struct Tuning<'m, M> {
    /// Its index.
    model: usize,
    of: &'m (Arc<Model>, &'m M),
    embedder: Parameters,
    /// Part by part of the trunk.
    parts: Vec<Parameters>,
}

/// The order of the tunings in which those that have most in common are next to each other, and the
/// stretches that several go through together.
///
/// # Errors
/// If an encoder of several cannot be built.
pub(super) fn plan<M: Modality>(models: &[(Arc<Model>, &M)]) -> Result<(Vec<usize>, Vec<Stretch>)> {
    let mut classes: Vec<Vec<usize>> = vec![];
    for (index, model) in models.iter().enumerate() {
        match classes.iter_mut().find(|class| are_alike(&models[class[0]].0, &model.0)) {
            Some(class) => class.push(index),
            None => classes.push(vec![index]),
        }
    }
    let (mut order, mut stretches) = (vec![], vec![]);
    for class in classes {
        let (model, modality) = &models[class[0]];
        let members = Members::new(vec![member(model)]);
        encoder(model, *modality, &members)?;
        let by_row = members.names_by_row();
        let tuning = |&model: &usize| Tuning::new(model, &models[model], &by_row);
        let mut tunings: Vec<_> = class.iter().map(tuning).collect();
        tunings.sort_by(|a, b| a.parts.cmp(&b.parts));
        stretches.extend(shared(&tunings, order.len(), 0)?);
        order.extend(tunings.iter().map(|tuning| tuning.model));
    }
    Ok((order, stretches))
}

/// Whether what flows through one trunk can flow through the other.
fn are_alike(a: &Model, b: &Model) -> bool {
    // As in prediction: nothing is dropped.
    let trunk = |model: &Model| -> Option<TrunkConfig> {
        model.spec().trunk.clone().with_dropout(0.).with_drop_path(0.).ok()
    };
    let (of_a, of_b) = (a.classifier(), b.classifier());
    trunk(a) == trunk(b)
        && of_a.encoder().goes_with(of_b.encoder())
        && (of_a.precision(), of_a.device()) == (of_b.precision(), of_b.device())
}

impl<'m, M: Modality> Tuning<'m, M> {
    fn new(model: usize, of: &'m (Arc<Model>, &'m M), by_row: &BTreeSet<String>) -> Self {
        let spec = of.0.spec();
        let depth = spec.trunk.depth();
        let mut all: BTreeMap<ModelPart, Parameters> = BTreeMap::new();
        for (name, value) in of.0.store().variables() {
            if by_row.contains(&name) {
                continue;
            }
            let name = match &spec.lora {
                Some(lora) if is_adapter(&name) => format!("{name} times {}", lora.scale()),
                _ => name,
            };
            let part = ModelPart::of(&name, depth);
            all.entry(part).or_default().push((name, value.data_ptr() as usize));
        }
        let mut of_part = |part| {
            let mut parameters = all.remove(&part).unwrap_or_default();
            parameters.sort();
            parameters
        };
        let embedder = of_part(ModelPart::Embedder);
        let parts = (0..depth).map(|part| of_part(ModelPart::Trunk(part))).collect();
        Self { model, of, embedder, parts }
    }
}

/// The stretches that several of these tunings, which have all parts below `from` in common, go through
/// together from there on. `first` is the place of the first.
fn shared<M: Modality>(
    tunings: &[Tuning<'_, M>],
    first: usize,
    from: usize,
) -> Result<Vec<Stretch>> {
    let (mut stretches, mut place) = (vec![], first);
    for alike in tunings.chunk_by(|a, b| a.parts.get(from) == b.parts.get(from)) {
        let [one, others @ ..] = alike else { continue };
        let to = (from..one.parts.len())
            .take_while(|&at| others.iter().all(|other| other.parts[at] == one.parts[at]))
            .last()
            .map(|last| last + 1);
        if let (Some(to), false) = (to, others.is_empty()) {
            let (model, modality) = one.of;
            let members = Members::new(alike.iter().map(|tuning| member(&tuning.of.0)).collect());
            stretches.push(Stretch {
                tunings: place..place + alike.len(),
                parts: from..to,
                encoder: encoder(model, *modality, &members)?,
                embeds: others.iter().all(|other| have_one_embedder(one, other)),
                next: shared(alike, place, to)?,
            });
        }
        place += alike.len();
    }
    Ok(stretches)
}

fn have_one_embedder<M: Modality>(a: &Tuning<'_, M>, b: &Tuning<'_, M>) -> bool {
    let config = |tuning: &Tuning<'_, M>| {
        let (model, modality) = tuning.of;
        modality.embedder_config(model.spec().trunk.accepts())
    };
    a.embedder == b.embedder && config(a).is_some_and(|one| config(b) == Some(one))
}

fn member(model: &Model) -> Member<'_> {
    let values = model.store().variables().into_iter().collect();
    Member { values, lora: model.spec().lora.as_ref() }
}

/// An encoder like that of a model, the first of the members, with the parameters of all of them.
fn encoder<M: Modality>(model: &Model, modality: &M, members: &Members<'_>) -> Result<Encoder> {
    let spec = model.spec();
    let (store, fresh) = (VarStore::new(model.classifier().device()), Fresh::default());
    let adapting = spec.lora.as_ref().map(Adapting::new);
    let root = VarBuilder::root(&store, &fresh).adapted(adapting.as_ref()).of_members(members);
    let trunk = Trunk::new(&root.sub("trunk"), &spec.trunk)?;
    let embedder = modality.embedder(root.sub("embed"), trunk.accepts())?;
    Encoder::join(embedder, trunk, spec.pool)
}
