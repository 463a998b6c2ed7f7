//! A picture in memory: 8-bit samples, grey or RGB.

use serde::{Deserialize, Serialize};

/// What the samples of a pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// One: luma as in ITU-R BT.601.
    Grey,
    /// Three: red, green and blue.
    Rgb,
}

impl Channels {
    /// Samples in a pixel, 1 or 3.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// A decoded picture: `height × width × channels` samples of 0 to 255, row by row from the top,
/// the samples of a pixel side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: Channels,
    pub(crate) samples: Vec<u8>,
}

impl Picture {
    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// What the samples of a pixel are.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// The samples, `[height, width, channels]`.
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// The samples as planes, `[channels, height, width]`, the order that models take.
    pub fn into_planes(self) -> Vec<u8> {
        match self.channels {
            Channels::Grey => self.samples,
            Channels::Rgb => {
                let (pixels, _) = self.samples.as_chunks::<3>();
                let mut planes = Vec::with_capacity(self.samples.len());
                for channel in 0..3 {
                    planes.extend(pixels.iter().map(|pixel| pixel[channel]));
                }
                planes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_one_channel_after_the_other() {
        let picture = |channels, samples: &[u8]| Picture {
            width: 2,
            height: 1,
            channels,
            samples: samples.to_vec(),
        };
        assert_eq!(picture(Channels::Rgb, &[1, 2, 3, 4, 5, 6]).into_planes(), [1, 4, 2, 5, 3, 6]);
        assert_eq!(picture(Channels::Grey, &[1, 2]).into_planes(), [1, 2]);
    }
}
