//! The members of a tar file: where each lies, from their headers alone. Nothing is unpacked.

use std::fs::File;
use std::io::{BufReader, Read};

use tar::{Archive, Entry, EntryType, PaxExtensions};

/// A member that holds data.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name with folders, or what is wrong with that.
    pub(super) name: Result<String, String>,
    /// Where its data begin, in bytes.
    pub(super) at: u64,
    /// In bytes.
    pub(super) length: u64,
    /// Why its data cannot be had.
    pub(super) problem: Option<&'static str>,
}

/// A longer name, or a longer list of what else there is to say of a member, is no one's.
const LONGEST_NAME: u64 = 1 << 16;

/// Headers are read in pieces of so many bytes; what is between them is passed over.
const PIECE: usize = 1 << 11;

/// Tells `each` of all members that are files, or should be, with their data. Folders have none.
///
/// # Errors
/// Where what follows is no member: what is behind it cannot be found.
pub(super) fn members(
    file: File,
    mut each: impl FnMut(Member, &mut dyn Read),
) -> Result<(), String> {
    let failed = |e| format!("cannot be read ({e})");
    let size = file.metadata().map_err(failed)?.len();
    let mut archive = Archive::new(BufReader::with_capacity(PIECE, file));
    let entries = archive.entries_with_seek().map_err(failed)?.raw(true);
    let (mut long, mut last, mut any): (Option<Vec<u8>>, Option<String>, bool) =
        (None, None, false);
    for entry in entries {
        let mut entry = entry.map_err(|e| broken(last.as_deref(), &e))?;
        let (at, length) = (entry.raw_file_position(), entry.size());
        let is_whole = at.checked_add(length).is_some_and(|end| end <= size);
        any = true;
        let problem = match entry.header().entry_type() {
            EntryType::GNULongName | EntryType::XHeader => {
                if length > LONGEST_NAME || !is_whole {
                    let problem = format!("a header of {length} bytes");
                    return Err(broken(last.as_deref(), &std::io::Error::other(problem)));
                }
                match name_of_next(&mut entry) {
                    Ok(name) => long = name.or(long),
                    Err(e) => return Err(broken(last.as_deref(), &e)),
                }
                continue;
            }
            EntryType::Regular | EntryType::Continuous if !is_whole => {
                Some("is cut off: the file ends before it does; copy or fetch it again")
            }
            EntryType::Regular | EntryType::Continuous => None,
            EntryType::GNUSparse => {
                Some("is stored with holes; pack it with tar's --hole-detection=raw")
            }
            EntryType::Link | EntryType::Symlink => Some(
                "is a link, which holds no data; pack it with tar's --dereference --hard-dereference",
            ),
            _ => {
                long = None;
                continue;
            }
        };
        let name = long.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let name = named(name);
        last = name.clone().ok();
        each(Member { name, at, length, problem }, &mut entry);
        if !is_whole {
            // Nothing is behind it.
            return Ok(());
        }
    }
    match any {
        true => Ok(()),
        false => Err("has no members: it is empty, or no tar file".into()),
    }
}

/// What a header before a member says of its name.
fn name_of_next(entry: &mut Entry<'_, impl Read>) -> std::io::Result<Option<Vec<u8>>> {
    let mut said = vec![];
    entry.take(LONGEST_NAME).read_to_end(&mut said)?;
    if entry.header().entry_type() == EntryType::GNULongName {
        said.truncate(said.iter().position(|&byte| byte == 0).unwrap_or(said.len()));
        return Ok(Some(said));
    }
    let mut name = None;
    for pair in PaxExtensions::new(&said) {
        let pair = pair?;
        match pair.key_bytes() {
            b"path" => name = Some(pair.value_bytes().to_vec()),
            // Its data would be looked for in another place than they are.
            b"size" => return Err(std::io::Error::other("a member of more than 8 GiB")),
            _ => {}
        }
    }
    Ok(name)
}

/// A name as text, without the steps that lead nowhere.
fn named(name: Vec<u8>) -> Result<String, String> {
    let name = String::from_utf8(name).map_err(|e| {
        let name = String::from_utf8_lossy(e.as_bytes()).into_owned();
        format!("the member {name:?} has a name that is not UTF-8; pack it under another")
    })?;
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match parts.is_empty() || parts.contains(&"..") {
        true => Err(format!("the member {name:?} has a name that leads out of the archive")),
        false => Ok(parts.join("/")),
    }
}

fn broken(last: Option<&str>, error: &std::io::Error) -> String {
    let place = last.map_or("it begins with".into(), |name| format!("behind {name} there is"));
    let said = error.to_string();
    let said = said.lines().next().unwrap_or_default().to_string();
    format!("{place} no header of a tar file ({said}): copy or fetch it again")
}
