//! Recordings for a model that transcribes them: heard from end to end, and answered at every position.

use crosstune_core::{BoxError, Error, Input, Origin, Places, Result, Task, Window};
use rayon::prelude::*;
use tch::Tensor;

use crate::{
    features::FrontEnd,
    long::Long,
    published::Adopted,
    sample::{Hearing, open},
    scale::to_vec,
    settings::{AudioSettings, FrameLayout},
    strides::Strides,
};

impl AudioSettings {
    /// [`Modality::set_task`](crosstune_core::Modality::set_task).
    pub(crate) fn prepare_for(&mut self, task: Task) -> Result<()> {
        self.transcribes = task == Task::Transcription;
        if task == Task::Tagging {
            return Err(Error::setting("--task", "recordings have no words to label"));
        }
        if !self.transcribes {
            return Ok(());
        }
        if let Some(Long::Cut | Long::Crop) = self.options.long {
            let problem =
                "a text is that of a whole recording, which is heard in windows; leave it out";
            return Err(Error::setting("--long", problem));
        }
        self.options.long = Some(Long::Windows);
        Ok(())
    }

    /// The most frames that the model takes; `None`: any number.
    pub(crate) fn room(&self) -> Option<usize> {
        match &self.adopted {
            Some(adopted) => adopted.lengths().map(|lengths| *lengths.end()),
            None => self.options.frames.filter(|_| self.embedder == Origin::Pretrained),
        }
    }

    /// How recordings are cut into windows, where every position is answered at.
    pub(crate) fn strides(&self) -> Option<Strides<'_>> {
        let stride = self.adopted.as_ref().and_then(Adopted::stride).unwrap_or(1);
        self.transcribes.then(|| Strides::new(&self.front_end, &self.options, stride))
    }

    /// [`Modality::places`](crosstune_core::Modality::places). Times are those of the file, also where
    /// silence is cut off at its beginning.
    pub(crate) fn moments_of(&self, input: &Input, positions: usize) -> Result<Places, BoxError> {
        let Some(strides) = self.strides() else { return Ok(Places::default()) };
        // It repeats a short recording.
        if let FrontEnd::Clap(_) = self.front_end {
            return Ok(Places::default());
        }
        let rate = f64::from(self.front_end.sample_rate());
        let trimmed = self.hearing().trimmed(input)?;
        let adopted = self.adopted.as_ref();
        let seconds = match (self.layout, adopted.map(Adopted::stride), &self.front_end) {
            // A network of feature maps, or of patches, has as many columns as it leaves.
            (FrameLayout::Picture(_), ..) | (_, Some(None), _) | (.., FrontEnd::Cepstra(_)) => {
                let heard = match &trimmed {
                    Some(heard) => heard.len() as f64 / rate,
                    None => open(input)?.seconds()?,
                };
                heard / positions.max(1) as f64
            }
            _ => strides.seconds(),
        };
        let starts_at = trimmed.map_or(0., |heard| heard.start as f64 / rate);
        Ok(Places { seconds_per_position: Some(seconds), starts_at, ..Places::default() })
    }
}

impl Hearing<'_> {
    /// Of one window, its frames; else all samples, of which [`windows`](Self::windows) are parts.
    pub(crate) fn read_whole(
        &self,
        input: &Input,
        strides: &Strides<'_>,
    ) -> Result<Tensor, BoxError> {
        let samples = self.whole(input)?;
        Ok(match self.takes_frames() && samples.len() <= strides.window() {
            true => self.front_end.compute(samples, self.options.frames()),
            false => Tensor::from_slice(&samples),
        })
    }

    /// A whole training recording: its samples where those vary or are what the model takes, else its
    /// frames.
    pub(crate) fn read_whole_for_training(&self, input: &Input) -> Result<Tensor, BoxError> {
        let samples = self.whole(input)?;
        let (frames, most) = (self.front_end.frames(samples.len()), self.options.frames());
        if frames > most {
            let rate = f64::from(self.front_end.sample_rate());
            let [long, room] =
                [samples.len(), self.front_end.samples(most)].map(|n| n as f64 / rate);
            let mend = match self.room.is_none_or(|room| frames <= room) {
                true => format!("add --frames {frames}"),
                false => "cut it, with its text".into(),
            };
            return Err(format!(
                "{long:.2} s, but a text is learned of a whole recording, and the model takes {room:.2} s \
                 at once: {mend}"
            )
            .into());
        }
        Ok(match self.takes_frames() && !self.options.augment.augments_waves() {
            true => self.front_end.compute(samples, most),
            false => Tensor::from_slice(&samples),
        })
    }

    /// Whether the model takes frames, and not the waveform.
    pub(crate) fn takes_frames(&self) -> bool {
        !matches!(self.front_end, FrontEnd::Waveform(_))
    }

    /// The windows of a recording that was read for a model that transcribes: views of its samples.
    pub(crate) fn windows(&self, sample: &Tensor) -> Vec<Window> {
        let samples = sample.size()[0] as usize;
        let windows = match self.strides.filter(|_| sample.dim() == 1) {
            Some(strides) => strides.windows(samples),
            None => return vec![sample.shallow_clone().into()],
        };
        let view = |(heard, cut): (std::ops::Range<usize>, _)| {
            let x = sample.narrow(0, heard.start as i64, heard.len() as i64);
            Window { cut, ..x.into() }
        };
        windows.into_iter().map(view).collect()
    }

    /// What the model takes of samples or of frames, which are ready: only what is computed at a time is
    /// in memory.
    pub(crate) fn prepared(&self, samples: &[&Tensor]) -> Vec<Tensor> {
        enum Row {
            Ready(Tensor),
            Samples(Vec<f32>),
        }
        let row = |x: &&Tensor| match x.dim() {
            1 => Row::Samples(to_vec(x)),
            _ => Row::Ready(x.shallow_clone()),
        };
        let rows: Vec<Row> = samples.iter().map(row).collect();
        let compute = |row| match row {
            Row::Ready(frames) => frames,
            // Of a waveform, a window ends with the last position's samples or a little later.
            Row::Samples(samples) => {
                let frames = self.front_end.frames(samples.len()) + 1;
                let most = if self.takes_frames() { self.options.frames() } else { frames };
                self.front_end.compute(samples, most)
            }
        };
        rows.into_par_iter().map(compute).collect()
    }
}
