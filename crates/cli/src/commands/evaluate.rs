//! `evaluate`: a tuned model on labelled samples.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use crosstune_core::files::read_json;
use crosstune_core::loader::refuse_bad;
use crosstune_core::{
    DEFAULT_MEMORY, Dataset, Modality, ReadMode, Samples, Spec, data, evaluate as measure,
};

use crate::{
    args::{ComputeArgs, LAYOUT, LayoutArgs, SourceArgs, setting},
    output::{metrics, note, print, print_json, progress},
    setup::open::open,
};

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Labelled samples, in any layout that train takes; the test split, if there is one
    pub(crate) data: PathBuf,
    /// Skip samples that cannot be read
    #[arg(long)]
    pub(crate) skip_bad: bool,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}

pub(crate) fn evaluate<M: Modality>(args: &EvaluateArgs) -> Result<()> {
    let layout = match Spec::is_at(&args.source.path) {
        true => args.layout.clone().or(read_json(&args.source.path.join(LAYOUT))?),
        false => args.layout.clone(),
    };
    let asked = args.layout.task();
    let mut layout = layout.layout::<M>()?;
    let labels = || Ok(Dataset::open(&args.data, &layout)?.labels);
    let device = args.compute.device.0;
    let (model, modality) = open::<M>(&args.source, labels, device)?;
    let (labels, task) = (&model.spec().labels, model.spec().task);
    if let Some(asked) = asked.filter(|asked| *asked != task) {
        let problem = format!("this model was trained for {task}, not for {asked}; leave it out");
        return Err(setting("--task", problem));
    }
    layout.task = task;
    let items = data::evaluation(&args.data, &layout, labels, "DATA")?;
    let bar = progress::reading(items.len(), M::SAMPLES);
    let (samples, bad) =
        Samples::read(&modality, &items, ReadMode::Inference, &mut { DEFAULT_MEMORY }, || {
            bar.inc(1)
        });
    bar.finish_and_clear();
    let bad = refuse_bad(bad, args.skip_bad, !samples.is_empty())?;
    let size = args.compute.batch_size.get();
    let evaluation = measure(&model, &modality, &samples, size)?;
    if args.json {
        print_json(&serde_json::json!({
            "labels": labels,
            "skipped": bad.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "evaluation": evaluation,
        }));
    } else {
        if !bad.is_empty() {
            note(&format!("skipped {} {} that cannot be read", bad.len(), M::SAMPLES));
        }
        print(&metrics::table(&evaluation, labels, M::SAMPLES));
    }
    Ok(())
}
