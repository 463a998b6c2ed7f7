//! When it is time for a checkpoint.

use std::time::Instant;

use super::checkpoints::Checkpoints;
use super::every::CheckpointEvery;

/// What has happened since the last checkpoint.
#[derive(Debug)]
pub(in crate::train) struct Pace {
    steps: usize,
    epochs: usize,
    since: Instant,
}

/// What a training does after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::train) enum Turn {
    /// Go on.
    GoOn,
    /// Go on after a checkpoint.
    Save,
    /// End with a checkpoint.
    Stop,
}

impl Pace {
    /// Nothing has happened yet.
    pub(in crate::train) fn new() -> Self {
        Self { steps: 0, epochs: 0, since: Instant::now() }
    }

    /// A step was done. What happens next, if a checkpoint can be made now.
    pub(in crate::train) fn step(&mut self, checkpoints: &Checkpoints<'_>) -> Turn {
        self.steps += 1;
        self.turn(checkpoints)
    }

    /// The same of an epoch.
    pub(in crate::train) fn epoch(&mut self, checkpoints: &Checkpoints<'_>) -> Turn {
        self.epochs += 1;
        self.turn(checkpoints)
    }

    fn turn(&mut self, checkpoints: &Checkpoints<'_>) -> Turn {
        let due = match checkpoints.how_often() {
            CheckpointEvery::Steps(steps) => self.steps >= steps,
            CheckpointEvery::Epochs(epochs) => self.epochs >= epochs,
            CheckpointEvery::Time(time) => self.since.elapsed() >= time,
            CheckpointEvery::Never => false,
        };
        match checkpoints.is_stop_asked() {
            true => Turn::Stop,
            false if due => Turn::Save,
            false => Turn::GoOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_time_after_steps_epochs_or_minutes_and_when_asked() {
        let stop = Cell::new(false);
        let checkpoints = |every| Checkpoints::new("none").every(every).stop_when(|| stop.get());
        let (mut pace, steps) = (Pace::new(), checkpoints(CheckpointEvery::Steps(2)));
        assert_eq!((pace.step(&steps), pace.step(&steps)), (Turn::GoOn, Turn::Save));
        let (mut pace, epochs) = (Pace::new(), checkpoints(CheckpointEvery::Epochs(1)));
        assert_eq!((pace.step(&epochs), pace.epoch(&epochs)), (Turn::GoOn, Turn::Save));
        let soon = checkpoints(CheckpointEvery::Time(Duration::ZERO));
        assert_eq!(Pace::new().step(&soon), Turn::Save);
        let never = checkpoints(CheckpointEvery::Never);
        assert_eq!(Pace::new().epoch(&never), Turn::GoOn);
        stop.set(true);
        assert_eq!(Pace::new().step(&never), Turn::Stop);
    }
}
