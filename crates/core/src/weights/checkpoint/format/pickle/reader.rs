//! The bytes of a pickle, read from the front.

/// The remaining bytes.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// The number of bytes read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let bytes = self.at.checked_add(n).and_then(|end| self.data.get(self.at..end));
        let bytes = bytes.ok_or("its pickle is cut off; fetch it again")?;
        self.at += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, String> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, String> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, String> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// As many bytes as a number read before says.
    pub(super) fn bytes(&mut self, n: impl TryInto<usize>) -> Result<&'a [u8], String> {
        self.take(n.try_into().unwrap_or(usize::MAX))
    }

    /// Text of so many bytes.
    pub(super) fn text(&mut self, n: impl TryInto<usize>) -> Result<&'a str, String> {
        text(self.bytes(n)?)
    }

    /// Text up to the end of the line.
    pub(super) fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.data[self.at..];
        let end = rest.iter().position(|&b| b == b'\n');
        let line = self.take(end.unwrap_or(rest.len()))?;
        self.take(1)?;
        text(line)
    }
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    str::from_utf8(bytes).map_err(|_| "a text in its pickle is not UTF-8".into())
}
