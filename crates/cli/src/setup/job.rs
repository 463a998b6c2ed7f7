//! From pretrained weights and options to a model that is ready to train.

use std::cell::OnceCell;

use anyhow::Result;
use crosstune_core::{
    Dataset, Device, EmbeddingStats, LoadParts, MatmulPrecision, Modality, Model, ModelOutline,
    Origin, Pretrained, RecipePlan, SourceFeatures, Splits, WeightInit, init_from_data,
    transfer::{AlignOptions, AlignReport, align},
};

use super::weights;
use crate::args::{FitArgs, HeadArg, TransferArgs, setting};

/// A source that has met the modality, and what is to be done with it.
#[derive(Debug)]
pub(crate) struct TransferJob<'a> {
    pub(crate) args: &'a TransferArgs,
    pub(crate) source: Pretrained,
    pub(crate) outline: ModelOutline,
    pub(crate) plan: RecipePlan,
    joint: OnceCell<Option<EmbeddingStats>>,
}

impl<'a> TransferJob<'a> {
    /// Opens the source, lets the modality adopt it, and plans. From here on, the process multiplies
    /// as exactly as was asked.
    pub(crate) fn open<M: Modality>(
        args: &'a TransferArgs,
        fit: &FitArgs,
        modality: &mut M,
    ) -> Result<Self> {
        MatmulPrecision::from(fit.matmul_precision).apply()?;
        let weights = weights::local(&args.source.weights)?;
        let mut source = Pretrained::open_as(weights, args.source.family.as_deref())?;
        if let Some(share) = args.dropout {
            source = source.with_dropout(share)?;
        }
        let embedder = modality.adopt(&source)?;
        let trunk = &source.family().trunk;
        let outline = ModelOutline { depth: trunk.depth(), embedder };
        let choices = fit.choices(args);
        let plan = args.recipe.plan(outline, trunk.accepts(), fit.options().epochs, choices)?;
        plan.freeze.check(outline)?;
        if plan.init != WeightInit::Random {
            // An architecture alone says so before any data is read.
            source.source()?;
        }
        if args.align.is_some() && !plan.align {
            let problem = "the recipe orca alone aligns; add --recipe orca";
            return Err(setting("--align", problem));
        }
        Ok(Self { args, source, outline, plan, joint: OnceCell::new() })
    }

    /// The model for a task, fitted to its training samples, with what trains at first. `seed`
    /// decides what is fresh.
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
        let mut spec = M::spec(source, outline.embedder, data.labels.clone())
            .for_task(data.task, splits.train.targets())?;
        match args.head {
            HeadArg::New => spec.pool = args.pool.into(),
            HeadArg::Kept => {
                let head = &source.family().head;
                spec = spec.with_head(head.pool, head.config);
            }
        }
        if let Some(share) = args.dropout {
            spec.trunk = spec.trunk.with_dropout(share);
        }
        spec.lora = plan.lora.clone();
        let weights = (plan.init != WeightInit::Random).then(|| source.source()).transpose()?;
        let parts = match args.head {
            HeadArg::New => LoadParts::Body,
            HeadArg::Kept => LoadParts::BodyAndHead,
        };
        let from = weights.as_ref().map(|weights| (weights, parts));
        let model = Model::new(spec, modality, from, device)?;
        let model = model.with_batch_norm_stats(args.statistics.into());
        if plan.init == WeightInit::Shuffled {
            model.shuffle();
        }
        // What is to be aligned finds its place by itself, and what is pretrained has it.
        let matched = plan.init == WeightInit::Pretrained
            && outline.embedder == Origin::Fresh
            && !args.no_match
            && !plan.align;
        let joint = if matched { self.joint()? } else { None };
        init_from_data(&model, modality, &splits.train, joint);
        let (trained, frozen) = plan.freeze.apply(model.store(), *outline)?;
        if trained == 0 {
            return Err(setting("--freeze", "nothing is left to train"));
        }
        let aligned = plan.align.then(|| self.align(&model, modality, splits, seed)).transpose()?;
        Ok(Built { model, trained, frozen, aligned })
    }

    /// The first stage of ORCA.
    fn align<M: Modality>(
        &self,
        model: &Model,
        modality: &M,
        splits: &Splits,
        seed: u64,
    ) -> Result<AlignReport> {
        let features = match &self.args.align {
            Some(file) => SourceFeatures::open(file)?,
            None => match self.joint()? {
                Some(moments) => SourceFeatures::from(moments),
                None => {
                    let problem = "these weights tell nothing of what their trunk receives; write \
                                   a file with embed, and give it as --align";
                    return Err(setting("--recipe orca", problem));
                }
            },
        };
        let options = AlignOptions { seed, ..AlignOptions::default() };
        let train = &splits.train;
        Ok(align(model, modality, train, &features, &options, &mut |_, _| Ok(()))?)
    }

    /// What the trunk was trained to receive, told by the weights once for all models.
    fn joint(&self) -> Result<Option<&EmbeddingStats>> {
        if let Some(joint) = self.joint.get() {
            return Ok(joint.as_ref());
        }
        let joint = EmbeddingStats::of(&self.source)?;
        Ok(self.joint.get_or_init(|| joint).as_ref())
    }

    /// Whether a plan makes the embedder at random.
    pub(crate) fn is_fresh(&self, plan: &RecipePlan) -> bool {
        self.outline.embedder == Origin::Fresh || plan.init == WeightInit::Random
    }
}

/// A model that is ready to train.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) model: Model,
    /// Values that train, at first if that changes.
    pub(crate) trained: usize,
    /// Values that stand still.
    pub(crate) frozen: usize,
    /// What ORCA's first stage came to.
    pub(crate) aligned: Option<AlignReport>,
}
