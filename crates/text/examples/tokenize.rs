//! Tokenises all texts of a table's first column and puts them into one batch, and prints what that
//! took as JSON; `cargo xtask bench --only text` sets it against transformers.
//!
//! ```text
//! cargo run --release -p crosstune-text --example tokenize -- MODEL FILE.tsv…
//! ```

// What it finds out is its output.
#![allow(clippy::print_stdout)]

use std::{env, error::Error, fs, path::PathBuf, time::Instant};

use crosstune_core::{Item, Location, MemoryBudget, Modality, Pretrained, ReadMode, Samples};
use crosstune_text::TextSettings;
use serde_json::json;

/// How often the work is done, beside once to warm up.
const TIMES: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let model = args.next().ok_or("usage: tokenize MODEL FILE.tsv…")?;
    let mut items = vec![];
    for path in args {
        for (line, text) in (1..).zip(fs::read_to_string(&path)?.lines()) {
            let text = text.split('\t').next().unwrap_or_default();
            items
                .push(Item::text(text, Location { path: path.as_path().into(), line: Some(line) }));
        }
    }
    let mut settings = TextSettings::default();
    settings.adopt(&Pretrained::open(model)?)?;

    let mut times = vec![];
    let mut result = json!(null);
    for _ in 0..=TIMES {
        let start = Instant::now();
        let (samples, bad) = Samples::read(
            &settings,
            &items,
            ReadMode::Inference,
            &mut MemoryBudget::default(),
            || (),
        );
        let read = samples.subset(&settings, ReadMode::Inference, usize::MAX)?;
        let batch = settings.batch(&read.iter().collect::<Vec<_>>());
        times.push(start.elapsed().as_secs_f64());
        if let Some(bad) = bad.first() {
            return Err(bad.to_string().into());
        }
        let mask = batch.attention_mask.unwrap_or_else(|| batch.x.ones_like());
        let kept = |tensor: &tch::Tensor| tensor.sum(tch::Kind::Int64).int64_value(&[]);
        result = json!({
            "shape": batch.x.size(), "tokens": kept(&mask), "sum": kept(&(batch.x * &mask)),
        });
    }
    times.remove(0);
    times.sort_by(f64::total_cmp);
    result["seconds"] = times[times.len() / 2].into();
    println!("{result}");
    Ok(())
}
