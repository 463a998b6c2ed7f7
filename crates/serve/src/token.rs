//! The token that a request must bring.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A bearer token (RFC 6750), of which only the SHA-256 is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token in the text of a file: its one line.
    ///
    /// # Errors
    /// If it is empty, or has what cannot stand in a header.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        match text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            true => Err("expected one line: a token of letters, digits and signs without spaces"),
            false => Ok(Self(Sha256::digest(text).into())),
        }
    }

    /// Whether the value of the header `Authorization` has it. It takes the same time for all that are not.
    pub(crate) fn is_in(&self, header: &[u8]) -> bool {
        let scheme = header.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
        let given: [u8; 32] = Sha256::digest(header.get(7..).unwrap_or_default()).into();
        scheme & bool::from(given.ct_eq(&self.0))
    }
}

/// Without any of it.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_is_right() {
        let token = Token::new("s3cret\n").unwrap();
        for (header, right) in [
            ("Bearer s3cret", true),
            ("bearer s3cret", true),
            ("Bearer s3cre", false),
            ("Bearer s3cret ", false),
            ("Bearer  s3cret", false),
            ("Basic s3cret", false),
            ("s3cret", false),
            ("Bearer ", false),
            ("", false),
        ] {
            assert_eq!(token.is_in(header.as_bytes()), right, "{header}");
        }
        assert!(["", " \n", "a b", "é"].iter().all(|text| Token::new(text).is_err()));
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
