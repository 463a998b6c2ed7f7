//! `cargo xtask report`: comparisons, each measured on its own, shown together.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use crosstune_report::{Matrix, is_hidden, write};

/// How the task is called.
const USAGE: &str = "cargo xtask report FILE.json... --out FOLDER";

/// Runs the task: stdout has the files that it wrote.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let (files, folder) = parse(args)?;
    let matrix = Matrix::read(&files)?;
    let written = write(&matrix, &folder)?;
    for file in [written.html, written.json, written.markdown] {
        println!("{}", file.to_string_lossy().replace(is_hidden, "\u{FFFD}"));
    }
    Ok(())
}

/// The files to read and the folder to write into.
fn parse(args: &[String]) -> Result<(Vec<PathBuf>, PathBuf)> {
    let (mut files, mut folder) = (Vec::new(), None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => {
                let value =
                    args.next().with_context(|| format!("--out needs a folder: {USAGE}"))?;
                ensure!(folder.replace(PathBuf::from(value)).is_none(), "--out is there twice");
            }
            flag if flag.starts_with("--") => bail!("there is no option `{flag}`: {USAGE}"),
            file => files.push(PathBuf::from(file)),
        }
    }
    ensure!(!files.is_empty(), "name the files that `compare` wrote: {USAGE}");
    let folder = folder.with_context(|| format!("say where to: {USAGE}"))?;
    Ok((files, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a line, as arguments.
    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn files_and_a_folder_in_any_order() -> Result<()> {
        let (files, folder) = parse(&words("a.json --out there b.json"))?;
        assert_eq!(files, [PathBuf::from("a.json"), PathBuf::from("b.json")]);
        assert_eq!(folder, PathBuf::from("there"));
        Ok(())
    }

    #[test]
    fn what_is_missing_or_unknown_is_said() {
        for (line, want) in [
            ("", "name the files"),
            ("a.json", "say where to"),
            ("a.json --out", "--out needs a folder"),
            ("a.json --out b --out c", "twice"),
            ("a.json --into b", "there is no option `--into`"),
        ] {
            let error = parse(&words(line)).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|text| text.contains(want)), "{line}: {error:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_comparison_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("a.json");
        std::fs::write(&file, "{}")?;
        let args =
            [file.display().to_string(), "--out".into(), folder.path().display().to_string()];
        let error = run(&args).map_err(|error| format!("{error:#}"));
        assert!(error.is_err_and(|text| text.contains("a.json: not a comparison or report")));
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
