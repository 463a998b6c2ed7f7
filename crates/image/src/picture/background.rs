//! The colour behind a transparent picture.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The colour behind transparent pixels: white unless another is asked for, as drawings and cut-outs
/// are made for a page. Written `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Background(
    /// Red, green and blue.
    pub [u8; 3],
);

/// White.
impl Default for Background {
    fn default() -> Self {
        Self([255; 3])
    }
}

impl Background {
    /// RGBA of 8 bits to RGB on this colour, each sample rounded to nearest.
    pub(crate) fn behind(self, rgba: &[u8]) -> Vec<u8> {
        let (pixels, _) = rgba.as_chunks::<4>();
        let blend = |sample: u8, ground: u8, alpha: u8| {
            let (sample, ground, alpha) = (u32::from(sample), u32::from(ground), u32::from(alpha));
            ((sample * alpha + ground * (255 - alpha) + 127) / 255) as u8
        };
        let Self([red, green, blue]) = self;
        let mut rgb = Vec::with_capacity(pixels.len() * 3);
        for &[r, g, b, a] in pixels {
            rgb.extend([blend(r, red, a), blend(g, green, a), blend(b, blue, a)]);
        }
        rgb
    }
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([r, g, b]) = self;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

impl From<Background> for String {
    fn from(background: Background) -> Self {
        background.to_string()
    }
}

/// From `white`, `grey`, `black` or six hexadecimal digits, with or without a `#` before them.
impl FromStr for Background {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "white" => return Ok(Self([255; 3])),
            "grey" | "gray" => return Ok(Self([128; 3])),
            "black" => return Ok(Self([0; 3])),
            _ => {}
        }
        let digits = text.strip_prefix('#').unwrap_or(text);
        // `from_str_radix` would take a sign, too.
        let is_hex = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(rgb) if is_hex => {
                let [_, r, g, b] = rgb.to_be_bytes();
                Ok(Self([r, g, b]))
            }
            _ => Err(format!("`{text}` is no colour; write white, grey, black or #rrggbb")),
        }
    }
}

impl TryFrom<String> for Background {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_and_written() {
        for (text, colour) in [
            ("white", [255, 255, 255]),
            ("grey", [128, 128, 128]),
            ("black", [0, 0, 0]),
            ("#0a80ff", [10, 128, 255]),
            ("0A80FF", [10, 128, 255]),
        ] {
            let read: Background = text.parse().unwrap();
            assert_eq!(read, Background(colour));
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for text in ["", "#12345", "#1234567", "+12345", "blue", "#ééé"] {
            assert!(text.parse::<Background>().unwrap_err().contains("write white"), "{text}");
        }
    }

    #[test]
    fn a_colour_shows_as_far_as_pixels_are_transparent() {
        let rgba = [10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 255, 128];
        let on = |colour| Background(colour).behind(&rgba);
        assert_eq!(on([1, 2, 3]), [1, 2, 3, 10, 20, 30, 0, 51, 129]);
        assert_eq!(on([255; 3]), [255, 255, 255, 10, 20, 30, 127, 177, 255]);
    }
}
