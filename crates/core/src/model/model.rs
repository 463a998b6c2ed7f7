//! A whole model: its specification, its parameters in one store, and the classifier they make.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use super::part::{ModelOutline, ModelPart, is_running_stat};
use crate::error::{Error, Result};
use crate::family::Pretrained;
use crate::libtorch::Precision;
use crate::modality::Modality;
use crate::nn::{BatchNormStats, Classifier, CutPoint, EmbedderConfig, Encoder, Head, Trunk};
use crate::spec::Spec;
use crate::task::{Calibration, Task};
use crate::weights::lora::{self, Adapting};
use crate::weights::{
    Fresh, Halved, LoadReport, Origin, SharedTensors, VarBuilder, WeightSource, fault,
    write_tensors,
};

/// A classifier with its parameters: `embed.…`, `trunk.…` and `head.…`, all f32 but for what it
/// [keeps in bf16](Self::with_halved).
#[derive(Debug)]
pub struct Model {
    pub(super) store: VarStore,
    pub(super) classifier: Classifier,
    spec: Spec,
    report: LoadReport,
    statistics: BatchNormStats,
    /// What is kept in bf16, and is f32 with more digits in the source.
    pub(super) rounded: RefCell<BTreeSet<String>>,
}

/// How parameters are kept.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kept<'k> {
    /// In bf16, where it says so.
    pub(super) halved: Option<&'k Halved<'k>>,
    /// There alone, where it has them already.
    pub(super) shared: Option<&'k SharedTensors>,
}

/// Which parts take their parameters from the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadParts {
    /// The trunk, and the embedder where [`Spec::embedder`] says so; the head is new.
    Body,
    /// The head, too, as far as it fits: where it tells another number of classes apart, its last
    /// layer is new.
    BodyAndHead,
    /// Everything: the source is a whole classifier.
    All,
}

impl Model {
    /// Builds what `spec` says. Without a source, all is initialised at random.
    ///
    /// # Errors
    /// If the source lacks a tensor or has it in another shape, if the parts do not fit together, or
    /// if an adapter's target is no linear layer.
    pub fn new<M: Modality>(
        spec: Spec,
        modality: &M,
        source: Option<(&WeightSource<'_>, LoadParts)>,
        device: Device,
    ) -> Result<Self> {
        Self::build(spec, modality, source, device, Kept::default())
    }

    pub(super) fn build<M: Modality>(
        spec: Spec,
        modality: &M,
        source: Option<(&WeightSource<'_>, LoadParts)>,
        device: Device,
        Kept { halved, shared }: Kept<'_>,
    ) -> Result<Self> {
        if let Some(config) = modality.embedder_config(spec.trunk.accepts()) {
            config.validate()?;
        }
        spec.head.validate()?;
        let (store, fresh) = (VarStore::new(device), Fresh::default());
        let adapting = match &spec.lora {
            Some(lora) => {
                lora.check()?;
                Some(Adapting::new(lora))
            }
            None => None,
        };
        let classifier = {
            let root = VarBuilder::root(&store, &fresh).shared(shared);
            let body = source.map(|(s, _)| s);
            let embedder = source.filter(|(_, parts)| {
                *parts == LoadParts::All || spec.embedder == Origin::Pretrained
            });
            let classes = spec.labels.len();
            let vb = root.sub("trunk").with_source(body).adapted(adapting.as_ref()).halved(halved);
            let trunk = Trunk::new(&vb, &spec.trunk)?;
            // What is new trains in full.
            let pretrained = adapting.as_ref().filter(|_| spec.embedder == Origin::Pretrained);
            let vb = root.sub("embed").with_source(embedder.map(|(s, _)| s)).adapted(pretrained);
            // What is new may be measured, in f32, before it is used.
            let vb = vb.halved(halved.filter(|_| embedder.is_some()));
            let encoder = Encoder::join(modality.embedder(vb, trunk.accepts())?, trunk, spec.pool)?;
            let pool = root.sub("trunk").sub("pool");
            let pool = match source {
                Some((source, LoadParts::All)) => pool.with_source(Some(source)),
                source => pool.with_matching(source.map(|(source, _)| source)),
            };
            let encoder = encoder.with_pool_parameters(&pool)?;
            let vb = root.sub("head");
            let vb = match source {
                None | Some((_, LoadParts::Body)) => vb,
                Some((source, LoadParts::BodyAndHead)) => vb.with_matching(Some(source)),
                Some((source, LoadParts::All)) => vb.with_source(Some(source)),
            };
            let head = Head::new(&vb, spec.head, encoder.width(), classes)?
                .over_layers(&vb, encoder.layers())?;
            Classifier::new(encoder, head)
        };
        if let Some(adapting) = &adapting {
            adapting.check(store.variables().keys().map(String::as_str))?;
        }
        let report = LoadReport::new(source.map(|(s, _)| s), &fresh);
        let built = modality.embedder_config(spec.trunk.accepts());
        let spec = Spec { embedder_config: built.unwrap_or(EmbedderConfig::FromModality), ..spec };
        let (statistics, rounded) = (BatchNormStats::default(), RefCell::default());
        Ok(Self { store, classifier, spec, report, statistics, rounded })
    }

    /// Shuffles the values within each loaded tensor: a control that keeps the
    /// scale of a pretrained model and loses what it learnt.
    pub fn shuffle(&self) {
        let mut taken: Vec<_> = self.store.variables().into_iter().collect();
        taken.retain(|(name, _)| !self.report.is_fresh(name));
        // A hash map has no order, and one source of randomness serves all.
        taken.sort_by(|(a, _), (b, _)| a.cmp(b));
        let _still = tch::no_grad_guard();
        for (_, mut tensor) in taken {
            let order = Tensor::randperm(tensor.numel() as i64, (Kind::Int64, tensor.device()));
            let shuffled = tensor.flatten(0, -1).index_select(0, &order).view_as(&tensor);
            tensor.copy_(&shuffled);
        }
        // What they are now, no source has.
        self.rounded.borrow_mut().clear();
    }

    /// The whole classifier that a source is, with its own embedder, pool and head: nothing is new.
    /// `modality` adopts the source; [`Pretrained::labels`] says what `labels` are for.
    ///
    /// # Errors
    /// If the source was trained on another modality or has no head, if its classes are unknown, or
    /// if it lacks a tensor.
    pub fn pretrained<M: Modality>(
        source: &Pretrained,
        modality: &mut M,
        labels: impl FnOnce(Task, usize) -> Result<Vec<String>>,
        device: Device,
    ) -> Result<Self> {
        Self::pretrained_in(source, modality, labels, device, Precision::F32)
    }

    /// The same, to compute in another precision; see [`for_inference`](Self::for_inference).
    ///
    /// # Errors
    /// As [`pretrained`](Self::pretrained), and if the device does not compute in it.
    pub fn pretrained_in<M: Modality>(
        source: &Pretrained,
        modality: &mut M,
        labels: impl FnOnce(Task, usize) -> Result<Vec<String>>,
        device: Device,
        precision: Precision,
    ) -> Result<Self> {
        let embedder = modality.adopt(source)?;
        let task = source.task()?;
        modality.set_task(task)?;
        if source.run_for(M::NAME).is_none() {
            modality.survey(&[]);
        }
        if embedder == Origin::Fresh {
            let path = source.checkpoint().path().to_path_buf();
            let problem = format!(
                "a model of the family {} for the modality {}; train it on {} first",
                source.config().name,
                source.config().modality,
                M::SAMPLES
            );
            return Err(Error::Family { path, problem });
        }
        let head = &source.config().head;
        let spec = Spec {
            task,
            vocabulary: source.vocabulary().cloned(),
            ..M::spec(source, embedder, source.labels(labels)?).with_head(head.pool, head.config)
        };
        let weights = source.source()?;
        let from = Some((&weights, LoadParts::All));
        Self::for_inference(spec, modality, from, device, precision)
    }

    /// The same classifier without adapters: what they add is added to their layers' weights, `W +
    /// (α/r) · B A`. `None`: it has none.
    ///
    /// # Errors
    /// If the plain model cannot be built.
    pub fn merged<M: Modality>(&self, modality: &M) -> Result<Option<Self>> {
        let Some(lora) = &self.spec.lora else { return Ok(None) };
        let spec = Spec { lora: None, ..self.spec.clone() };
        let plain = Self::new(spec, modality, None, self.store.device())?;
        let ours = self.store.variables();
        let product = |layer: &str| {
            let (a, b) = (
                ours.get(&format!("{layer}.{}", lora::A))?,
                ours.get(&format!("{layer}.{}", lora::B))?,
            );
            Some(b.matmul(a) * lora.scale())
        };
        tch::no_grad(|| {
            for (name, mut value) in plain.store.variables() {
                let Some(own) = ours.get(&name) else { continue };
                match name.strip_suffix(".weight").and_then(product) {
                    Some(product) => value.copy_(&(own + product)),
                    None => value.copy_(own),
                }
            }
        });
        let report = self.report.clone();
        Ok(Some(Self { report, ..plain }.with_batch_norm_stats(self.statistics)))
    }

    /// The same model, of which the statistics of batch norms move or stand still in training.
    pub fn with_batch_norm_stats(self, statistics: BatchNormStats) -> Self {
        self.classifier.encoder().set_batch_norm_stats(statistics);
        Self { statistics, ..self }
    }

    /// The same model, whose probabilities are corrected by what was fitted on samples that it was not
    /// trained on; `None`: they are its own.
    pub fn with_calibration(self, calibration: Option<Calibration>) -> Self {
        Self { spec: Spec { calibration, ..self.spec }, ..self }
    }

    /// The same model, whose training keeps what goes into each block of a transformer alone, and computes
    /// the block again for its backward pass (gradient checkpointing, Chen et al. 2016): much less memory,
    /// a third more to compute, and the same gradients to the last bit.
    ///
    /// # Errors
    /// If its trunk is none, or a conformer, whose batch norms would see each batch twice.
    pub fn with_recomputed_activations(self) -> Result<Self> {
        if self.classifier.encoder().recompute_activations() {
            return Ok(self);
        }
        let problem =
            "only the blocks of a transformer without batch norms are computed again; leave it out";
        Err(Error::setting("--recompute-activations", problem))
    }

    /// What it was built from.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The parameters.
    pub fn store(&self) -> &VarStore {
        &self.store
    }

    /// From batches to logits.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// What names alone do not tell.
    pub fn outline(&self) -> ModelOutline {
        ModelOutline { depth: self.spec.trunk.depth(), embedder: self.spec.embedder }
    }

    /// The highest cut below which nothing moves: no parameter trains, and no statistics follow the
    /// batches.
    pub fn cut_point(&self) -> CutPoint {
        let depth = self.spec.trunk.depth();
        let lowest =
            self.updated_tensors().iter().map(|(name, _)| ModelPart::of(name, depth)).min();
        match lowest {
            Some(ModelPart::Embedder) => CutPoint::Inputs,
            Some(ModelPart::Trunk(part)) => CutPoint::Trunk(part),
            Some(ModelPart::Head) | None => CutPoint::Pooled,
        }
    }

    /// What moves in training, by name: what trains, and the statistics of norms that do.
    pub(crate) fn updated_tensors(&self) -> Vec<(String, Tensor)> {
        let variables = self.store.variables();
        let follows = |name: &str| {
            if self.statistics != BatchNormStats::FollowFreeze {
                return self.statistics == BatchNormStats::Updating;
            }
            let weight = name.rsplit_once('.').map(|(norm, _)| format!("{norm}.weight"));
            weight.and_then(|w| variables.get(&w)).is_some_and(Tensor::requires_grad)
        };
        let mut moving: Vec<_> = variables
            .iter()
            .filter(|(name, t)| match is_running_stat(name) {
                true => follows(name),
                false => t.requires_grad(),
            })
            .map(|(name, t)| (name.clone(), t.shallow_clone()))
            .collect();
        moving.sort_by(|(a, _), (b, _)| a.cmp(b));
        moving
    }

    /// The first parameter, in alphabetical order, that does not hold finite numbers alone, and what
    /// it holds.
    pub(crate) fn fault(&self) -> Result<Option<(String, String)>> {
        let mut all: Vec<_> = self.store.variables().into_iter().collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, value) in all {
            if let Some(found) = fault(&value)? {
                return Ok(Some((name, found)));
            }
        }
        Ok(None)
    }

    /// What became of the source's tensors.
    pub fn report(&self) -> &LoadReport {
        &self.report
    }

    /// Writes all parameters to a safetensors file under our names.
    ///
    /// # Errors
    /// If a parameter holds something else than finite numbers, or the file cannot be written. A file that stood there before stays until the new one is
    /// whole.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(name) = self.rounded.borrow().first() {
            let problem =
                format!("bf16: `{name}` is kept in it, and is to be saved from its source");
            return Err(Error::setting("--precision", problem));
        }
        write_tensors(self.store.variables(), path)
    }
}
