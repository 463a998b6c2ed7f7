//! `predict`: labels for files.

use anyhow::Result;
use crosstune_core::{Error, Input, MEMORY, Modality, Reading, Samples, metrics};
use serde_json::json;
use tch::Tensor;

use crate::{args::PredictArgs, evaluate::print, format::percent, open::open};

pub(crate) fn predict<M: Modality>(args: &PredictArgs) -> Result<()> {
    for file in &args.files {
        if !file.is_file() {
            let path = file.clone();
            return Err(Error::Path { path, problem: "no such file".into() }.into());
        }
    }
    let unnamed = || Ok(vec![]);
    let device = args.compute.device.0;
    let (model, modality) = open::<M>(&args.run, args.family.as_deref(), unnamed, device)?;
    let mut items = vec![];
    for file in &args.files {
        items.extend(modality.items(file)?);
    }
    let (samples, bad) = Samples::read(&modality, &items, Reading::Plain, &mut { MEMORY }, || ());
    if !bad.is_empty() {
        return Err(Error::BadSamples(bad).into());
    }
    let labels = &model.spec().labels;
    let shown = labels.len().min(args.top.max(1)) as i64;
    let size = args.compute.batch_size.get();
    metrics::score(model.classifier(), &modality, &samples, size, |chosen, scores| {
        let (shares, order) = scores.exp().sort(-1, true);
        for (row, &at) in chosen.iter().enumerate() {
            let of = |t: &Tensor| t.get(row as i64).narrow(0, 0, shown);
            let item = &items[at];
            let shares = Vec::<f32>::try_from(of(&shares))?;
            let order = Vec::<i64>::try_from(of(&order))?;
            let ranked: Vec<(&str, f32)> =
                order.iter().map(|&c| labels[c as usize].as_str()).zip(shares).collect();
            let text = match &item.input {
                Input::Text(text) => Some(text.clone()),
                Input::Pair(pair) => Some(pair.join("\t")),
                Input::File(_) | Input::Bytes { .. } => None,
            };
            print(&if args.json {
                let labels: Vec<_> =
                    ranked.iter().map(|(l, p)| json!({"label": l, "probability": p})).collect();
                let input = item.place.to_string();
                format!("{}\n", json!({"input": input, "text": text, "labels": labels}))
            } else {
                row_of(&text.unwrap_or_else(|| item.place.to_string()), &ranked)
            });
        }
        Ok(())
    })?;
    Ok(())
}

/// `photo.jpg  cat 93.1 %  dog 4.2 %`.
fn row_of(input: &str, ranked: &[(&str, f32)]) -> String {
    let labels: Vec<_> =
        ranked.iter().map(|(label, p)| format!("{label} {}", percent(f64::from(*p)))).collect();
    format!("{input}\t{}\n", labels.join("\t"))
}
