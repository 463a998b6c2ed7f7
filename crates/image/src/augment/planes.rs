//! A picture as bytes, one channel after the other, the form in which it is augmented.

use tch::{Kind, Tensor};

/// The samples of each channel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planes {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// One for grey, three for RGB, of `width * height` samples each.
    pub(crate) planes: Vec<Vec<u8>>,
}

impl Planes {
    /// Of a tensor `[C, H, W]`, u8, at least one pixel.
    pub(crate) fn of(tensor: &Tensor) -> Self {
        let size = tensor.size();
        let (height, width) = (size[1] as usize, size[2] as usize);
        let mut samples = vec![0; tensor.numel()];
        tensor.contiguous().copy_data_u8(&mut samples, tensor.numel());
        let planes = samples.chunks_exact(width * height).map(<[u8]>::to_vec).collect();
        Self { width, height, planes }
    }

    /// As a tensor `[C, H, W]`, u8.
    pub(crate) fn into_tensor(self) -> Tensor {
        let shape = [self.planes.len() as i64, self.height as i64, self.width as i64];
        Tensor::from_data_size(&self.planes.concat(), &shape, Kind::Uint8)
    }

    /// The width and the height, in pixels.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Mirrors left for right.
    pub(crate) fn flip(&mut self) {
        for row in self.planes.iter_mut().flat_map(|plane| plane.chunks_exact_mut(self.width)) {
            row.reverse();
        }
    }

    /// Maps each sample by the table of its channel.
    pub(crate) fn map(&mut self, table: impl Fn(&[u8]) -> [u8; 256]) {
        for plane in &mut self.planes {
            let table = table(plane);
            for sample in plane {
                *sample = table[usize::from(*sample)];
            }
        }
    }
}
