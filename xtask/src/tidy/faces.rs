//! A face serves outsiders only: what is inside a crate or a folder imports from the file that
//! defines a thing, never from the list of what is shown outside.

use super::fault::Fault;
use super::source::Crate;

/// Imports from the crate's own face or from that of a folder that the file lies in, and
/// `super::super`.
pub(super) fn faults(krate: &Crate) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in &krate.files {
        for import in &file.imports {
            let mut fault = |what: String| faults.push(Fault::new(&file.name, import.line, what));
            let path = import.path.join("::");
            let written: Vec<_> = import.path.iter().filter(|part| *part != "self").collect();
            if written.windows(2).any(|pair| pair[0] == "super" && pair[1] == "super") {
                fault(format!("`{path}`: name the file from the crate's root: `crate::…`"));
            }
            let Some(place) = krate.place(file, import) else { continue };
            // In a file's own inner module, `super` is the file, and so no face.
            let outside = file.module.len() > place.module.len();
            if outside && file.module.starts_with(&place.module) {
                let name = place.name.as_deref().unwrap_or("self");
                let face = match place.module.last() {
                    None => "the crate's own face".to_owned(),
                    Some(folder) => format!("the face of `{folder}`, which this file lies in"),
                };
                fault(format!("`{path}` is {face}: import `{name}` from the file that defines it"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines at fault in a file `nn/layers/norm.rs` with this text.
    fn lines(text: &str) -> Vec<usize> {
        let sources = [
            ("c/src/lib.rs", "pub use crate::nn::Linear;"),
            ("c/src/error.rs", ""),
            ("c/src/nn/mod.rs", "pub use layers::Linear;"),
            ("c/src/nn/head.rs", ""),
            ("c/src/nn/layers/mod.rs", "mod linear; pub use self::linear::Linear;"),
            ("c/src/nn/layers/linear.rs", ""),
            ("c/src/nn/layers/norm.rs", text),
        ];
        faults(&Crate::new("c", sources)).iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn the_crates_face_is_for_others() {
        assert_eq!(lines("use crate::error::{Error, Result};\nuse crate::nn::head::Head;"), [0; 0]);
        assert_eq!(lines("use crate::Error;"), [1]);
        assert_eq!(lines("use crate::{\n    error::Error,\n    Linear,\n    *,\n};"), [3, 4]);
        assert_eq!(lines("fn a() -> crate::Linear {\n crate::seed() }"), [1, 2]);
        assert_eq!(
            lines("// crate::Error\n/// [`crate::Error`]\nconst A: &str = \"crate::B\";"),
            [0; 0]
        );
    }

    #[test]
    fn a_folders_face_is_for_others() {
        assert_eq!(lines("use super::linear::Linear;\nuse crate::nn::layers::linear;"), [0; 0]);
        assert_eq!(lines("use super::{linear::Linear,\n Linear};\nfn a(b: super::C) {}"), [2, 3]);
        assert_eq!(lines("use crate::nn::Linear;\nuse crate::nn::layers::Linear;"), [1, 2]);
        assert_eq!(lines("use super::*;"), [1]);
    }

    #[test]
    fn within_a_file_super_is_the_file() {
        assert_eq!(lines("struct A; mod b { use super::A; fn c(d: super::A) {} }"), [0; 0]);
        assert_eq!(lines("#[cfg(test)] mod tests { use super::*; use crate::Error; }"), [0; 0]);
        assert_eq!(lines("fn a() { self::b() } fn c(d: Self) { Self::e() }"), [0; 0]);
    }

    #[test]
    fn two_steps_up_are_not_written() {
        assert_eq!(lines("use super::super::head::Head;"), [1]);
        assert_eq!(lines("fn a() {\n super::super::head::b() }"), [2]);
        assert_eq!(lines("use super::{linear::A,\n super::head::Head};"), [2]);
    }
}
