//! What a file names of its own crate: every branch of a `use`, and paths in the middle of code.

use super::code::item_end;
use super::tokens::{Kind, Token};

/// A path and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) line: usize,
    /// As it is written: `crate`, `super`, `self` or, in a `use` alone, any name comes first.
    /// `{self}` at the end is left out, and `*` is a name like any other.
    pub(super) path: Vec<String>,
    /// The modules, in the file itself, that it stands in.
    pub(super) within: Vec<String>,
}

/// All paths of a file that may lead into its own crate.
pub(super) fn imports(tokens: &[Token]) -> Vec<Import> {
    let mut found = Vec::new();
    // The modules that are open, and how many braces were when each began.
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let within = || open.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        match (&token.kind, tokens.get(at + 1)) {
            (Kind::Word(word), Some(next)) if word == "use" && !next.is('<') => {
                let end = item_end(tokens, at);
                let within = within();
                branches(&tokens[at + 1..end], &[], &mut |line, path| {
                    found.push(Import { line, path, within: within.clone() });
                });
                at = end;
                continue;
            }
            (Kind::Word(word), Some(name)) if word == "mod" => {
                if let (Some(name), Some(brace)) = (name.word(), tokens.get(at + 2))
                    && brace.is('{')
                {
                    open.push((name.to_owned(), depth));
                }
            }
            (Kind::Word(word), Some(next))
                if ["crate", "super", "self"].contains(&word.as_str())
                    && next.kind == Kind::PathSep
                    && !is_scope(&tokens[..at]) =>
            {
                let (path, end) = inline(tokens, at);
                found.push(Import { line: token.line, path, within: within() });
                at = end;
                continue;
            }
            (Kind::Mark('{'), _) => depth += 1,
            (Kind::Mark('}'), _) => {
                depth = usize::saturating_sub(depth, 1);
                if open.last().is_some_and(|(_, begun)| *begun == depth) {
                    open.pop();
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether a path that comes next says who may see an item: `pub(in crate::a)` imports nothing.
fn is_scope(before: &[Token]) -> bool {
    matches!(before, [.., open, word] if open.is('(') && word.is_word("in"))
}

/// The path that begins at a word, and where it ends.
fn inline(tokens: &[Token], from: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    let mut at = from;
    while let Some(word) = tokens.get(at).and_then(Token::word) {
        path.push(word.to_owned());
        at += 1;
        if tokens.get(at).is_some_and(|token| token.kind == Kind::PathSep)
            && tokens.get(at + 1).is_some_and(|token| token.word().is_some())
        {
            at += 1;
        } else {
            break;
        }
    }
    (path, at)
}

/// Walks the branches of a use-tree, which `prefix` leads to.
fn branches(tree: &[Token], prefix: &[String], found: &mut dyn FnMut(usize, Vec<String>)) {
    let mut path = prefix.to_vec();
    let mut line = 0;
    let mut renamed = false;
    let mut at = 0;
    while let Some(token) = tree.get(at) {
        match &token.kind {
            Kind::Word(word) if word == "as" => renamed = true,
            Kind::Word(_) if renamed => {}
            Kind::Word(word) if word == "self" && !path.is_empty() => line = token.line,
            Kind::Word(word) => {
                path.push(word.clone());
                line = token.line;
            }
            Kind::Mark('*') => {
                path.push("*".into());
                line = token.line;
            }
            Kind::Mark('{') => {
                let inside = group(&tree[at + 1..]);
                branches(inside, &path, found);
                at += inside.len() + 1;
                // What the braces hold has been told.
                line = 0;
            }
            Kind::Mark(',' | ';') => {
                if line > 0 {
                    found(line, path);
                }
                path = prefix.to_vec();
                (line, renamed) = (0, false);
            }
            _ => {}
        }
        at += 1;
    }
    if line > 0 {
        found(line, path);
    }
}

/// What comes before the brace that closes the one just opened.
fn group(tokens: &[Token]) -> &[Token] {
    let mut depth = 1;
    let end = tokens.iter().position(|token| {
        depth += i32::from(token.is('{')) - i32::from(token.is('}'));
        depth == 0
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

#[cfg(test)]
mod tests {
    use super::super::code::code;
    use super::*;

    /// Each import as `line path`, and what it stands in before a colon.
    fn shown(text: &str) -> Vec<String> {
        let show = |import: Import| {
            let within: String = import.within.iter().map(|name| format!("{name}: ")).collect();
            format!("{} {within}{}", import.line, import.path.join("::"))
        };
        imports(&code(text).tokens).into_iter().map(show).collect()
    }

    #[test]
    fn a_tree_is_all_of_its_branches() {
        let text =
            "pub(crate) use crate::{\n    a::{self, B as C, d::*},\n    e::F,\n};\nuse g as h;";
        let want = ["2 crate::a", "2 crate::a::B", "2 crate::a::d::*", "3 crate::e::F", "5 g"];
        assert_eq!(shown(text), want);
        assert_eq!(shown("use self::a::B; use super::{c, d::{E, F}};").len(), 4);
    }

    #[test]
    fn paths_in_the_middle_of_code_count() {
        let text = "fn a(b: &crate::c::D) -> super::E { self::f::<u8>(self.g); self.h() }";
        assert_eq!(shown(text), ["1 crate::c::D", "1 super::E", "1 self::f"]);
    }

    #[test]
    fn who_may_see_an_item_is_no_import() {
        assert_eq!(
            shown("pub(crate) fn a() {} pub(in crate::b) fn c() {} pub(super) d: E"),
            [""; 0]
        );
        assert_eq!(shown("fn a<'b>() -> impl C + use<'b> {}"), [""; 0]);
    }

    #[test]
    fn modules_in_the_file_are_known() {
        let text = "mod a {\n use super::B;\n mod c { use super::D; }\n}\nuse super::E;";
        assert_eq!(shown(text), ["2 a: super::B", "3 a: c: super::D", "5 super::E"]);
    }
}
