//! A stored tensor: a strided view of a block.

use safetensors::Dtype;

use super::block::ByteRange;
use super::limits::MOST_DIMENSIONS;

/// A stored tensor. Every element lies within its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The element type, of whole bytes.
    pub(crate) dtype: Dtype,
    /// The shape.
    pub(crate) shape: Vec<usize>,
    /// The steps from element to element along each dimension, in elements.
    pub(crate) strides: Vec<usize>,
    /// Where the first element begins in the unpacked block, in bytes.
    pub(crate) start: usize,
    /// The order of the bytes of an element.
    pub(crate) order: ByteOrder,
    /// Where the bytes are.
    pub(crate) block: ByteRange,
}

/// The order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// The lowest first.
    Little,
    /// The highest first.
    Big,
}

impl ByteOrder {
    /// The order of this machine.
    pub(crate) const NATIVE: Self =
        if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// The part of a block that a view may use.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    /// The block.
    pub(crate) block: ByteRange,
    /// Where the first element begins in the unpacked block, in bytes.
    pub(crate) start: usize,
    /// The number of elements.
    pub(crate) len: usize,
    /// The order of the bytes of an element.
    pub(crate) order: ByteOrder,
}

impl Stored {
    /// A view of a storage, from its element `offset` on.
    ///
    /// # Errors
    /// If an element lies outside of the storage or of its block, or if the view has more elements
    /// than the storage: such a tensor would need more memory than its file.
    pub(crate) fn new(
        dtype: Dtype,
        shape: Vec<usize>,
        mut strides: Vec<usize>,
        offset: usize,
        storage: Storage,
    ) -> Result<Self, String> {
        let size =
            size(dtype).ok_or_else(|| format!("{dtype:?} has elements of less than a byte"))?;
        let Storage { block, start, len, order } = storage;
        let end = len.checked_mul(size).and_then(|bytes| bytes.checked_add(start));
        if end.is_none_or(|end| end > block.len()) {
            let is = block.len().saturating_sub(start);
            return Err(format!("its storage has {is} bytes, not {len} elements of {dtype:?}"));
        }
        if strides.len() != shape.len() {
            return Err(format!("{} sizes, but {} strides", shape.len(), strides.len()));
        }
        let numel = numel(&shape)?;
        let last = shape.iter().zip(&strides).try_fold(offset, |at, (&n, &stride)| {
            at.checked_add(n.saturating_sub(1).checked_mul(stride)?)
        });
        if numel > len || (numel > 0 && last.is_none_or(|last| last >= len)) {
            return Err(format!(
                "shape {shape:?} with strides {strides:?} from element {offset} does not fit into \
                 a storage of {len} elements"
            ));
        }
        for (n, stride) in shape.iter().zip(&mut strides) {
            if *n <= 1 {
                *stride = 1;
            }
        }
        let start = if numel == 0 { start } else { start + offset * size };
        Ok(Self { dtype, shape, strides, start, order, block })
    }

    /// A contiguous array, in row-major order, which fills its storage.
    pub(crate) fn rows(dtype: Dtype, shape: Vec<usize>, storage: Storage) -> Result<Self, String> {
        let strides = row_strides(&shape);
        Self::new(dtype, shape, strides, 0, storage)
    }

    /// The number of bytes of an element.
    pub(crate) fn size(&self) -> usize {
        self.dtype.bitsize() / 8
    }

    /// The number of elements.
    pub(crate) fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// The number of elements from the first to the last in memory, gaps included.
    pub(crate) fn span(&self) -> usize {
        if self.numel() == 0 {
            return 0;
        }
        1 + self.shape.iter().zip(&self.strides).map(|(n, stride)| (n - 1) * stride).sum::<usize>()
    }

    /// Whether the elements are contiguous, in row-major order.
    pub(crate) fn is_contiguous(&self) -> bool {
        let rows = row_strides(&self.shape);
        self.shape.iter().zip(&self.strides).zip(rows).all(|((&n, &s), row)| n == 1 || s == row)
    }
}

/// The number of bytes of an element, if it is whole.
pub(crate) fn size(dtype: Dtype) -> Option<usize> {
    let bits = dtype.bitsize();
    bits.is_multiple_of(8).then_some(bits / 8)
}

/// The number of elements, of a shape that libtorch can make.
pub(crate) fn numel(shape: &[usize]) -> Result<usize, String> {
    // Strides are computed as if no dimension were 0.
    let product = shape.iter().try_fold(1_usize, |product, &n| product.checked_mul(n.max(1)));
    match product {
        // Leaves a margin for elements of 16 bytes.
        Some(n) if n <= isize::MAX as usize / 16 && shape.len() <= MOST_DIMENSIONS => {
            Ok(if shape.contains(&0) { 0 } else { n })
        }
        _ => Err(format!("the shape {:?}… is too large", &shape[..shape.len().min(8)])),
    }
}

/// Strides of row-major order, of a shape that [`numel`] accepts.
fn row_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i].max(1));
    }
    strides
}

/// Strides of column-major order (Fortran's).
pub(crate) fn column_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for i in 1..shape.len() {
        strides[i] = strides[i - 1].saturating_mul(shape[i - 1].max(1));
    }
    strides
}
