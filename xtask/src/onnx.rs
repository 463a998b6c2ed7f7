//! `cargo xtask onnx`: what is exported as ONNX, computed by onnxruntime.

use anyhow::{Result, bail};

use crate::build::EVERYTHING;
use crate::{process, setup};

/// Runs the task: exports every fixture's model, and compares, with the Python that `--python` names, or
/// else `python3`. It needs onnx, onnxruntime and safetensors.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let python = match args {
        [] => "python3",
        [option, python] if option == "--python" => python,
        _ => bail!("usage: cargo xtask onnx [--python PYTHON]"),
    };
    setup::ensure()?;
    let mut test = process::cargo();
    test.arg("test").args(EVERYTHING).args(["--test", "tests", "--"]);
    test.args(["--ignored", "--nocapture", "onnx::"]);
    process::run(test.env("CROSSTUNE_PYTHON", python))
}
