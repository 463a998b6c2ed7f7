//! The threads that compute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crosstune_core::{Error, Modality, Result};

use crate::engine;
use crate::job::Job;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::queue::Queue;

/// Starts the workers. They end when the queue is closed and empty.
///
/// # Errors
/// If the system has no more threads.
pub(crate) fn start<M: Modality>(
    options: &Options,
    queue: &Arc<Queue<M>>,
    metrics: &Arc<Metrics>,
) -> Result<Vec<JoinHandle<()>>> {
    // Who reads inputs has its own core: in the threads of rayon, libtorch takes no others.
    rayon::broadcast(|_| compute_with(1));
    let threads = options.threads.get() as i32;
    let worker = |at: usize| {
        let (queue, metrics) = (queue.clone(), metrics.clone());
        let work = move || {
            compute_with(threads);
            work(&queue, &metrics);
        };
        let named = thread::Builder::new().name(format!("model-{at}"));
        named.spawn(work).map_err(Error::io("a thread", "start"))
    };
    (0..options.workers.get()).map(worker).collect()
}

/// Gives libtorch so many threads for what this thread computes.
pub(crate) fn compute_with(threads: i32) {
    // How many it has, a thread decides when it first asks, by what any thread has set last; only what it
    // sets after that is its own.
    let _ = tch::get_num_threads();
    tch::set_num_threads(threads);
}

fn work<M: Modality>(queue: &Queue<M>, metrics: &Metrics) {
    while let Some(jobs) = queue.take() {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for job in &jobs {
            *counts.entry(&job.version.name).or_default() += 1;
        }
        counts.into_iter().for_each(|(model, inputs)| metrics.batch(model, inputs));
        let said = engine::answer(&jobs);
        for (Job { asked, reply, .. }, said) in jobs.into_iter().zip(said) {
            // Whoever asked may have gone.
            let _ = reply.send(said.map(|said| (asked, said)));
        }
    }
}
