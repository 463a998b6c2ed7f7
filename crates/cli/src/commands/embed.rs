//! `embed`: what a pretrained model's own embedder makes of samples, for a fresh embedder to be
//! aligned with.

use anyhow::Result;
use crosstune_core::{
    Error, Modality, Origin,
    orca::SourceFeatures,
    transferability::{self, Stage},
};

use crate::{
    ModalityArgs,
    args::samples::EmbedArgs,
    output::format::{count, line},
    setup::candidates::{Candidate, dataset, look},
};

pub(crate) fn embed<A: ModalityArgs>(args: EmbedArgs<A>) -> Result<()> {
    if args.out.exists() {
        let problem = format!("{} exists; name another file", args.out.display());
        return Err(Error::Setting { setting: "--out", problem }.into());
    }
    let modality: A::Modality = args.modality.args.clone().try_into()?;
    let data = dataset::<A::Modality>(&args.samples)?;
    let of = Candidate::open(args.weights.clone(), args.family.as_deref(), modality, &data)?;
    if of.embedder == Origin::Fresh {
        let family = of.source.family();
        let problem = format!(
            "a model of the family {} was trained on {}; use crosstune-{} embed, on such inputs",
            family.name, family.modality, family.modality
        );
        return Err(Error::Path { path: args.weights, problem }.into());
    }
    let looked = look(of.modality.clone(), &data, args.samples.skip_bad)?;
    let model = of.model(&looked.modality, &data.labels, args.compute.device.0)?;
    let size = args.compute.batch_size.get();
    let features =
        transferability::features(&model, &looked.modality, &looked.plain, Stage::Embedded, size)?;
    SourceFeatures::labelled(&features, &looked.plain.classes()).save(&args.out)?;
    let samples = A::Modality::SAMPLES;
    if looked.skipped > 0 {
        eprintln!("{}", line("skipped", format!("{} {samples}", looked.skipped)));
    }
    let (n, width) = (looked.plain.len(), features.size()[1]);
    let classes = data.labels.len();
    let what = format!("{} {samples} of {classes} classes, {width} numbers each", count(n));
    eprintln!("{}", line("embedded", what));
    eprintln!("{}", line("saved", args.out.display()));
    Ok(())
}
