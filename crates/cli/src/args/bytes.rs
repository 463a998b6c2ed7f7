//! Amounts of memory.

/// A number of bytes: `1500`, `500K`, `500M`, `16G`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes(pub(crate) usize);

impl std::str::FromStr for Bytes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
        let unit = match unit.to_ascii_uppercase().as_str() {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            _ => return Err("expected a number of bytes such as 500M or 16G"),
        };
        let bytes = digits.parse::<usize>().ok().and_then(|n| n.checked_mul(unit));
        bytes.map(Self).ok_or("expected a number of bytes such as 500M or 16G")
    }
}
