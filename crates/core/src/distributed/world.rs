//! All processes of a training, as one of them sees them.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::address::{hostname, local_address};
use super::environment::Environment;
use super::heartbeat::{Heartbeat, LOST};
use super::words::{MEETING, NAMING, distributed, failed, lost, named, plain, store_gone, unmet};
use crate::error::{Error, Result};
use crate::libtorch::c10d::{ProcessGroup, Server, Store, Work};

/// How long a collective waits for the slowest: PyTorch's own. Who is lost is found sooner, by the
/// [`Heartbeat`].
const COLLECTIVE: Duration = Duration::from_secs(30 * 60);

/// All processes of a training, as one of them speaks to them. All call the same functions in the same
/// order.
#[derive(Debug)]
pub struct World {
    environment: Environment,
    /// For tensors in the CPU's memory.
    gloo: ProcessGroup,
    /// For tensors on the GPU, if that is where the model is.
    nccl: Option<ProcessGroup>,
    store: Store,
    heartbeat: Heartbeat,
    absent: AtomicBool,
    /// Why a sum failed where nobody could be told.
    broken: OnceLock<String>,
    /// Serves the store, where this process does.
    _served: Store,
}

/// A sum under way.
#[derive(Debug)]
pub(crate) struct Sum<'w> {
    world: &'w World,
    work: Work,
    sums: Tensor,
}

impl Sum<'_> {
    /// Waits until it is done.
    pub(crate) fn wait(self) -> Result<Vec<f64>> {
        self.world.done(self.work.wait())?;
        Ok(Vec::try_from(self.sums)?)
    }
}

static WORLD: OnceLock<World> = OnceLock::new();

/// The processes that this one has [joined]; `None`: it is alone.
///
/// [joined]: join
pub fn world() -> Option<&'static World> {
    WORLD.get()
}

/// The same, if there are others indeed.
pub fn several() -> Option<&'static World> {
    world().filter(|world| world.size() > 1)
}

/// Meets the other processes, once and for the whole life of this one, to train on a device. `gone` is
/// told, on another thread, of a process that no longer answers; it should end this one, which may wait
/// for the other in vain for half an hour.
///
/// # Errors
/// If they do not come, or if there is no way to speak to them.
pub fn join(
    environment: Environment,
    device: Device,
    gone: impl FnOnce(Error) + Send + 'static,
) -> Result<&'static World> {
    let world = World::meet(environment, device, gone)?;
    if WORLD.set(world).is_err() {
        return Err(distributed("this process has joined others already"));
    }
    WORLD.get().ok_or_else(|| distributed("nobody was joined"))
}

impl World {
    pub(super) fn meet(
        environment: Environment,
        device: Device,
        gone: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Self> {
        let Environment { rank, size, ref address, port, agent_store, .. } = environment;
        let server = match (agent_store, rank) {
            // The launcher knows who comes.
            (true, _) => Server::Elsewhere(0),
            (false, 0) => Server::Here(size),
            (false, _) => Server::Elsewhere(size),
        };
        let place = format!("{address}:{port}");
        let opened = Store::open(address, port, server, MEETING);
        let (served, _) = opened.map_err(|problem| unmet(&place, server, &problem))?;
        let because = |what: &'static str| {
            move |problem: String| distributed(format!("{what}: {}", plain(&problem)))
        };
        // A launcher's store serves all attempts, and its own affairs; PyTorch's name.
        let prefix = format!("/worker/attempt_{}", environment.restarts);
        let store = served.part(&prefix).map_err(because("the store fails"))?;
        let who = format!("on {}, process {}", hostname(), process::id());
        store.set(&format!("who/{rank}"), who.as_bytes()).map_err(because("the store fails"))?;
        let listens = local_address(&environment);
        let part = store.part("gloo").map_err(because("the store fails"))?;
        let gloo = ProcessGroup::gloo(&part, [rank, size], listens.as_deref(), COLLECTIVE)
            .map_err(because("not all processes can be reached"))?;
        let nccl = match device {
            Device::Cuda(_) => {
                let part = store.part("nccl").map_err(because("the store fails"))?;
                let made = ProcessGroup::nccl(&part, [rank, size], COLLECTIVE);
                Some(made.map_err(because("NCCL cannot be used"))?)
            }
            _ => None,
        };
        let own = store.again().map_err(because("the store fails"))?;
        let who = store.again().map_err(because("the store fails"))?;
        let heartbeat = Heartbeat::start(own, [rank, size], move |found| {
            gone(match found {
                Some(other) => {
                    lost(format!("{} has not answered for {LOST} seconds", named(&who, other)))
                }
                None => store_gone(&place),
            });
        });
        let absent = AtomicBool::new(false);
        let broken = OnceLock::new();
        Ok(Self { environment, gloo, nccl, store, heartbeat, absent, broken, _served: served })
    }

    /// This process's number, from 0.
    pub fn rank(&self) -> usize {
        self.environment.rank
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.environment.size
    }

    /// Whether this one writes and speaks for all.
    pub fn is_first(&self) -> bool {
        self.environment.rank == 0
    }

    /// How the launcher sees it.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Whether this process has no part in the present batch, but computes along with some sample, so that
    /// all do the same: what it adds to sums is nothing.
    pub fn is_absent(&self) -> bool {
        self.absent.load(Ordering::Relaxed)
    }

    /// Says whether it has.
    pub(crate) fn set_absent(&self, absent: bool) {
        self.absent.store(absent, Ordering::Relaxed);
    }

    /// The sums over all processes of a few numbers.
    ///
    /// # Errors
    /// If another process has gone; likewise of all that follow.
    pub fn sum(&self, numbers: &[f64]) -> Result<Vec<f64>> {
        self.begin_sum(numbers)?.wait()
    }

    /// Begins such a sum: what is computed before it is waited for hides how long it takes.
    pub(crate) fn begin_sum(&self, numbers: &[f64]) -> Result<Sum<'_>> {
        let sums = Tensor::from_slice(numbers);
        let work = self.done(self.gloo.all_reduce(&sums))?;
        Ok(Sum { world: self, work, sums })
    }

    /// The sum of a tensor over all processes, through which gradients flow. Where another process has
    /// gone, it is the tensor itself, and whatever is asked of all next is an error.
    pub(crate) fn sum_through(&'static self, tensor: &Tensor) -> Tensor {
        if self.broken.get().is_none() {
            match self.group(tensor).sum(tensor) {
                Ok(sum) => return sum,
                Err(problem) => drop(self.broken.set(problem)),
            }
        }
        tensor.shallow_clone()
    }

    /// Gives tensors the values that they have in the first process.
    pub fn broadcast(&self, tensors: &mut [&mut Tensor]) -> Result<()> {
        tch::no_grad(|| {
            for tensor in tensors {
                let sent = tensor.detach().contiguous();
                self.done(self.group(&sent).broadcast(&sent, 0).and_then(|work| work.wait()))?;
                if !self.is_first() {
                    tensor.copy_(&sent);
                }
            }
            Ok(())
        })
    }

    /// What each process hands in, by rank.
    pub fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lengths = self.rows(&Tensor::from_slice(&[bytes.len() as i64]))?;
        let lengths = Vec::<i64>::try_from(lengths.view(-1))?;
        let longest = lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut padded = bytes.to_vec();
        padded.resize(longest as usize, 0);
        let rows = self.rows(&Tensor::from_slice(&padded))?;
        let row = |(at, length): (usize, i64)| -> Result<Vec<u8>> {
            Ok(Vec::try_from(rows.get(at as i64).narrow(0, 0, length))?)
        };
        lengths.into_iter().enumerate().map(row).collect()
    }

    /// Bytes `[N]` of each process, as many as `lengths` tells of each; where it has none, `None`.
    pub(crate) fn gather_bytes(
        &self,
        bytes: Option<&Tensor>,
        lengths: &[i64],
    ) -> Result<Vec<Tensor>> {
        let longest = lengths.iter().copied().max().unwrap_or(0).max(1);
        let padded = Tensor::zeros([longest], (Kind::Uint8, Device::Cpu));
        if let Some(bytes) = bytes {
            padded.narrow(0, 0, bytes.size()[0]).copy_(bytes);
        }
        let rows = self.rows(&padded)?;
        let row = |(at, &length): (usize, &i64)| rows.get(at as i64).narrow(0, 0, length);
        Ok(lengths.iter().enumerate().map(row).collect())
    }

    /// A tensor `[N]` of each process, `[processes, N]`.
    fn rows(&self, tensor: &Tensor) -> Result<Tensor> {
        let shape = [self.size() as i64, tensor.size()[0]];
        let all = Tensor::zeros(shape, (tensor.kind(), Device::Cpu));
        self.done(self.gloo.all_gather(tensor, &all).and_then(|work| work.wait()))?;
        Ok(all)
    }

    /// Checks that all processes say the same.
    ///
    /// # Errors
    /// If one does not: the first such, with what it says and `problem`.
    pub fn check_same(&self, said: &str, problem: &str) -> Result<()> {
        let all = self.gather(said.as_bytes())?;
        match all.iter().position(|other| *other != all[0]) {
            None => Ok(()),
            Some(other) => Err(distributed(format!(
                "{problem}: rank 0 has {}, rank {other} has {}",
                String::from_utf8_lossy(&all[0]),
                String::from_utf8_lossy(&all[other])
            ))),
        }
    }

    /// Waits until all are done, and blames nobody who ends from now on.
    pub fn leave(&self) -> Result<()> {
        self.sum(&[1.])?;
        self.heartbeat.stop();
        // Whoever ends while another still listens to it may cut off its last words.
        let left = |rank| format!("left/{rank}");
        let _ = self.store.set(&left(self.rank()), b"left");
        for rank in 0..self.size() {
            let _ = self.store.get(&left(rank), NAMING);
        }
        Ok(())
    }

    /// Tells the others why this process ends: an error of its own.
    pub fn fail(&self, why: &str) {
        // They find out in any case that it has gone.
        let _ = self.store.set(&failed(self.rank()), why.as_bytes());
    }

    pub(super) fn group(&self, tensor: &Tensor) -> &ProcessGroup {
        match (tensor.device(), &self.nccl) {
            (Device::Cuda(_), Some(nccl)) => nccl,
            _ => &self.gloo,
        }
    }

    pub(super) fn done<T>(&self, result: Result<T, String>) -> Result<T> {
        match self.broken.get() {
            Some(problem) => Err(self.explain(problem)),
            None => result.map_err(|problem| self.explain(&problem)),
        }
    }

    /// Why a collective has failed: who has gone, if that can be found out.
    pub fn explain(&self, problem: &str) -> Error {
        let (begun, others) = (Instant::now(), 0..self.size());
        while begun.elapsed() < NAMING {
            for other in others.clone().filter(|&other| other != self.rank()) {
                match self.store.has(&failed(other)) {
                    Ok(false) => {}
                    Ok(true) => {
                        let why = self.store.get(&failed(other), NAMING).unwrap_or_default();
                        let why = String::from_utf8_lossy(&why).into_owned();
                        return lost(format!("rank {other} has failed: {why}"));
                    }
                    Err(_) => {
                        let Environment { address, port, .. } = &self.environment;
                        return store_gone(&format!("{address}:{port}"));
                    }
                }
            }
            if let Some(other) = self.heartbeat.silent() {
                return lost(format!("{} has gone", named(&self.store, other)));
            }
            thread::sleep(Duration::from_millis(100));
        }
        lost(format!("the processes can no longer speak: {}", plain(problem)))
    }
}
