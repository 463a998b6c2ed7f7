//! From pretrained weights and options to a model that is ready to train.

use std::cell::OnceCell;

use anyhow::Result;
use crosstune_core::{
    Dataset, Device, EmbeddingStats, LoadParts, Modality, Model, ModelOutline, Origin, Precision,
    Pretrained, RecipePlan, SourceFeatures, Spec, Splits, WeightInit, init_from_data,
    transfer::{AlignOptions, AlignReport, align},
};

use super::weights;
use crate::args::{FitArgs, HeadArg, TransferArgs, WeightsArgs, setting};

/// A source that the modality has adopted, and the plan for it.
#[derive(Debug)]
pub(crate) struct TransferJob<'a> {
    pub(crate) args: &'a TransferArgs,
    pub(crate) source: Pretrained,
    pub(crate) outline: ModelOutline,
    pub(crate) plan: RecipePlan,
    precision: Precision,
    stats: OnceCell<Option<EmbeddingStats>>,
}

impl<'a> TransferJob<'a> {
    /// Opens the source, lets the modality adopt it, and plans. From here on, the process
    /// computes [as was asked for](FitArgs::apply).
    pub(crate) fn open<M: Modality>(
        from: &WeightsArgs,
        args: &'a TransferArgs,
        fit: &FitArgs,
        modality: &mut M,
    ) -> Result<Self> {
        fit.apply()?;
        let mut source = weights::open(&from.weights, &from.read)?;
        if let Some(p) = args.dropout {
            source = source.with_dropout(p)?;
        }
        if let Some(p) = args.drop_path {
            source = source.with_drop_path(p)?;
        }
        let embedder = modality.adopt(&source)?;
        let trunk = &source.config().trunk;
        let outline = ModelOutline { depth: trunk.depth(), embedder };
        let choices = fit.choices(args);
        let plan = args.recipe.plan(outline, trunk.accepts(), fit.options().epochs, choices)?;
        plan.freeze.check(outline)?;
        if plan.init != WeightInit::Random {
            // An architecture alone has no weights: it fails here, before any data is read.
            source.source()?;
        }
        if args.align.is_some() && !plan.align {
            let problem = "only the recipe orca aligns; add --recipe orca";
            return Err(setting("--align", problem));
        }
        let precision = fit.precision.value();
        Ok(Self { args, source, outline, plan, precision, stats: OnceCell::new() })
    }

    /// The model for a task, initialised from its training samples, with the first phase's
    /// parameters frozen. `seed` is that of the new parameters.
    pub(crate) fn model<M: Modality>(
        &self,
        plan: &RecipePlan,
        modality: &M,
        data: &Dataset,
        splits: &Splits,
        seed: u64,
        device: Device,
    ) -> Result<Built> {
        let Self { args, source, outline, .. } = self;
        crosstune_core::seed(seed);
        let spec = M::spec(source, outline.embedder, data.labels.clone());
        let pooled = Spec { pool: args.pool(data.task)?, ..spec };
        let mut spec = pooled
            .for_task(data.task, splits.train.targets())?
            .with_vocabulary(data.vocabulary.clone());
        if args.head == HeadArg::Pretrained {
            let (task, has) = (data.task, source.task()?);
            // What has no head for a task yet may have the layers below one.
            let is_of_other = task != has && source.classes()?.is_some();
            if is_of_other && (task.is_sequence() || has.is_sequence()) {
                let problem = format!("the pretrained head is one for {has}, not for {task}");
                return Err(setting("--head", problem + "; leave it out"));
            }
            let (pool, head) = source.config().head_for(data.task);
            spec = spec.with_head(pool, head);
        }
        if let Some(p) = args.dropout {
            spec.trunk = spec.trunk.with_dropout(p);
        }
        spec.lora = plan.lora.clone();
        let weights = (plan.init != WeightInit::Random).then(|| source.source()).transpose()?;
        let parts = match args.head {
            HeadArg::Fresh => LoadParts::Body,
            HeadArg::Pretrained => LoadParts::BodyAndHead,
        };
        let from = weights.as_ref().map(|weights| (weights, parts));
        let model = match self.precision {
            Precision::Bf16 => {
                let frozen = |name: &str| plan.never_trains(name, *outline);
                Model::with_halved(spec, modality, from, device, &frozen)?
            }
            _ => Model::new(spec, modality, from, device)?,
        };
        model.set_precision(self.precision)?;
        let model = model.with_batch_norm_stats(args.batch_norm.into());
        let model = args.recompute.apply(model)?;
        if plan.init == WeightInit::Shuffled {
            model.shuffle();
        }
        // Alignment does its own matching, and a pretrained embedder needs none.
        let matched = plan.init == WeightInit::Pretrained
            && outline.embedder == Origin::Fresh
            && !args.no_stat_match
            && !plan.align;
        let stats = if matched { self.source_stats()? } else { None };
        init_from_data(&model, modality, &splits.train, stats)?;
        let (trained, frozen) = plan.freeze.apply(model.store(), *outline)?;
        if trained == 0 {
            return Err(setting("--freeze", "nothing is left to train"));
        }
        let aligned = plan.align.then(|| self.align(&model, modality, splits, seed)).transpose()?;
        Ok(Built { model, trained, frozen, aligned })
    }

    /// ORCA's first stage: aligns the new embedder with the source.
    fn align<M: Modality>(
        &self,
        model: &Model,
        modality: &M,
        splits: &Splits,
        seed: u64,
    ) -> Result<AlignReport> {
        let features = match &self.args.align {
            Some(file) => SourceFeatures::open(file)?,
            None => match self.source_stats()? {
                Some(stats) => SourceFeatures::from(stats),
                None => {
                    let problem = "embedding statistics cannot be estimated from these weights; \
                                   write a file with embed, and give it as --align";
                    return Err(setting("--recipe orca", problem));
                }
            },
        };
        let options = AlignOptions { seed, ..AlignOptions::default() };
        let train = &splits.train;
        Ok(align(model, modality, train, &features, &options, &mut |_, _| Ok(()))?)
    }

    /// The input statistics that the trunk was trained on, estimated from the weights, once.
    fn source_stats(&self) -> Result<Option<&EmbeddingStats>> {
        if let Some(stats) = self.stats.get() {
            return Ok(stats.as_ref());
        }
        let stats = EmbeddingStats::of(&self.source)?;
        Ok(self.stats.get_or_init(|| stats).as_ref())
    }

    /// Whether a plan has a new, random embedder.
    pub(crate) fn is_fresh(&self, plan: &RecipePlan) -> bool {
        self.outline.embedder == Origin::Fresh || plan.init == WeightInit::Random
    }
}

/// A model that is ready to train.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) model: Model,
    /// The number of trained values, in the first phase if there are several.
    pub(crate) trained: usize,
    /// The number of frozen values, likewise.
    pub(crate) frozen: usize,
    /// The result of ORCA's first stage.
    pub(crate) aligned: Option<AlignReport>,
}
