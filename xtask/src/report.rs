//! `cargo xtask report`: comparisons, each measured on its own, shown together.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use crosstune_report::{Matrix, NAMES, is_hidden, write};

/// How the task is called.
const USAGE: &str = "cargo xtask report FILE.json... --out FOLDER [--overwrite]";

/// Runs the task: stdout has the files that it wrote.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let Options { files, folder, overwrite } = parse(args)?;
    if let Some(there) = NAMES.map(|name| folder.join(name)).iter().find(|there| there.exists()) {
        ensure!(overwrite, "{} exists: name another folder, or add --overwrite", there.display());
    }
    let matrix = Matrix::read(&files)?;
    let written = write(&matrix, &folder)?;
    for file in [written.html, written.json, written.markdown] {
        say!("{}", file.to_string_lossy().replace(is_hidden, "\u{FFFD}"));
    }
    Ok(())
}

/// What to read and where to write.
#[derive(Debug, PartialEq)]
struct Options {
    files: Vec<PathBuf>,
    folder: PathBuf,
    /// Whether an earlier report is replaced.
    overwrite: bool,
}

fn parse(args: &[String]) -> Result<Options> {
    let (mut files, mut folder, mut overwrite) = (Vec::new(), None, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => {
                let value =
                    args.next().with_context(|| format!("--out needs a folder: {USAGE}"))?;
                ensure!(folder.replace(PathBuf::from(value)).is_none(), "--out is there twice");
            }
            "--overwrite" => overwrite = true,
            flag if flag.starts_with("--") => bail!("there is no option `{flag}`: {USAGE}"),
            file => files.push(PathBuf::from(file)),
        }
    }
    ensure!(!files.is_empty(), "name the files that `compare` wrote: {USAGE}");
    let folder = folder.with_context(|| format!("say where to: {USAGE}"))?;
    Ok(Options { files, folder, overwrite })
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
        let files = vec![PathBuf::from("a.json"), PathBuf::from("b.json")];
        let plain = Options { files, folder: PathBuf::from("there"), overwrite: false };
        assert_eq!(parse(&words("a.json --out there b.json"))?, plain);
        let over = parse(&words("a.json --overwrite --out there b.json"))?;
        assert_eq!(over, Options { overwrite: true, ..plain });
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

    #[test]
    fn an_earlier_report_is_not_replaced_unasked() -> Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("report.md"), "mine")?;
        let args = ["a.json".into(), "--out".into(), folder.path().display().to_string()];
        let error = run(&args).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("report.md exists")));
        assert_eq!(std::fs::read_to_string(folder.path().join("report.md"))?, "mine");
        Ok(())
    }
}
