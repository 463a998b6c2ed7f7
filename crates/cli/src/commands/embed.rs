//! `embed`: a source model's own embeddings of samples, for new embedders to be aligned with.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use crosstune_core::{
    Error, Modality, Origin, SourceFeatures,
    files::refuse_existing,
    predict::{FeatureLevel, features},
};

use crate::{
    args::{ComputeArgs, LayoutArgs, ModalityArgs, ModalityFlags, SampleArgs, WeightsArgs},
    output::{format::count, say, say_skipped},
    setup::candidates::{self, Candidate, Takes, dataset},
};

#[derive(Debug, Args)]
pub(crate) struct EmbedArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) source: WeightsArgs,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// File to write, in safetensors: features [N, D] and targets [N]; it must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}

pub(crate) fn embed<A: ModalityArgs>(args: EmbedArgs<A>) -> Result<()> {
    refuse_existing(&args.out)?;
    let WeightsArgs { weights, read } = args.source;
    let modality: A::Modality = args.modality.args.clone().try_into()?;
    let data = dataset::<A::Modality>(&args.samples, &args.layout, Takes::Classes)?;
    let of = Candidate::open(weights.clone(), &read, modality, &data)?;
    if of.embedder == Origin::Fresh {
        let family = of.source.config();
        let problem = format!(
            "a model of the family {} was trained on {}; use crosstune-{} embed, on such inputs",
            family.name, family.modality, family.modality
        );
        return Err(Error::Path { path: weights, problem }.into());
    }
    let read = candidates::read(of.modality.clone(), &data, args.samples.skip_bad)?;
    let model = of.model(&read.modality, &data, &args.compute)?;
    let size = args.compute.batch_size.get();
    let features = features(&model, &read.modality, &read.inference, FeatureLevel::Embedded, size)?;
    SourceFeatures::labelled(&features, &read.inference.classes()).save(&args.out)?;
    let samples = A::Modality::SAMPLES;
    say_skipped(&read.skipped, samples);
    let (n, width) = (read.inference.len(), features.size()[1]);
    let classes = data.labels.len();
    let what = format!("{} {samples} of {classes} classes, width {width}", count(n));
    say("embedded", what);
    say("saved", args.out.display());
    Ok(())
}
