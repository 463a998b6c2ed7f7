//! `evaluate`: a tuned model on labelled samples.

use anyhow::Result;
use crosstune_core::{Dataset, Error, Evaluation, MEMORY, Modality, Reading, Samples, data, run};

use crate::{
    args::EvaluateArgs,
    format::{count, percent},
    open::open,
    progress,
    train::LAYOUT,
};

pub(crate) fn evaluate<M: Modality>(args: &EvaluateArgs) -> Result<()> {
    let layout = match run::is_run(&args.run) {
        true => args.layout.clone().or(run::read_json(&args.run.join(LAYOUT))?),
        false => args.layout.clone(),
    };
    let layout = layout.layout::<M>()?;
    let labels = || Ok(Dataset::open(&args.data, &layout)?.labels);
    let device = args.compute.device.0;
    let (model, modality) = open::<M>(&args.run, args.family.as_deref(), labels, device)?;
    let labels = &model.spec().labels;
    let items = data::evaluation(&args.data, &layout, labels, "DATA")?;
    let bar = progress::reading(items.len(), M::SAMPLES);
    let (samples, bad) =
        Samples::read(&modality, &items, Reading::Plain, &mut { MEMORY }, || bar.inc(1));
    bar.finish_and_clear();
    if !bad.is_empty() && (!args.skip_bad || samples.is_empty()) {
        return Err(Error::BadSamples(bad).into());
    }
    let classes = labels.len();
    let size = args.compute.batch_size.get();
    let evaluation = Evaluation::of(model.classifier(), &modality, &samples, classes, size)?;
    if args.json {
        print_json(&serde_json::json!({
            "labels": labels,
            "skipped": bad.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "evaluation": evaluation,
        }));
    } else {
        if !bad.is_empty() {
            eprintln!("skipped {} {} that cannot be read", bad.len(), M::SAMPLES);
        }
        print(&table(&evaluation, labels, M::SAMPLES));
    }
    Ok(())
}

fn table(e: &Evaluation, labels: &[String], samples: &str) -> String {
    let mut text = format!(
        "accuracy {}, macro F1 {}, loss {:.3} on {} {samples}\n\n",
        percent(e.accuracy),
        percent(e.macro_f1),
        e.loss,
        count(e.samples)
    );
    let width = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(5);
    text += &format!("{:<width$}  {samples:>10}  right  most often mistaken for\n", "class");
    for (truth, (label, row)) in labels.iter().zip(&e.confusion).enumerate() {
        let all: u32 = row.iter().sum();
        let mistaken = (0..row.len()).filter(|&c| c != truth && row[c] > 0).max_by_key(|&c| row[c]);
        let mistaken = mistaken.map(|c| format!("{} ({})", labels[c], row[c])).unwrap_or_default();
        let share = f64::from(row[truth]) / f64::from(all.max(1));
        text += &format!("{label:<width$}  {all:>10}  {:>4.0} %  {mistaken}\n", 100. * share);
    }
    text
}

/// Results go to stdout, everything else to stderr. A reader that closes the pipe early is fine.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

pub(crate) fn print_json(value: &serde_json::Value) {
    print(&format!("{value:#}\n"));
}
