//! The feature cache: outputs of frozen layers, computed once.

use std::fs::File;
use std::io;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use memmap2::MmapOptions;
use tch::{Device, Kind, Tensor};

use super::batches::{
    BatchSource, Mode, PreparedBatch, RawInputs, RowPart, SourceRow, load_batches,
};
use super::exchange::{ComputedRow, exchange};
use super::sampler::chunks;
use super::samples::{Samples, Shared};
use crate::distributed::several;
use crate::error::{Error, Result};
use crate::libtorch::{Precision, blob, cuda};
use crate::modality::Modality;
use crate::nn::{Batch, Classifier, CutPoint};

/// The budget of the feature cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheBudget {
    /// Bytes in memory.
    pub memory: usize,
    /// The folder of a file for the rest. The file has no name, so that it is gone when the process
    /// ends, however it ends.
    pub folder: PathBuf,
}

impl Default for CacheBudget {
    /// 1 GiB, and the system's folder for temporary files.
    fn default() -> Self {
        Self { memory: 1 << 30, folder: std::env::temp_dir() }
    }
}

/// The activations of the samples at a cut point. It borrows the samples and lives for one phase of
/// a training, in which the parameters below the cut point are frozen: it cannot be stale.
#[derive(Debug)]
pub(crate) struct FeatureCache<'s> {
    samples: &'s Samples,
    cut: CutPoint,
    /// The type of the activations as they were computed. Rows may be kept in another.
    computed: Kind,
    /// Whether the trunk sees padding as it sees data.
    sees_padding: bool,
    /// By view, sample and window. A row is a vector `[D]`, a sequence `[T, D]` or a feature map
    /// `[C, H, W]`.
    views: Vec<Vec<Vec<CachedRow>>>,
}

/// A row, what it answers for, and how many positions the inputs of its batch had.
#[derive(Debug)]
struct CachedRow {
    x: Shared,
    part: RowPart,
    held: Option<[i64; 2]>,
    positions: i64,
}

/// What a [`FeatureCache`] is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AugmentedViews {
    /// Training, with so many augmented views of each sample.
    Train { seed: u64, count: usize },
    /// Evaluation.
    Plain,
}

impl<'s> FeatureCache<'s> {
    /// Computes everything once, and keeps it in bf16 where the model computes in that. `budget` is lowered
    /// by what is used of it. `done` is called with the number of samples after each batch. Several
    /// processes compute a part each, and all have all.
    ///
    /// # Errors
    /// If a sample can no longer be read, or the file cannot be written.
    pub(crate) fn new<M: Modality>(
        model: &Classifier,
        inputs: &RawInputs<'s, M>,
        cut: CutPoint,
        views: AugmentedViews,
        batch_size: usize,
        budget: &mut CacheBudget,
        done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let samples = inputs.samples;
        let mut order: Vec<usize> = (0..samples.len()).collect();
        // Of similar length, so that there is little padding.
        order.sort_by_key(|&at| samples.length(at));
        let lists: Vec<_> = chunks(&order, batch_size);
        let modes: Vec<_> = match views {
            AugmentedViews::Train { seed, count } => {
                (1..=count.max(1)).map(|epoch| Mode::Train { seed, epoch }).collect()
            }
            AugmentedViews::Plain => vec![Mode::Eval],
        };
        let sees_padding = model.encoder().sees_padding();
        let kind = match model.precision() {
            Precision::Bf16 => Kind::BFloat16,
            Precision::F32 | Precision::F16 => Kind::Float,
        };
        let mut store = RowStore::new(kind);
        let mut room = GpuRoom::on(model.device());
        let (mut all, mut computed) = (vec![], Kind::Float);
        for mode in modes {
            let mut view: Vec<Vec<Stored>> = (0..samples.len()).map(|_| vec![]).collect();
            let mut keep = |rows: Vec<ComputedRow>| -> Result<()> {
                let mut samples: Vec<usize> = rows.iter().map(|row| row.at).collect();
                samples.dedup();
                for ComputedRow { at, x, part, held, positions } in rows {
                    let row = store.put(x, budget)?;
                    view[at].push(Stored { row, part, held, positions });
                }
                done(samples.len())
            };
            let (own, rounds) = match several() {
                None => (lists.clone(), lists.len()),
                Some(world) => {
                    let own = lists.iter().skip(world.rank()).step_by(world.size()).cloned();
                    (own.collect(), lists.len().div_ceil(world.size()))
                }
            };
            load_batches(inputs, &own, mode, model.device(), |chosen, prepared| {
                let mut made = vec![];
                for (batch, positions) in prepared.chunks(inputs, batch_size, model.device()) {
                    let Batch { x, attention_mask } = model.forward_to(&batch, cut);
                    computed = x.kind();
                    let mut hidden = Batch { x: x.to_kind(kind), attention_mask };
                    if !room.take(hidden.x.numel() * kind.elt_size_in_bytes()) {
                        hidden = hidden.to_device(Device::Cpu);
                    }
                    let rows = apart(&hidden, sees_padding)?.into_iter();
                    made.extend(rows.map(|(row, held)| (row, held, positions)));
                }
                let PreparedBatch { rows, parts, .. } = prepared;
                let mut made = made.into_iter().zip(parts);
                let mut computed = vec![];
                for (&at, count) in chosen.iter().zip(rows) {
                    let of = made.by_ref().take(count as usize);
                    computed.extend(of.map(|((x, held, positions), part)| ComputedRow {
                        at,
                        x,
                        part,
                        held,
                        positions,
                    }));
                }
                match several() {
                    None => keep(computed),
                    Some(world) => keep(exchange(world, &computed)?),
                }
            })?;
            // In the last round, there may be nothing left for this process to compute.
            if let (Some(world), true) = (several(), own.len() < rounds) {
                keep(exchange(world, &[])?)?;
            }
            all.push(view);
        }
        let file = store.finish(&budget.folder)?;
        let open = |row| {
            Shared(match (row, &file) {
                (Row::Memory(tensor), _) => tensor,
                (Row::File { from, shape }, Some(file)) => {
                    file.narrow(0, from, shape.iter().product()).view(shape.as_slice())
                }
                (Row::File { .. }, None) => unreachable!("a row in a file that was never made"),
            })
        };
        let cached = |Stored { row, part, held, positions }| {
            let x = open(row);
            CachedRow { x, part, held, positions }
        };
        let views = all
            .into_iter()
            .map(|view| {
                view.into_iter().map(|rows| rows.into_iter().map(&cached).collect()).collect()
            })
            .collect();
        Ok(Self { samples, cut, computed, sees_padding, views })
    }
}

impl BatchSource for FeatureCache<'_> {
    fn samples(&self) -> &Samples {
        self.samples
    }

    fn cut_point(&self) -> CutPoint {
        self.cut
    }

    fn rows(&self, at: usize, mode: Mode) -> Result<Vec<SourceRow>> {
        let view = match mode {
            // Epochs are counted from 1, and cycle through the views.
            Mode::Train { epoch, .. } => epoch.saturating_sub(1) % self.views.len(),
            Mode::Eval => 0,
        };
        let row = |row: &CachedRow| SourceRow {
            x: row.x.0.shallow_clone(),
            part: row.part.clone(),
            held: row.held,
        };
        Ok(self.views[view][at].iter().map(row).collect())
    }

    /// A sequence has its own, which are the input's; those of what sees its padding, which may be fewer,
    /// tell of as many as the input had when it was computed.
    fn positions(&self, batch: &Batch, list: &[usize]) -> i64 {
        match batch.x.size()[..] {
            [_, positions, _, ..] if !self.sees_padding => positions,
            _ => {
                let rows = list.iter().filter_map(|&at| self.views[0][at].first());
                rows.map(|row| row.positions).max().unwrap_or(0)
            }
        }
    }

    fn batch(&self, rows: &[&SourceRow]) -> Batch {
        let Batch { x, attention_mask } = together(rows);
        Batch { x: x.to_kind(self.computed), attention_mask }
    }
}

/// A row that was put into the store, as a [`CachedRow`].
struct Stored {
    row: Row,
    part: RowPart,
    held: Option<[i64; 2]>,
    positions: i64,
}

/// The rows of a batch: sequences without padding; what sees its padding, or is made of it, `whole`, with
/// how many of the positions hold data: words are found by their share of all.
fn apart(batch: &Batch, whole: bool) -> Result<Vec<(Tensor, Option<[i64; 2]>)>> {
    let rows = batch.x.unbind(0).into_iter();
    let Some(mask) = &batch.attention_mask else {
        // A copy: a view would keep the whole batch in memory.
        return Ok(rows.map(|row| (row.copy(), None)).collect());
    };
    let positions = mask.size()[1];
    let lengths = Vec::<i64>::try_from(mask.sum_dim_intlist([1].as_slice(), false, Kind::Int64))?;
    let row = |(row, length): (Tensor, i64)| match whole {
        true => (row.copy(), Some([length, positions])),
        false => (row.narrow(0, 0, length).copy(), None),
    };
    Ok(rows.zip(lengths).map(row).collect())
}

/// Collates rows: sequences are padded with zeros to the longest, and masked.
fn together(rows: &[&SourceRow]) -> Batch {
    // Some may be on a GPU, where not all had room.
    let device = rows.iter().map(|row| row.x.device()).find(|device| device.is_cuda());
    let there = device.unwrap_or(Device::Cpu);
    let xs: Vec<Tensor> = rows.iter().map(|row| cuda::to_device(&row.x, there)).collect();
    let masked = |lengths: &[i64], positions: i64| {
        let all = Tensor::arange(positions, (Kind::Int64, Device::Cpu));
        Some(all.lt_tensor(&Tensor::from_slice(lengths).unsqueeze(1)))
    };
    let held: Vec<[i64; 2]> = rows.iter().filter_map(|row| row.held).collect();
    if let Some([_, positions]) = held.first() {
        let lengths: Vec<i64> = held.iter().map(|[length, _]| *length).collect();
        let attention_mask = masked(&lengths, *positions);
        return Batch { x: Tensor::stack(&xs, 0), attention_mask };
    }
    let lengths: Vec<i64> = xs.iter().map(|row| row.size()[0]).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    if lengths.iter().all(|&n| n == longest) {
        return Batch { x: Tensor::stack(&xs, 0), attention_mask: None };
    }
    let x = Tensor::pad_sequence(&xs, true, 0., "right");
    Batch { x, attention_mask: masked(&lengths, longest) }
}

/// What may be kept on a GPU: half of what is free when a cache is begun; none on a CPU.
struct GpuRoom(usize);

impl GpuRoom {
    fn on(device: Device) -> Self {
        Self(cuda::free_memory(device).unwrap_or(0) / 2)
    }

    /// Takes so many bytes, if they are left.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        // All later batches go elsewhere, however small.
        self.0 = left.unwrap_or(0);
        left.is_some_and(|_| bytes > 0)
    }
}

/// A cached row.
enum Row {
    Memory(Tensor),
    /// `from` counts in elements.
    File {
        from: i64,
        shape: Vec<i64>,
    },
}

/// Stores rows, in memory or in a file.
struct RowStore {
    /// The type that they are stored in.
    kind: Kind,
    file: Option<BufWriter<File>>,
    /// Elements in the file.
    written: i64,
}

impl RowStore {
    fn new(kind: Kind) -> Self {
        Self { kind, file: None, written: 0 }
    }

    fn put(&mut self, row: Tensor, budget: &mut CacheBudget) -> Result<Row> {
        if row.device() != Device::Cpu {
            return Ok(Row::Memory(row));
        }
        let bytes = row.numel() * self.kind.elt_size_in_bytes();
        if let Some(left) = budget.memory.checked_sub(bytes) {
            budget.memory = left;
            return Ok(Row::Memory(row));
        }
        // All later rows go to the file, however small.
        budget.memory = 0;
        let from = self.written;
        self.write(&row, &budget.folder).map_err(Error::io(&budget.folder, "cache features in"))?;
        self.written += row.numel() as i64;
        Ok(Row::File { from, shape: row.size() })
    }

    fn write(&mut self, row: &Tensor, folder: &Path) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(tempfile::tempfile_in(folder)?)),
        };
        let mut bytes = vec![0; row.numel() * self.kind.elt_size_in_bytes()];
        row.f_copy_data_u8(&mut bytes, row.numel()).map_err(io::Error::other)?;
        file.write_all(&bytes)
    }

    /// All elements of the file, mapped: `[N]`.
    fn finish(self, folder: &Path) -> Result<Option<Tensor>> {
        let Some(file) = self.file else { return Ok(None) };
        let map = || {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            // SAFETY: the file has no name, so that nobody else can change it.
            unsafe { MmapOptions::new().map_copy(&file) }
        };
        let map = map().map_err(Error::io(folder, "map cached features in"))?;
        blob::tensor(map, &[self.written], self.kind)
            .map(Some)
            .map_err(|problem| Error::Malformed { path: folder.to_path_buf(), problem })
    }
}
