//! Asking a peer, and reading what was measured.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process;

/// The version of the Python's PyTorch, if it has all modules. Else it says that there is no peer.
pub(super) fn peer(python: &str, modules: &[&str]) -> Option<String> {
    let probe = format!("import torch, {}; print(torch.__version__)", modules.join(", "));
    let version = process::first_line(&[python, "-c", &probe]);
    if version.is_none() {
        note!(
            "no peer: `{python}` cannot import torch and {}; install them or name a Python that \
             has them with --python",
            modules.join(" and ")
        );
    }
    version
}

/// What a command prints, without its chatter.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{:?} failed: {}", command.get_program(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command and reads the JSON file that it leaves.
pub(super) fn result(command: &mut Command, file: &Path) -> Result<Value> {
    output(command)?;
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}

pub(super) fn figure(result: &Value, pointer: &str) -> Result<f64> {
    result.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer}"))
}

pub(super) fn median<T>(costs: &[T], of: impl Fn(&T) -> f64) -> f64 {
    let mut all: Vec<f64> = costs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3., 1., 2.], |&cost| cost), 2.);
    }
}
