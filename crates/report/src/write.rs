//! The report's files.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process,
};

use crate::{
    error::{Error, Result},
    html::html,
    markdown::markdown,
    matrix::Matrix,
};

/// The names of the report's files.
pub const NAMES: [&str; 3] = ["report.json", "report.md", "report.html"];

/// Where the report lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// For people: one file, which needs nothing beside it.
    pub html: PathBuf,
    /// For programs: the measurements and what follows from them. [`Matrix::read`] takes it.
    pub json: PathBuf,
    /// For other pages.
    pub markdown: PathBuf,
}

/// Writes `report.html`, `report.json` and `report.md` into a folder, which is made if it is not
/// there. Each grows beside its place and then takes it, so that none is ever half-written.
///
/// # Errors
/// If the folder or a file cannot be written.
pub fn write(matrix: &Matrix, folder: &Path) -> Result<Files> {
    fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let put = |name: &str, text: String| {
        let place = folder.join(name);
        let partial = folder.join(format!(".{name}.{}", process::id()));
        // If it is there, it is somebody else's.
        let mut file = File::create_new(&partial).map_err(Error::io(&partial, "create"))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&partial, &place));
        if let Err(error) = written {
            // The error that matters is the first.
            let _ = fs::remove_file(&partial);
            return Err(Error::io(place, "write")(error));
        }
        Ok(place)
    };
    Ok(Files {
        json: put(NAMES[0], matrix.json())?,
        markdown: put(NAMES[1], markdown(matrix))?,
        html: put(NAMES[2], html(matrix))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_is_written_is_read_again() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let matrix = sample::matrix();
        let files = write(&matrix, &folder.path().join("new/folder"))?;
        assert!(Matrix::read(&[&files.json])? == matrix);
        assert!(fs::read_to_string(&files.html)?.starts_with("<!doctype html>"));
        assert_eq!(fs::read_dir(folder.path().join("new/folder"))?.count(), 3);
        // One comparison by itself, and two files.
        let one = folder.path().join("one.json");
        fs::write(&one, serde_json::to_string(&matrix.comparisons()[0])?)?;
        assert_eq!(Matrix::read(&[&one, &files.json])?.comparisons().len(), 10);
        Ok(())
    }

    #[test]
    fn a_folder_that_cannot_be_is_an_error_of_one_line() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = write(&sample::matrix(), &file.path().join("in")).expect_err("it is a file");
        assert!(error.to_string().ends_with(": cannot create"), "{error}");
    }
}
