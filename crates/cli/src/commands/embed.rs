//! `embed`: what a pretrained model's own embedder makes of samples, for a fresh embedder to be
//! aligned with.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use crosstune_core::{
    Error, Modality, Origin, SourceFeatures,
    predict::{FeatureLevel, features},
};

use crate::{
    args::{ComputeArgs, ModalityArgs, ModalityFlags, SampleArgs, WeightsArgs, setting},
    output::{format::count, say},
    setup::candidates::{Candidate, dataset, look},
};

/// What --weights is in `embed`.
const WEIGHTS: &str =
    "The pretrained model, as train takes it; it was trained on inputs of this kind";

/// The pretrained model, told of shortly, and among the other options.
#[derive(Debug, Args)]
#[command(mut_arg("weights", |arg| arg.help(WEIGHTS).help_heading(None)))]
#[command(mut_arg("family", |arg| arg.help_heading(None)))]
pub(crate) struct OwnWeights {
    #[command(flatten)]
    args: WeightsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EmbedArgs<A: ModalityArgs> {
    #[command(flatten)]
    pub(crate) source: OwnWeights,
    #[command(flatten)]
    pub(crate) samples: SampleArgs,
    /// The file to write, in safetensors: features [N, D] and targets [N]; it must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) modality: ModalityFlags<A>,
}

pub(crate) fn embed<A: ModalityArgs>(args: EmbedArgs<A>) -> Result<()> {
    if args.out.exists() {
        let problem = format!("{} exists; name another file", args.out.display());
        return Err(setting("--out", problem));
    }
    let WeightsArgs { weights, family } = args.source.args;
    let modality: A::Modality = args.modality.args.clone().try_into()?;
    let data = dataset::<A::Modality>(&args.samples)?;
    let of = Candidate::open(weights.clone(), family.as_deref(), modality, &data)?;
    if of.embedder == Origin::Fresh {
        let family = of.source.family();
        let problem = format!(
            "a model of the family {} was trained on {}; use crosstune-{} embed, on such inputs",
            family.name, family.modality, family.modality
        );
        return Err(Error::Path { path: weights, problem }.into());
    }
    let looked = look(of.modality.clone(), &data, args.samples.skip_bad)?;
    let model = of.model(&looked.modality, &data.labels, args.compute.device.0)?;
    let size = args.compute.batch_size.get();
    let features = features(&model, &looked.modality, &looked.plain, FeatureLevel::Embedded, size)?;
    SourceFeatures::labelled(&features, &looked.plain.classes()).save(&args.out)?;
    let samples = A::Modality::SAMPLES;
    if looked.skipped > 0 {
        say("skipped", format!("{} {samples}", looked.skipped));
    }
    let (n, width) = (looked.plain.len(), features.size()[1]);
    let classes = data.labels.len();
    let what = format!("{} {samples} of {classes} classes, {width} numbers each", count(n));
    say("embedded", what);
    say("saved", args.out.display());
    Ok(())
}
