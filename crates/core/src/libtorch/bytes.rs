//! The bytes of a tensor, in pieces.

use tch::{Device, Tensor};

use crate::error::Result;

/// Elements in a piece: a copy of the largest table would cost memory.
const PIECE: i64 = 1 << 16;

/// Hands on the bytes of a tensor, in the order of its elements, in pieces of at most 512 KiB.
///
/// # Errors
/// If libtorch refuses, or the first of `take`.
pub(crate) fn each_piece(tensor: &Tensor, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let tensor = tensor.detach().to_device(Device::Cpu).contiguous();
    let size = tensor.kind().elt_size_in_bytes();
    let mut bytes = vec![0; PIECE.min(tensor.numel() as i64) as usize * size];
    for piece in tensor.view(-1).split(PIECE, 0) {
        let bytes = &mut bytes[..piece.numel() * size];
        piece.f_copy_data_u8(bytes, piece.numel())?;
        take(bytes)?;
    }
    Ok(())
}
