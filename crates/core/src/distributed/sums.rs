//! Sums of tensors over all processes: what a step sends.

use tch::{Device, Kind, Tensor};

use super::world::World;
use crate::error::Result;
use crate::libtorch::c10d::Work;

/// The largest piece of what is sent at a time, in bytes, as in PyTorch's `DistributedDataParallel`.
const BUCKET: usize = 25 << 20;

/// A matrix of so many bytes is looked at before it is sent: a batch has few of a vocabulary's words, and
/// all other rows of an embedding's gradient are zero.
const TALL: usize = 4 << 20;

impl World {
    /// Replaces tensors, all of one type and device, by their sums over all processes. The new ones are
    /// views of a few large ones, each of which is sent at once, while the next is put together. Of large
    /// matrices in the CPU's memory, only those rows are sent that are not zero in some process.
    ///
    /// # Errors
    /// If another process has gone.
    pub fn sum_all(&self, tensors: &mut [&mut Tensor]) -> Result<()> {
        tch::no_grad(|| {
            let (tall, small): (Vec<_>, Vec<_>) =
                tensors.iter_mut().map(|tensor| &mut **tensor).partition(|tensor| is_tall(tensor));
            let used = self.begin_used_rows(&tall)?;
            // Which rows the others use is said while these are sent.
            let mut begun = self.begin_whole(small)?;
            let (mut whole, mut sparse) = (vec![], vec![]);
            for (at, tensor) in self.used_rows(used)?.into_iter().zip(tall) {
                // Where most rows are used, gathering and scattering them costs more than it saves.
                if 2 * at.size()[0] < tensor.size()[0] {
                    sparse.push((tensor.index_select(0, &at), at, tensor));
                } else {
                    whole.push(tensor);
                }
            }
            whole.extend(sparse.iter_mut().map(|(rows, _, _)| rows));
            begun.extend(self.begin_whole(whole)?);
            begun.into_iter().try_for_each(|bucket| self.finish(bucket))?;
            for (rows, at, tensor) in sparse {
                let _ = tensor.index_copy_(0, &at, &rows);
            }
            Ok(())
        })
    }

    /// Begins to find out of each matrix which rows are not zero in some process.
    fn begin_used_rows(&self, tall: &[&mut Tensor]) -> Result<Option<UsedRows>> {
        // What is not a number is not zero, either. libtorch's norm takes 13 times as long as these two.
        let used = |tensor: &&mut Tensor| {
            let [most, least] =
                [tensor.amax([1].as_slice(), false), tensor.amin([1].as_slice(), false)];
            most.ne(0.).logical_or(&least.ne(0.)).to_kind(Kind::Int)
        };
        let used: Vec<_> = tall.iter().map(used).collect();
        if used.is_empty() {
            return Ok(None);
        }
        let all = Tensor::cat(&used, 0);
        let work = self.done(self.group(&all).all_reduce(&all))?;
        let heights = used.iter().map(|used| used.size()[0]).collect();
        Ok(Some(UsedRows { work, all, heights }))
    }

    /// Where they are.
    fn used_rows(&self, used: Option<UsedRows>) -> Result<Vec<Tensor>> {
        let Some(UsedRows { work, all, heights }) = used else { return Ok(vec![]) };
        self.done(work.wait())?;
        let parts = all.split_with_sizes(&heights, 0);
        Ok(parts.iter().map(|part| part.nonzero().view(-1)).collect())
    }

    fn begin_whole<'t>(&self, tensors: Vec<&'t mut Tensor>) -> Result<Vec<Bucket<'t>>> {
        let mut rest = tensors;
        let mut begun = vec![];
        while !rest.is_empty() {
            let later = rest.split_off(first_bucket(&rest));
            let rows: Vec<Tensor> = rest.iter().map(|t| t.contiguous().view(-1)).collect();
            let flat = Tensor::cat(&rows, 0);
            let work = self.done(self.group(&flat).all_reduce(&flat))?;
            begun.push(Bucket { work, flat, tensors: rest });
            rest = later;
        }
        Ok(begun)
    }

    fn finish(&self, Bucket { work, flat, tensors }: Bucket<'_>) -> Result<()> {
        self.done(work.wait())?;
        let mut from = 0;
        for tensor in tensors {
            let (shape, length) = (tensor.size(), tensor.numel() as i64);
            *tensor = flat.narrow(0, from, length).view(shape.as_slice());
            from += length;
        }
        Ok(())
    }
}

/// How many processes have something in each row of some matrices, of so many rows each: a sum under way.
struct UsedRows {
    work: Work,
    all: Tensor,
    heights: Vec<i64>,
}

/// Tensors whose sums are under way, one behind the other in `flat`.
struct Bucket<'t> {
    work: Work,
    flat: Tensor,
    tensors: Vec<&'t mut Tensor>,
}

/// Whether most rows of a tensor may be zero, and it is worth while to look.
fn is_tall(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && tensor.dim() == 2 && bytes(tensor) >= TALL
}

fn bytes(tensor: &Tensor) -> usize {
    tensor.numel() * tensor.kind().elt_size_in_bytes()
}

/// How many tensors make the first bucket: one at least.
fn first_bucket(tensors: &[&mut Tensor]) -> usize {
    let mut sum = 0;
    let fits = |tensor: &&&mut Tensor| {
        sum += bytes(tensor);
        sum <= BUCKET
    };
    tensors.iter().take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use crate::distributed::environment::{Environment, Launcher};

    use super::*;

    /// The gradients of a process: a vocabulary's, of which it has seen a few words, one without a zero,
    /// and a small one.
    fn gradients(rank: i64) -> [Tensor; 3] {
        let words = Tensor::zeros([20_000, 64], (Kind::Float, Device::Cpu));
        for word in [7, 100 + rank, 19_998 + rank] {
            let _ = words.get(word).fill_((word + rank) as f64);
        }
        let _ = words.get(500 * (1 + rank)).get(3).fill_(f64::NAN);
        let full = Tensor::arange(1100 * 1024, (Kind::Float, Device::Cpu)).view([1100, 1024]);
        assert!(is_tall(&words) && is_tall(&full));
        [words, (full + 1.) * (1. + rank as f64), Tensor::from_slice(&[rank as f32, 1., -2.])]
    }

    #[test]
    fn rows_that_nobody_has_are_not_missed() -> Result<()> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port();
        let of = |rank| Environment {
            rank,
            size: 2,
            local_rank: rank,
            local_size: 2,
            address: "127.0.0.1".into(),
            port,
            agent_store: false,
            restarts: 0,
            launcher: Launcher::Torchrun,
        };
        let process = |rank| {
            let environment = of(rank);
            move || -> Result<_> {
                let world = World::meet(environment, Device::Cpu, |_| ())?;
                let mut own = gradients(rank as i64);
                let used = world.begin_used_rows(&[&mut own[0]])?;
                let used = world.used_rows(used)?;
                world.sum_all(&mut own.iter_mut().collect::<Vec<_>>())?;
                world.leave()?;
                Ok((Vec::<i64>::try_from(&used[0])?, own))
            }
        };
        let both = [thread::spawn(process(0)), thread::spawn(process(1))];
        let [one, other] = [gradients(0), gradients(1)];
        for thread in both {
            let (used, sums): (_, [Tensor; 3]) = thread.join().unwrap()?;
            assert_eq!(used, [7, 100, 101, 500, 1000, 19_998, 19_999]);
            for ((sum, one), other) in sums.iter().zip(&one).zip(&other) {
                assert!(sum.allclose(&(one + other), 0., 0., true));
            }
        }
        Ok(())
    }

    #[test]
    fn buckets_are_full_but_not_more() {
        let mut tensors = [3, BUCKET as i64 / 8, BUCKET as i64 / 8, BUCKET as i64]
            .map(|numbers| Tensor::zeros([numbers], (Kind::Float, Device::Cpu)));
        let mut all: Vec<_> = tensors.iter_mut().collect();
        assert_eq!(first_bucket(&all), 2);
        assert_eq!(first_bucket(&all[3..]), 1, "a large one goes alone");
        all.clear();
    }
}
