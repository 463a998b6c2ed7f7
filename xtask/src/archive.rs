//! Unpacking: the chosen files of some wheels, which are zip archives, with progress.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use zip::ZipArchive;

/// A wheel, and which of its files go where.
type Choice = (ZipArchive<BufReader<File>>, Vec<(usize, PathBuf)>);

/// Unpacks into `folder` each file for which `place` gives a path there, given its name in the
/// wheel. Each wheel must hold at least one: else it is not the wheel it was taken for.
pub(crate) fn extract(
    wheels: &[PathBuf],
    folder: &Path,
    place: impl Fn(&str) -> Option<PathBuf>,
) -> Result<()> {
    let style = ProgressStyle::with_template("Unpacking {wide_bar} {bytes}/{total_bytes}");
    let bar = ProgressBar::new(0);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let failed = |path: &PathBuf| format!("cannot unpack {}", path.display());

    // All are chosen from first, so that the bar knows its length.
    let mut chosen = Vec::new();
    for path in wheels {
        chosen.push((path, choose(path, &place, &bar).with_context(|| failed(path))?));
    }
    for (path, choice) in chosen {
        unpack(choice, folder, &bar).with_context(|| failed(path))?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Opens a wheel and chooses from it; the bar gets longer by the size of what is chosen.
fn choose(
    wheel: &Path,
    place: &impl Fn(&str) -> Option<PathBuf>,
    bar: &ProgressBar,
) -> Result<Choice> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(wheel)?))?;
    let mut chosen = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        if let Some(path) = place(entry.name()).filter(|_| entry.is_file()) {
            let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(plain, "it has a file named {}", path.display());
            bar.inc_length(entry.size());
            chosen.push((index, path));
        }
    }
    ensure!(!chosen.is_empty(), "nothing of what is needed is in it");
    Ok((archive, chosen))
}

/// Unpacks what was chosen.
fn unpack((mut archive, chosen): Choice, folder: &Path, bar: &ProgressBar) -> Result<()> {
    for (index, path) in chosen {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        let file = File::create(&target).with_context(|| target.display().to_string())?;
        // Reading to the end checks the entry's CRC.
        io::copy(&mut archive.by_index(index)?, &mut bar.wrap_write(file))
            .with_context(|| target.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Writes a wheel of the given files, each holding its own name.
    fn wheel(folder: &Path, names: &[&str]) -> Result<PathBuf> {
        let path = folder.join("a.whl");
        let mut writer = zip::ZipWriter::new(File::create(&path)?);
        for name in names {
            writer.start_file(*name, zip::write::SimpleFileOptions::default())?;
            writer.write_all(name.as_bytes())?;
        }
        writer.finish()?;
        Ok(path)
    }

    /// Keeps what is under `keep/`.
    fn keep(name: &str) -> Option<PathBuf> {
        name.strip_prefix("keep/").map(PathBuf::from)
    }

    #[test]
    fn unpacks_what_was_chosen_and_nothing_else() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let wheel = wheel(folder.path(), &["keep/a/b.txt", "drop/c.txt"])?;
        let out = folder.path().join("out");
        extract(&[wheel], &out, keep)?;
        assert_eq!(fs::read_to_string(out.join("a/b.txt"))?, "keep/a/b.txt");
        assert_eq!(fs::read_dir(&out)?.count(), 1);
        Ok(())
    }

    #[test]
    fn refuses_a_wheel_without_what_is_needed() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let wheel = wheel(folder.path(), &["drop/c.txt"])?;
        let error = extract(&[wheel], folder.path(), keep).map_err(|error| format!("{error:#}"));
        assert!(error.is_err_and(|text| text.ends_with("nothing of what is needed is in it")));
        Ok(())
    }

    #[test]
    fn refuses_a_file_that_would_leave_the_folder() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let wheel = wheel(folder.path(), &["keep/../../up.txt"])?;
        let out = folder.path().join("out");
        assert!(extract(&[wheel], &out, keep).is_err());
        assert!(!folder.path().join("up.txt").exists());
        Ok(())
    }
}
