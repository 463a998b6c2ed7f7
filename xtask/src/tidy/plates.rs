//! A `mod.rs` is a door plate: it says what a folder is and names what is in it. It defines nothing,
//! so that no child leans on its parent. The same goes for an `x.rs` beside a folder `x`.

use super::code::{behind_attributes, item_end};
use super::fault::Fault;
use super::source::{Crate, File};
use super::tokens::Token;

/// What door plates define.
pub(super) fn faults(krate: &Crate) -> Vec<Fault> {
    krate.files.iter().filter(|file| file.is_plate).flat_map(definitions).collect()
}

/// What a door plate defines.
fn definitions(file: &File) -> Vec<Fault> {
    let tokens = &file.tokens[..];
    let mut faults = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let item = behind_attributes(tokens, at);
        // An item's end is at least behind what it begins with.
        let end = item_end(tokens, at).max(item + 1).min(tokens.len());
        let words: Vec<&str> = tokens[item.min(end)..end].iter().filter_map(Token::word).collect();
        let declares = words.contains(&"mod") && tokens[end - 1].is(';');
        let imports = words.contains(&"use") && tokens[end - 1].is(';');
        if item < tokens.len() && !declares && !imports {
            let folder = file.module.join("/");
            let scope = ["pub", "crate", "super", "in"];
            let said = words.into_iter().filter(|word| !scope.contains(word)).take(2);
            let what = format!(
                "`{}`: what stands for the folder `{folder}` defines nothing, so move it to a file \
                 of the folder",
                said.collect::<Vec<_>>().join(" ")
            );
            faults.push(Fault::new(&file.name, tokens[item].line, what));
        }
        at = end;
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines at fault in a file of this name and text, beside a folder `a`.
    fn lines(name: &str, text: &str) -> Vec<usize> {
        let sources = [("c/src/a/b.rs", "struct B;"), (name, text)];
        faults(&Crate::new("c", sources)).iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn a_door_plate_defines_nothing() {
        let plate = "//! A folder.\n#![allow(x)]\n\nmod b;\n#[cfg(unix)]\npub(crate) mod c;\n\
                     pub use b::{B, C as D};\npub(crate) use c::*;\n\
                     #[cfg(test)]\nmod tests { fn e() {} }\n";
        assert_eq!(lines("c/src/a/mod.rs", plate), [0; 0]);
        for wrong in [
            "pub struct B;",
            "/// Of use.\n#[derive(Debug)]\nstruct B { c: u8 }",
            "pub(crate) const B: [u8; 2] = [1; 2];",
            "fn b() {}",
            "type B = u8;",
            "mod b { use super::C; }",
            "impl B {}",
            "b! {}",
            "macro_rules! b { () => {} }",
        ] {
            assert_eq!(lines("c/src/a/mod.rs", wrong).len(), 1, "{wrong}");
            assert_eq!(lines("c/src/a/mod.rs", &format!("{wrong}\nuse a::b;")).len(), 1, "{wrong}");
        }
        assert_eq!(lines("c/src/a/mod.rs", "mod b;\n/// C.\npub fn c() {}\nstruct D;"), [3, 4]);
    }

    #[test]
    fn a_file_beside_its_folder_is_one_too() {
        assert_eq!(lines("c/src/a.rs", "struct A;"), [1]);
        assert_eq!(lines("c/src/other.rs", "struct A;"), [0; 0]);
        assert_eq!(lines("c/src/lib.rs", "struct A;"), [0; 0]);
    }
}
