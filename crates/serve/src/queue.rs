//! Inputs that were read and wait for a model.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crosstune_core::Modality;

use crate::batch;
use crate::engine;
use crate::job::Job;
use crate::options::Options;
use crate::refusal::Refusal;

/// All that wait.
pub(crate) struct Queue<M> {
    state: Mutex<State<M>>,
    changed: Condvar,
    max_batch: usize,
    max_wait: Duration,
    max_queue: usize,
}

struct State<M> {
    waiting: VecDeque<Job<M>>,
    /// How many inputs are being read, wait or are answered.
    admitted: usize,
    /// How many are being read, and will wait soon.
    reading: usize,
    /// How many workers have nothing to do.
    idle: usize,
    /// No more will come.
    closed: bool,
}

impl<M: Modality> Queue<M> {
    pub(crate) fn new(options: &Options) -> Self {
        let state =
            State { waiting: VecDeque::new(), admitted: 0, reading: 0, idle: 0, closed: false };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            max_batch: options.max_batch.get(),
            max_wait: options.max_wait,
            max_queue: options.max_queue.get(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many inputs are being read, wait or are answered.
    pub(crate) fn length(&self) -> usize {
        self.lock().admitted
    }

    /// Room for so many inputs.
    ///
    /// # Errors
    /// If there is none now, or never will be.
    pub(crate) fn admit(self: &Arc<Self>, inputs: usize) -> Result<Admitted<M>, Refusal> {
        let mut state = self.lock();
        if inputs > self.max_queue {
            let most = self.max_queue;
            let problem = format!("more than {most} inputs in a request; ask in parts");
            return Err(Refusal::large(problem));
        }
        if state.admitted + inputs > self.max_queue {
            return Err(Refusal::queue_full());
        }
        state.admitted += inputs;
        Ok(Admitted { queue: self.clone(), inputs })
    }

    /// Tells that an input is being read.
    pub(crate) fn reading(self: &Arc<Self>) -> Reading<M> {
        self.lock().reading += 1;
        Reading { queue: self.clone() }
    }

    /// Puts in what was read.
    pub(crate) fn push(&self, job: Job<M>) {
        self.lock().waiting.push_back(job);
        self.changed.notify_one();
    }

    /// Some that are answered together, for one of several workers; it waits for them. `None`: no more
    /// will come.
    pub(crate) fn take(&self) -> Option<Vec<Job<M>>> {
        let mut state = self.lock();
        loop {
            state.waiting.retain(|job| !job.reply.is_closed());
            let Some(first) = state.waiting.front() else {
                if state.closed {
                    return None;
                }
                state.idle += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let waited = first.arrived.elapsed();
            let alike = |&(_, job): &(usize, &Job<M>)| engine::go_together(first, job);
            let alike = state.waiting.iter().enumerate().filter(alike);
            let (places, lengths): (Vec<usize>, Vec<usize>) =
                alike.map(|(at, job)| (at, job.asked.length())).unzip();
            let more_will_come = state.reading > 0 && !state.closed;
            if places.len() < self.max_batch && more_will_come && waited < self.max_wait {
                let rest = self.max_wait - waited;
                let woken = self.changed.wait_timeout(state, rest);
                state = woken.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            // Those who have nothing to do take their part.
            let most = self.max_batch.min(places.len().div_ceil(state.idle + 1));
            let mut chosen: Vec<usize> =
                batch::choose(&lengths, most).into_iter().map(|at| places[at]).collect();
            // From the last, so that the places of the others stay.
            chosen.sort_unstable();
            let jobs = chosen.iter().rev().filter_map(|&at| state.waiting.remove(at)).collect();
            if !state.waiting.is_empty() {
                self.changed.notify_one();
            }
            return Some(jobs);
        }
    }

    /// No more will come: workers end when nothing waits.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// Room for inputs, until it is dropped. Those of them that wait then leave the queue: nobody is there to
/// hear their answers.
pub(crate) struct Admitted<M: Modality> {
    queue: Arc<Queue<M>>,
    inputs: usize,
}

impl<M: Modality> Drop for Admitted<M> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.admitted -= self.inputs;
        state.waiting.retain(|job| !job.reply.is_closed());
    }
}

/// An input is being read, until this is dropped.
pub(crate) struct Reading<M: Modality> {
    queue: Arc<Queue<M>>,
}

impl<M: Modality> Drop for Reading<M> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.reading -= 1;
        if state.reading == 0 {
            self.queue.changed.notify_all();
        }
    }
}
