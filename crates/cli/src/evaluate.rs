//! `evaluate`: a tuned model on labelled samples.

use anyhow::Result;
use crosstune_core::{Error, Evaluation, Modality, Samples, data, run};

use crate::{
    args::EvaluateArgs,
    format::{count, percent},
    progress,
    train::LAYOUT,
};

pub(crate) fn evaluate<M: Modality>(args: &EvaluateArgs) -> Result<()> {
    let spec = run::spec(&args.run)?;
    let saved = run::read_json(&args.run.join(LAYOUT))?;
    let layout = args.layout.clone().or(saved).layout::<M>()?;
    let items = data::evaluation(&args.data, &layout, &spec.labels, "DATA")?;
    let (model, modality) = run::open::<M>(&args.run, args.compute.device.0)?;
    let bar = progress::reading(items.len(), M::SAMPLES);
    let (samples, bad) = Samples::read(&modality, &items, || bar.inc(1));
    bar.finish_and_clear();
    if !bad.is_empty() && (!args.skip_bad || samples.is_empty()) {
        return Err(Error::BadSamples(bad).into());
    }
    let classes = spec.labels.len();
    let size = args.compute.batch_size.get();
    let evaluation = Evaluation::of(model.classifier(), &modality, &samples, classes, size);
    if args.json {
        print_json(&serde_json::json!({
            "labels": spec.labels,
            "skipped": bad.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "evaluation": evaluation,
        }));
    } else {
        if !bad.is_empty() {
            eprintln!("skipped {} {} that cannot be read", bad.len(), M::SAMPLES);
        }
        print(&table(&evaluation, &spec.labels, M::SAMPLES));
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
