//! `cargo xtask fixtures`: makes the tests' expected values again, with the Python references.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{minilm, paths, process};

/// Runs the task: each script below `xtask/scripts/fixtures`, with the Python that `--python`
/// names, or else `python3`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let python = match args {
        [] => "python3",
        [option, python] if option == "--python" => python,
        _ => bail!("usage: cargo xtask fixtures [--python PYTHON]"),
    };
    let minilm = minilm::fetch()?.into_os_string();
    let scripts: Vec<(&str, Vec<OsString>)> = vec![
        ("audio.py", vec![]),
        ("audio_models.py", vec![]),
        ("speech_models.py", vec![]),
        ("ctc_models.py", vec![]),
        ("clap_models.py", vec![]),
        ("checkpoints.py", vec![]),
        ("image.py", vec![]),
        ("image_models.py", vec![]),
        ("image_convnets.py", vec![]),
        ("image_convnext.py", vec![]),
        ("image_mobile.py", vec![]),
        ("swin_models.py", vec![]),
        ("vision_models.py", vec![]),
        ("surgery.py", vec![]),
        ("text.py", vec!["tiny".into()]),
        ("text.py", vec!["pairs".into()]),
        ("adapters.py", vec![]),
        ("text.py", vec!["minilm".into(), minilm]),
        ("text_models.py", vec![]),
        ("text_encoders.py", vec![]),
        ("text_decoders.py", vec![]),
        ("text_sentence_pieces.py", vec![]),
        ("text_tables.py", vec![]),
        ("tagging.py", vec![]),
        ("text_tagging.py", vec![]),
        ("lp_ft.py", vec![]),
        ("autocast.py", vec![]),
        ("explaining.py", vec![]),
        ("transcription.py", vec![]),
        ("event_files.py", vec![]),
        ("calibration.py", vec![]),
    ];
    for (script, args) in scripts {
        let path = paths::root().join("xtask/scripts/fixtures").join(script);
        process::run(Command::new(python).arg(path).args(args))?;
    }
    say!("The fixtures are made; `git status` shows whether any of them changed.");
    Ok(())
}
