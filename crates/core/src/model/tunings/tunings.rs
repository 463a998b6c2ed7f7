//! Several tunings of one base, which are asked together.

use std::collections::BTreeSet;
use std::sync::Arc;

use tch::Tensor;

use super::plan::plan;
use super::stretch::{Segment, Stretch};
use crate::error::Result;
use crate::modality::Modality;
use crate::model::model::Model;
use crate::nn::{Activations, Batch, CutPoint, Logits};

/// Several models, of which those that share parameters are asked together: the rows of a batch, each of
/// which is one model's, pass together through the embedder and the parts of the trunk that are the same
/// in all, as far as they are. Biases, the weights of norms, and adapters (LoRA) may differ even there:
/// each row has its own. Pools and heads follow for each model by itself. What a model answers is what it
/// answers alone, to within what kernels for other sizes of batches round otherwise (some 1e-6).
///
/// Parameters are the same where they are one memory: [`SharedTensors`](crate::weights::SharedTensors)
/// sees to it while models are [opened](crate::run::open_shared).
#[derive(Debug)]
pub struct Tunings {
    models: Vec<Arc<Model>>,
    /// The place of each model in the order of rows.
    places: Vec<usize>,
    /// The model at each place.
    order: Vec<usize>,
    stretches: Vec<Stretch>,
}

/// What a model made of a batch that it was asked about.
#[derive(Debug)]
pub struct Passed {
    /// As [`Classifier::forward_from`](crate::nn::Classifier::forward_from) has them.
    pub logits: Logits,
    /// How many positions, or samples of a waveform, the batch had in all when it was computed.
    pub positions: i64,
}

impl Tunings {
    /// Finds out what models have in common, and prepares what they go through together.
    ///
    /// # Errors
    /// If that cannot be built.
    pub fn new<M: Modality>(models: &[(Arc<Model>, &M)]) -> Result<Self> {
        let (order, stretches) = plan(models)?;
        let mut places = vec![0; order.len()];
        for (place, &model) in order.iter().enumerate() {
            places[model] = place;
        }
        let models = models.iter().map(|(model, _)| Arc::clone(model)).collect();
        Ok(Self { models, places, order, stretches })
    }

    /// The models, in the order in which they were given.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The models that go through something together, as indices, and through how many parts of their
    /// trunk all of them do, as [`TrunkConfig::depth`](crate::nn::TrunkConfig::depth) counts them.
    pub fn shared(&self) -> impl Iterator<Item = (&[usize], usize)> {
        self.stretches.iter().map(|all| (&self.order[all.tunings.clone()], all.parts.len()))
    }

    /// The bytes of the parameters of some of them, those that several have in common counted once; and
    /// with each of those counted for each model.
    pub fn bytes(&self, models: &[usize]) -> (usize, usize) {
        let values = models.iter().flat_map(|&model| self.models[model].store().variables());
        let (mut seen, mut once, mut each) = (BTreeSet::new(), 0, 0);
        for (_, value) in values {
            let bytes = value.numel() * value.kind().elt_size_in_bytes();
            each += bytes;
            once += if seen.insert(value.data_ptr() as usize) { bytes } else { 0 };
        }
        (once, each)
    }

    /// What models answer, each to a batch of its own, without gradients or dropout. A model may be asked
    /// about several batches.
    ///
    /// # Panics
    /// If there is no such model.
    pub fn forward(&self, asked: &[(usize, &Batch)]) -> Vec<Passed> {
        let _frozen = tch::no_grad_guard();
        let segment = |(asked, (model, batch)): (usize, &(usize, &Batch))| Segment {
            place: self.places[*model],
            asked,
            rows: batch.x.size()[0],
        };
        let mut segments: Vec<Segment> = asked.iter().enumerate().map(segment).collect();
        segments.sort_by_key(|segment| segment.place);
        let with = |segment: &Segment| {
            self.stretches.iter().position(|all| all.tunings.contains(&segment.place))
        };
        let mut passed: Vec<_> = asked.iter().map(|_| None).collect();
        for segments in segments.chunk_by(|a, b| with(a) == with(b)) {
            let first = with(&segments[0]).map(|at| &self.stretches[at]);
            let entered = first.filter(|_| are_several(segments));
            let entered =
                entered.and_then(|first| Some((first, self.enter(first, segments, asked)?)));
            match entered {
                Some((first, (entering, positions))) => {
                    let _precision = self.model(&segments[0]).classifier().autocast();
                    self.pass(first, segments, entering, &mut |segment, logits| {
                        passed[segment.asked] = Some(Passed { logits, positions });
                    });
                }
                None => {
                    for segment in segments {
                        let (model, batch) =
                            (self.model(segment).classifier(), asked[segment.asked].1);
                        let logits = model.forward_from(batch, CutPoint::Inputs, false);
                        let positions = batch.positions();
                        passed[segment.asked] = Some(Passed { logits, positions });
                    }
                }
            }
        }
        passed.into_iter().flatten().collect()
    }

    fn model(&self, segment: &Segment) -> &Model {
        &self.models[self.order[segment.place]]
    }

    /// What enters the trunk, and how many positions the batch has; `None`: the batches cannot be put
    /// together.
    fn enter(
        &self,
        first: &Stretch,
        segments: &[Segment],
        asked: &[(usize, &Batch)],
    ) -> Option<(Activations, i64)> {
        let batches: Vec<&Batch> = segments.iter().map(|segment| asked[segment.asked].1).collect();
        let pads = !first.encoder.sees_padding();
        let batch = Batch::together(&batches, pads)?;
        let positions = batch.positions();
        if first.embeds {
            let _rows = first.guard(segments, batch.x.device());
            return Some((first.encoder.entering(&batch, false), positions));
        }
        let mut from = 0;
        let each = segments.iter().map(|segment| {
            let rows = batch.rows(from, segment.rows);
            from += segment.rows;
            self.model(segment).classifier().encoder().entering(&rows, false)
        });
        Some((Activations::entering_together(&each.collect::<Vec<_>>())?, positions))
    }

    /// Through a stretch together, and through all that follows it.
    fn pass(
        &self,
        stretch: &Stretch,
        segments: &[Segment],
        entering: Activations,
        done: &mut dyn FnMut(&Segment, Logits),
    ) {
        let device = self.model(&segments[0]).classifier().device();
        let leaving = {
            let _rows = stretch.guard(segments, device);
            stretch.pass(entering)
        };
        let same = |a: &Segment, b: &Segment| {
            let tunings = |segment: &Segment| Some(stretch.behind(segment.place)?.tunings.start);
            a.place == b.place || (tunings(a).is_some() && tunings(a) == tunings(b))
        };
        let mut from = 0;
        for segments in segments.chunk_by(same) {
            let rows: i64 = segments.iter().map(|segment| segment.rows).sum();
            let entering = leaving.rows(from, rows);
            match stretch.behind(segments[0].place).filter(|_| are_several(segments)) {
                Some(next) => self.pass(next, segments, entering, done),
                None => self.finish(stretch.parts.end, segments, entering, done),
            }
            from += rows;
        }
    }

    /// One model's own parts from this one on, its pool and its head.
    fn finish(
        &self,
        part: usize,
        segments: &[Segment],
        entering: Activations,
        done: &mut dyn FnMut(&Segment, Logits),
    ) {
        let model = self.model(&segments[0]).classifier();
        let pooled = model.encoder().pool_from(part, entering, false);
        let Logits { x, attention_mask } = model.forward_from(&pooled, CutPoint::Pooled, false);
        let mut from = 0;
        for segment in segments {
            let rows = |x: &Tensor| x.narrow(0, from, segment.rows);
            let attention_mask = attention_mask.as_ref().map(rows);
            done(segment, Logits { x: rows(&x), attention_mask });
            from += segment.rows;
        }
    }
}

/// Whether segments are those of more than one model.
fn are_several(segments: &[Segment]) -> bool {
    segments.first().map(|first| first.place) != segments.last().map(|last| last.place)
}
