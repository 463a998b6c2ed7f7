//! Samples one after another, as WAV and AU hold them: decoded, mixed to mono.

use std::{
    io::{BufReader, Read},
    ops::ControlFlow,
};

use super::{
    error::RecordingError,
    source::{Source, mix},
};

/// The samples of a file whose header has been read and agrees with the file's length.
#[derive(Debug)]
pub(super) struct Pcm {
    /// Stands at the first sample.
    pub(super) file: BufReader<Box<dyn Source>>,
    pub(super) format: Format,
    /// Of each channel, at least one.
    pub(super) samples: u64,
}

/// What a header says of samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// At least 1.
    pub(super) channels: u16,
    /// In Hz.
    pub(super) sample_rate: u32,
    pub(super) depth: Depth,
    pub(super) order: Order,
}

/// How samples of one channel are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// From 0 to 255.
    U8,
    I8,
    I16,
    I24,
    /// In the lower three of four bytes.
    I24In32,
    I32,
    F32,
    F64,
    /// 8 bits of G.711's logarithms, as telephones in Europe have them.
    ALaw,
    /// The same, as in America and Japan.
    MuLaw,
}

/// Which byte of a sample is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Lowest,
    Highest,
}

impl Format {
    /// Bytes of one sample of all channels.
    pub(super) fn block(&self) -> u64 {
        u64::from(self.channels) * self.depth.bytes() as u64
    }
}

impl Pcm {
    /// The data that begins where the file stands and takes `promised` bytes, of `found` that are
    /// there; `None`: all that are. A part of a sample at its end is passed over.
    pub(super) fn new(
        file: BufReader<Box<dyn Source>>,
        format: Format,
        promised: Option<u64>,
        found: u64,
    ) -> Result<Self, RecordingError> {
        let block = format.block();
        let data = promised.unwrap_or(found);
        let samples = data / block;
        if data > found {
            let (found, rate) = (found / block, format.sample_rate);
            return Err(RecordingError::CutShort { promised: samples, found, rate });
        }
        if samples == 0 {
            return Err(RecordingError::Empty);
        }
        Ok(Self { file, format, samples })
    }

    /// Decodes the samples piece by piece, the means over the channels, for as long as more are
    /// wanted.
    pub(super) fn decode(
        self,
        mut take: impl FnMut(&[f32]) -> Result<ControlFlow<()>, RecordingError>,
    ) -> Result<(), RecordingError> {
        /// How many bytes are decoded at a time, where a sample is not larger.
        const CHUNK: u64 = 1 << 16;

        let Self { mut file, format, samples } = self;
        let block = format.block();
        let (mut bytes, mut all, mut mono) = (vec![], vec![], vec![]);
        let at_once = (CHUNK / block).max(1);
        let mut left = samples;
        while left > 0 {
            let now = left.min(at_once);
            bytes.resize((now * block) as usize, 0);
            file.read_exact(&mut bytes)?;
            format.depth.decode(format.order, &bytes, &mut all);
            mono.clear();
            mix(&all, format.channels.into(), &mut mono);
            if take(&mono)?.is_break() {
                break;
            }
            left -= now;
        }
        Ok(())
    }
}

impl Depth {
    /// That a sample of one channel takes.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::ALaw | Self::MuLaw => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I24In32 | Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Replaces the samples by what the bytes hold, integers scaled to -1..1.
    fn decode(self, order: Order, bytes: &[u8], samples: &mut Vec<f32>) {
        fn each<const N: usize>(
            order: Order,
            bytes: &[u8],
            samples: &mut Vec<f32>,
            decode: impl Fn([u8; N]) -> f32,
        ) {
            let (values, _) = bytes.as_chunks();
            samples.clear();
            match order {
                Order::Lowest => samples.extend(values.iter().map(|&value| decode(value))),
                Order::Highest => samples.extend(values.iter().map(|&(mut value)| {
                    value.reverse();
                    decode(value)
                })),
            }
        }
        /// Full scale of integers whose highest bit is that of an i32.
        const FULL: f32 = 2_147_483_648.;
        let high = |a, b, c| i32::from_le_bytes([0, a, b, c]) as f32 / FULL;
        let short = |x: i16| f32::from(x) / 32_768.;
        match self {
            Self::U8 => each(order, bytes, samples, |[x]| (f32::from(x) - 128.) / 128.),
            Self::I8 => each(order, bytes, samples, |x| f32::from(i8::from_le_bytes(x)) / 128.),
            Self::I16 => each(order, bytes, samples, |x| short(i16::from_le_bytes(x))),
            Self::I24 => each(order, bytes, samples, |[a, b, c]| high(a, b, c)),
            Self::I24In32 => each(order, bytes, samples, |[a, b, c, _]| high(a, b, c)),
            Self::I32 => {
                each(order, bytes, samples, |x| i32::from_le_bytes(x) as f32 / FULL);
            }
            Self::F32 => each(order, bytes, samples, f32::from_le_bytes),
            Self::F64 => each(order, bytes, samples, |x| f64::from_le_bytes(x) as f32),
            Self::ALaw => each(order, bytes, samples, |[x]| short(a_law(x))),
            Self::MuLaw => each(order, bytes, samples, |[x]| short(mu_law(x))),
        }
    }
}

/// ITU-T G.711, A-law: 13 bits in the upper part of 16.
fn a_law(x: u8) -> i16 {
    let x = x ^ 0x55;
    let (exponent, mantissa) = (x >> 4 & 7, i16::from(x & 0xf) << 4);
    let size = match exponent {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (exponent - 1),
    };
    if x & 0x80 != 0 { size } else { -size }
}

/// ITU-T G.711, µ-law: 14 bits in the upper part of 16.
fn mu_law(x: u8) -> i16 {
    const BIAS: i16 = 0x84;
    let x = !x;
    let size = (((i16::from(x & 0xf) << 3) + BIAS) << (x >> 4 & 7)) - BIAS;
    if x & 0x80 != 0 { -size } else { size }
}
