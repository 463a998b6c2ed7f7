//! The sources of a crate, and which file a path in them leads to.

use std::collections::BTreeSet;

use super::code::code;
use super::imports::{Import, imports};
use super::tokens::Token;

/// The sources of a crate, without tests, `lib.rs` and `main.rs`.
#[derive(Debug)]
pub(super) struct Crate {
    /// From the workspace's root: `crates/core`.
    pub(super) folder: String,
    pub(super) files: Vec<File>,
    /// The modules that are files or folders.
    modules: BTreeSet<Vec<String>>,
}

#[derive(Debug)]
pub(super) struct File {
    /// From the workspace's root.
    pub(super) name: String,
    /// `["nn", "layers", "linear"]`; of a door plate, the folder that it stands at.
    pub(super) module: Vec<String>,
    /// A `mod.rs`, or the `x.rs` beside a folder `x`.
    pub(super) is_plate: bool,
    pub(super) tokens: Vec<Token>,
    pub(super) imports: Vec<Import>,
}

/// Where a path leads to within the crate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file or folder; empty: the crate itself, so its face.
    pub(super) module: Vec<String>,
    /// What the path names in it.
    pub(super) name: Option<String>,
}

/// Whether a file is for tests alone, by its name below `src`.
pub(super) fn is_test(below_src: &str) -> bool {
    let mut parts = below_src.rsplit('/');
    let file = parts.next().unwrap_or_default();
    file == "tests.rs" || file.ends_with("_tests.rs") || parts.any(|folder| folder == "tests")
}

impl Crate {
    /// Reads the sources below a crate's folder, each a name from the workspace's root and a text.
    pub(super) fn new<'a>(
        folder: &str,
        sources: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let src = format!("{folder}/src/");
        let mut files = Vec::new();
        let mut tests = Vec::new();
        for (name, text) in sources {
            let Some(below) = name.strip_prefix(&src).filter(|below| !is_test(below)) else {
                continue;
            };
            let stem = below.strip_suffix(".rs").unwrap_or(below);
            let folder = stem.strip_suffix("/mod");
            let module: Vec<String> =
                folder.unwrap_or(stem).split('/').map(str::to_owned).collect();
            let root = stem == "lib" || stem == "main";
            let code = code(text);
            let parent = if root { &[][..] } else { &module[..] };
            tests.extend(code.test_modules.into_iter().map(|name| [parent, &[name]].concat()));
            if !root {
                let imports = imports(&code.tokens);
                let (tokens, is_plate) = (code.tokens, folder.is_some());
                files.push(File { name: name.to_owned(), module, is_plate, tokens, imports });
            }
        }
        files.retain(|file| !tests.iter().any(|test| file.module.starts_with(test)));
        let modules = files
            .iter()
            .flat_map(|file| (1..=file.module.len()).map(|length| file.module[..length].to_vec()));
        let modules: BTreeSet<Vec<String>> = modules.collect();
        let folders: BTreeSet<Vec<String>> =
            files.iter().map(|file| file.module[..file.module.len() - 1].to_vec()).collect();
        for file in &mut files {
            file.is_plate |= folders.contains(&file.module);
        }
        Self { folder: folder.to_owned(), files, modules }
    }

    /// Where an import leads to, if it stays in this crate.
    pub(super) fn place(&self, file: &File, import: &Import) -> Option<Place> {
        let here = || [&file.module[..], &import.within].concat();
        let mut path = import.path.iter();
        let mut module = match path.next()?.as_str() {
            "crate" => vec![],
            "self" => here(),
            "super" => parent(here()),
            // A door plate names its children as they are; what else has no such word is another
            // crate's, or stands in the file itself.
            name => {
                let child = [&file.module[..], &[name.to_owned()]].concat();
                if !self.modules.contains(&child) {
                    return None;
                }
                child
            }
        };
        let mut name = None;
        for part in path {
            match part.as_str() {
                "super" => module = parent(module),
                _ => {
                    let longer = [&module[..], std::slice::from_ref(part)].concat();
                    if !self.modules.contains(&longer) {
                        name = Some(part.clone());
                        break;
                    }
                    module = longer;
                }
            }
        }
        // A module within a file is the file.
        while !module.is_empty() && !self.modules.contains(&module) {
            name = module.pop();
        }
        Some(Place { module, name })
    }
}

fn parent(mut module: Vec<String>) -> Vec<String> {
    module.pop();
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_files_and_folders() {
        let sources = [
            ("crates/a/src/lib.rs", "mod b; mod c;"),
            ("crates/a/src/b/mod.rs", "use d::D; use std::fmt; pub use self::d::E;"),
            ("crates/a/src/b/d.rs", "use super::F; use crate::c::{G, h}; use std::fmt;"),
            ("crates/a/src/b/d/tests.rs", "use crate::Never;"),
            ("crates/a/src/c.rs", "use crate::I; mod j { use super::K; } fn l() { self::m() }"),
        ];
        let krate = Crate::new("crates/a", sources);
        let mut shown = vec![];
        for file in &krate.files {
            for import in &file.imports {
                let place = krate.place(file, import);
                let place = place.map(|p| format!("{}.{}", p.module.join("/"), p.name.unwrap()));
                shown.push(place.unwrap_or_else(|| "-".into()));
            }
        }
        let want = ["b/d.D", "-", "b/d.E", "b.F", "c.G", "c.h", "-", ".I", "c.K", "c.m"];
        assert_eq!(shown, want);
        let plates: Vec<_> = krate.files.iter().map(|file| file.is_plate).collect();
        assert_eq!(plates, [true, false, false]);
    }

    #[test]
    fn files_of_tests_are_known_by_name_and_by_their_declaration() {
        for test in ["tests.rs", "a/tests.rs", "a/b_tests.rs", "a/tests/b.rs"] {
            assert!(is_test(test), "{test}");
        }
        assert!(!is_test("a/contests.rs"));
        let sources = [
            ("a/src/b.rs", "#[cfg(test)] mod parity; "),
            ("a/src/b/parity.rs", "use crate::Never;"),
            ("a/src/b/parity/more.rs", "use crate::Never;"),
        ];
        let krate = Crate::new("a", sources);
        assert_eq!(krate.files.len(), 1);
        assert!(!krate.files[0].is_plate);
    }
}
