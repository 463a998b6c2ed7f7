//! Text from elsewhere on its way into HTML.

use std::fmt;

use crate::hidden::is_hidden;

/// Text with nothing in it that HTML or SVG would act on, in an element or in a quoted attribute.
#[derive(Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => write!(f, "{c}")?,
                // What HTML has no place for, and what would turn what stands around it.
                c if is_hidden(c) => f.write_str("\u{FFFD}")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

/// A name or label in running text: its direction of writing stays its own.
pub(super) struct Name<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<bdi>{}</bdi>", Escaped(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_an_element_or_attribute() {
        let text = Escaped("<b a=\"'\">&\0\u{202e}é😀").to_string();
        assert_eq!(text, "&lt;b a=&quot;&#39;&quot;&gt;&amp;\u{FFFD}\u{FFFD}é😀");
        assert_eq!(Name("مرحبا").to_string(), "<bdi>مرحبا</bdi>");
    }
}
