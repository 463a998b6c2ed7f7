//! The code of a file: its tokens without those of tests and of what only docs import.

use super::tokens::{Kind, Token, tokens};

/// A file's code.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) tokens: Vec<Token>,
    /// The modules, in files of their own, that only tests have.
    pub(super) test_modules: Vec<String>,
}

/// Leaves out of a text what stands behind `#[cfg(test)]`, `#[cfg(doc)]` or `#[test]`.
pub(super) fn code(text: &str) -> Code {
    let all = tokens(text);
    let mut code = Code::default();
    let mut at = 0;
    while at < all.len() {
        let (attributes, item) = attributes(&all, at);
        if attributes.iter().any(|attribute| attribute.inner && attribute.is_exempt) {
            return Code::default();
        }
        if attributes.iter().any(|attribute| attribute.is_exempt) {
            let end = item_end(&all, at);
            let words: Vec<_> = all[item..end].iter().filter_map(Token::word).collect();
            if let [.., "mod", name] = words[..] {
                code.test_modules.push(name.to_owned());
            }
            at = end;
        } else {
            let next = item.max(at + 1);
            code.tokens.extend_from_slice(&all[at..next]);
            at = next;
        }
    }
    code
}

/// An attribute, as far as it matters here.
struct Attribute {
    /// `#![…]`
    inner: bool,
    /// What it belongs to is for tests or docs alone.
    is_exempt: bool,
}

/// The attributes that begin at a place, and where they end.
fn attributes(tokens: &[Token], mut at: usize) -> (Vec<Attribute>, usize) {
    let mut found = Vec::new();
    while tokens.get(at).is_some_and(|token| token.is('#')) {
        let inner = tokens.get(at + 1).is_some_and(|token| token.is('!'));
        let open = at + 1 + usize::from(inner);
        if !tokens.get(open).is_some_and(|token| token.is('[')) {
            break;
        }
        let end = closed(tokens, open);
        let inside = &tokens[open + 1..end.saturating_sub(1).max(open + 1)];
        let is_exempt = match inside {
            [cfg, _, predicate @ .., _] if cfg.is_word("cfg") => is_exempt(predicate),
            [test] => test.is_word("test"),
            _ => false,
        };
        found.push(Attribute { inner, is_exempt });
        at = end;
    }
    (found, at)
}

/// Whether a predicate of `cfg` holds for tests or docs alone.
fn is_exempt(predicate: &[Token]) -> bool {
    match predicate {
        [one] => ["test", "doc", "doctest"].iter().any(|word| one.is_word(word)),
        [all, _, inside @ .., _] if all.is_word("all") => list(inside).any(is_exempt),
        [any, _, inside @ .., _] if any.is_word("any") => list(inside).all(is_exempt),
        _ => false,
    }
}

/// A list's parts: what stands between the commas that no parenthesis holds.
fn list(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    let mut depth = 0;
    let parts = tokens.split(move |token| {
        depth += i32::from(token.is('(')) - i32::from(token.is(')'));
        depth == 0 && token.is(',')
    });
    parts.filter(|part| !part.is_empty())
}

/// The place behind the bracket that closes the one at `open`.
fn closed(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The place behind the item that begins, with its attributes, at `from`. A field, a variant, an
/// arm or a statement counts as one.
pub(super) fn item_end(tokens: &[Token], from: usize) -> usize {
    let (_, start) = attributes(tokens, from);
    let words = tokens[start..].iter().map_while(Token::word);
    // `pub(crate)` has a parenthesis in the middle.
    let visible = tokens.get(start).is_some_and(|token| token.is_word("pub"));
    let scope = tokens.get(start + 1).filter(|token| visible && token.is('('));
    let words: Vec<&str> = match scope {
        Some(_) => {
            tokens[closed(tokens, start + 1)..].iter().map_while(Token::word).take(4).collect()
        }
        None => words.skip(usize::from(visible)).take(4).collect(),
    };
    let value = matches!(words[..], ["use" | "static" | "type" | "let", ..])
        || (words.first() == Some(&"const") && !words.contains(&"fn"));
    let definition = ["fn", "struct", "enum", "union", "impl", "trait", "mod", "macro_rules"];
    let item = value || words.iter().any(|word| definition.contains(word));
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Mark(';') => return at + 1,
            Kind::Mark(',') if !item => return at + 1,
            Kind::Mark(')' | ']' | '}') => return at,
            Kind::Mark('{') if !value => {
                let end = closed(tokens, at);
                let comma = tokens.get(end).is_some_and(|token| !item && token.is(','));
                return end + usize::from(comma);
            }
            Kind::Mark('(' | '[' | '{') => at = closed(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

/// The place behind the attributes that begin at `from`.
pub(super) fn behind_attributes(tokens: &[Token], from: usize) -> usize {
    attributes(tokens, from).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that are left of a text.
    fn left(text: &str) -> Vec<String> {
        code(text).tokens.iter().filter_map(|token| token.word().map(str::to_owned)).collect()
    }

    #[test]
    fn items_for_tests_and_docs_are_left_out() {
        for item in [
            "use a::{b, c};",
            "pub(crate) use a::b;",
            "mod tests { fn a() { if b {} } }",
            "mod tests;",
            "fn a(b: [u8; 3]) -> [u8; 2] { [1; 2] }",
            "const A: [B; 1] = [B { c: 1 }];",
            "pub const fn a() -> u8 { 1 }",
            "struct A(u8);",
            "impl A for B { fn c() {} }",
            "macro_rules! a { () => {}; }",
        ] {
            assert_eq!(left(&format!("x #[cfg(test)] {item} y")), ["x", "y"], "{item}");
        }
        assert_eq!(left("a { #[cfg(test)] b: u8, c: u8 }"), ["a", "c", "u8"]);
        assert_eq!(left("#[cfg(doc)] use a::B; #[inline] #[test] fn c() {} d"), ["d"]);
        assert_eq!(left("#![cfg(test)] a"), [""; 0]);
    }

    #[test]
    fn a_predicate_is_exempt_if_it_holds_for_nothing_else() {
        for exempt in ["test", "doc", "all(test, unix)", "any(test, doc)", "any(all(unix, test))"] {
            assert_eq!(left(&format!("#[cfg({exempt})] fn a() {{}}")), [""; 0], "{exempt}");
        }
        for code in ["unix", "any(test, unix)", "not(test)", "feature = \"test\""] {
            assert!(left(&format!("#[cfg({code})] fn a() {{}}")).contains(&"a".into()), "{code}");
        }
    }

    #[test]
    fn modules_that_only_tests_have_are_named() {
        let text = "#[cfg(test)] mod parity; #[cfg(test)] mod b { } mod c;";
        assert_eq!(code(text).test_modules, ["parity", "b"]);
    }
}
