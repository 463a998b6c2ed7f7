//! Tar files in WebDataset's layout: the members of one sample stand together and are called alike but for
//! their endings, `0001.jpg` and `0001.cls`.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::archive::members;
use super::gathering::Gathering;
use super::layout::InputKind;
use super::members::{Sample, Wanted};
use super::stored::Shard;
use crate::error::{Error, Location, Result};

/// Whether a file is a tar file, by its ending or by what it holds.
pub(super) fn is_tar(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ending == "tar" || starts_as_tar(path)
}

fn starts_as_tar(path: &Path) -> bool {
    let mut start = vec![];
    path.is_file()
        && File::open(path).and_then(|file| file.take(512).read_to_end(&mut start)).is_ok()
        && start.get(257..262) == Some(b"ustar")
}

/// What to say of a tar file that is compressed as a whole; `None`: it is not.
pub(super) fn compressed(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let unpack = [
        (&[".tar.gz", ".tgz"][..], "gunzip"),
        (&[".tar.zst", ".tzst"], "unzstd"),
        (&[".tar.bz2", ".tbz2"], "bunzip2"),
        (&[".tar.xz", ".txz"], "unxz"),
    ];
    let (_, unpack) = unpack.iter().find(|(ends, _)| ends.iter().any(|end| name.ends_with(end)))?;
    Some(format!(
        "is a tar file that is compressed as a whole, so that no sample can be read before all those \
         ahead of it; {unpack} makes a .tar of it, which is read"
    ))
}

/// Everything that a tar file holds.
pub(super) fn gather(path: &Path, all: &mut Gathering<'_>) -> Result<()> {
    let data = |problem: String| Error::Data { path: path.to_path_buf(), problem };
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    let size = file.metadata().map_err(Error::io(path, "read"))?.len();
    let texts = all.layout.inputs == InputKind::Texts;
    let shard = Arc::new(Shard::Tar { path: path.to_path_buf(), size, texts });
    let wanted = Wanted::of(all.layout, all.purpose)?;
    let place = |name: &str| Location { path: path.join(name).into(), line: None };
    let whole = || Location { path: path.into(), line: None };
    let (mut sample, mut known) = (None::<Sample>, 0usize);
    let mut finish = |sample: Option<Sample>, all: &mut Gathering<'_>| {
        let Some(sample) = sample else { return };
        known += 1;
        let at = place(sample.shown());
        match sample.found(&wanted, all.layout, &shard, at.clone()) {
            Ok(found) => all.add(found),
            Err(problem) => all.refuse(at, problem),
        }
    };
    let read = members(file, |member, contents| {
        let name = match &member.name {
            Ok(name) => name,
            Err(problem) => return all.refuse(whole(), problem),
        };
        let Some((key, ending)) = parted(name) else { return };
        if sample.as_ref().is_none_or(|sample| sample.key != key) {
            finish(sample.replace(Sample::new(key)), all);
        }
        if let Some(sample) = &mut sample {
            sample.take(name, ending, &member, contents, &wanted, all.layout);
        }
    });
    finish(sample.take(), all);
    if let Err(problem) = read {
        all.refuse(whole(), problem);
    } else if known == 0 {
        let problem = format!(
            "holds no samples: members of one are called alike but for their endings, as 0001{} and \
             0001.cls",
            all.layout.extensions.first().map(|end| format!(".{end}")).unwrap_or_default()
        );
        return Err(data(problem));
    }
    all.tables.insert(path.to_path_buf());
    Ok(())
}

/// A member's name up to the first dot of its last part, and its ending in lower case. `None`: it is
/// none of a sample's.
fn parted(name: &str) -> Option<(&str, String)> {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = file + name[file..].find('.')?;
    let (key, ending) = (&name[..dot], &name[dot + 1..]);
    // Hidden files, and what is said of the shard itself.
    let is_own = dot == file || (key[file..].starts_with("__") && key.ends_with("__"));
    (!is_own && !ending.is_empty()).then(|| (key, ending.to_ascii_lowercase()))
}
