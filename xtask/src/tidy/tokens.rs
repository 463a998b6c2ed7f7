//! Rust's text as words and marks: comments are gone, and a string is one token.

/// A token and the line that it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier, a keyword or a number.
    Word(String),
    /// What stands between the quotes of a string, escapes as they are.
    Text(String),
    /// `::`
    PathSep,
    /// Any other character.
    Mark(char),
}

impl Token {
    pub(super) fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// The tokens of a text. Characters in single quotes and lifetimes are left out: no rule asks for
/// them.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader { text: text.chars().collect(), at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(next) = reader.peek(0) {
        let line = reader.line;
        if let Some(kind) = reader.token(next) {
            tokens.push(Token { line, kind });
        }
    }
    tokens
}

/// A place in a text.
struct Reader {
    text: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.line += usize::from(self.peek(0) == Some('\n'));
            self.at += 1;
        }
    }

    /// Goes on while the characters are so, and returns them.
    fn take_while(&mut self, is_so: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek(0).is_some_and(&is_so) {
            self.skip(1);
        }
        self.text[from..self.at].iter().collect()
    }

    /// Reads what begins with the character `next`.
    fn token(&mut self, next: char) -> Option<Kind> {
        match (next, self.peek(1)) {
            ('/', Some('/')) => {
                self.take_while(|c| c != '\n');
                None
            }
            ('/', Some('*')) => {
                self.block_comment();
                None
            }
            ('"', _) => Some(Kind::Text(self.string())),
            ('\'', _) => {
                self.quoted_or_lifetime();
                None
            }
            (':', Some(':')) => {
                self.skip(2);
                Some(Kind::PathSep)
            }
            _ if next.is_alphanumeric() || next == '_' => Some(self.word()),
            _ => {
                self.skip(1);
                (!next.is_whitespace()).then_some(Kind::Mark(next))
            }
        }
    }

    /// A comment that may hold others.
    fn block_comment(&mut self) {
        let mut depth = 0;
        while let Some(next) = self.peek(0) {
            match (next, self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.skip(1);
                    continue;
                }
            }
            self.skip(2);
            if depth == 0 {
                break;
            }
        }
    }

    /// A string with escapes, from its quote on.
    fn string(&mut self) -> String {
        self.skip(1);
        let from = self.at;
        while let Some(next) = self.peek(0)
            && next != '"'
        {
            self.skip(if next == '\\' { 2 } else { 1 });
        }
        let text = self.text[from..self.at.min(self.text.len())].iter().collect();
        self.skip(1);
        text
    }

    /// A string without escapes, from its quote on; as many `#` end it as began it.
    fn raw_string(&mut self, hashes: usize) -> String {
        self.skip(1);
        let from = self.at;
        let ends = |reader: &Self| {
            reader.peek(0) == Some('"') && (1..=hashes).all(|i| reader.peek(i) == Some('#'))
        };
        while self.peek(0).is_some() && !ends(self) {
            self.skip(1);
        }
        let text = self.text[from..self.at].iter().collect();
        self.skip(1 + hashes);
        text
    }

    fn quoted_or_lifetime(&mut self) {
        if self.peek(1) == Some('\\') {
            // The quote, the backslash and what it escapes, which may be a quote.
            self.skip(3);
            self.take_while(|c| c != '\'');
            self.skip(1);
        } else if self.peek(2) == Some('\'') {
            self.skip(3);
        } else {
            self.skip(1);
            self.take_while(|c| c.is_alphanumeric() || c == '_');
        }
    }

    /// A word, or the string that it is the prefix of.
    fn word(&mut self) -> Kind {
        let word = self.take_while(|c| c.is_alphanumeric() || c == '_');
        let hashes = (0..).take_while(|&i| self.peek(i) == Some('#')).count();
        match (word.as_str(), self.peek(hashes)) {
            ("r" | "br" | "cr", Some('"')) => {
                self.skip(hashes);
                Kind::Text(self.raw_string(hashes))
            }
            ("b" | "c", Some('"')) if hashes == 0 => Kind::Text(self.string()),
            // `r#type`.
            ("r", Some(_)) if hashes == 1 => {
                self.skip(1);
                Kind::Word(self.take_while(|c| c.is_alphanumeric() || c == '_'))
            }
            _ => Kind::Word(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens as a reader would write them, a string in its quotes.
    fn shown(text: &str) -> Vec<String> {
        let show = |token: Token| match token.kind {
            Kind::Word(word) => word,
            Kind::Text(text) => format!("{text:?}"),
            Kind::PathSep => "::".into(),
            Kind::Mark(mark) => mark.into(),
        };
        tokens(text).into_iter().map(show).collect()
    }

    #[test]
    fn comments_are_gone_and_strings_are_whole() {
        let text =
            "a // crate::A\n/* b /* c */ d */ \"// e\" r#\"f \" g\"# b\"h\" /// i\n\"\\\" j\"";
        assert_eq!(shown(text), ["a", "\"// e\"", "\"f \\\" g\"", "\"h\"", "\"\\\\\\\" j\""]);
    }

    #[test]
    fn quotes_of_characters_and_lifetimes_open_no_string() {
        assert_eq!(shown(r#"'"' x '\'' y '\u{22}' z 'w' v"#), ["x", "y", "z", "v"]);
        assert_eq!(shown("&'a str b'\"' r#type"), ["&", "str", "b", "type"]);
    }

    #[test]
    fn a_token_knows_its_line() {
        let lines = |text| tokens(text).iter().map(|token| token.line).collect::<Vec<_>>();
        assert_eq!(lines("a\n\"b\nc\" d\n/*\n*/ e::f"), [1, 2, 3, 5, 5, 5]);
    }
}
