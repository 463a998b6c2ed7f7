//! How much of a recording a model takes, and whether there is anything in it.

use crosstune_core::{
    BoxError, Input,
    data::{Coverage, Extent},
};

use crate::{
    features::Padding,
    long::Long,
    sample::{Hearing, open},
};

/// The loudest that rounding to 16 bits leaves of silence.
const SILENT: f32 = 2. / 32768.;

/// What is odd about a recording that can be read: silence.
pub(crate) fn oddity(input: &Input) -> Result<Option<String>, BoxError> {
    let recording = open(input)?;
    let channels = recording.channels();
    let silent = recording.read(usize::MAX)?.iter().all(|x| x.abs() <= SILENT);
    Ok(silent.then(|| match channels {
        Some(several @ 2..) => {
            format!("silence, as the mean of its {several} channels; they may cancel each other")
        }
        _ => "silence".into(),
    }))
}

impl Hearing<'_> {
    /// How long a recording is, and how much of it is taken, in seconds.
    pub(crate) fn extent(&self, input: &Input) -> Result<Extent, BoxError> {
        let rate = f64::from(self.front_end.sample_rate());
        let samples = match self.options.trim_db {
            None => (open(input)?.seconds()? * rate).ceil() as usize,
            // Only the samples tell what is trimmed.
            Some(_) => self.whole(input)?.len(),
        };
        let frames = self.options.frames();
        let at_once = self.front_end.samples(frames);
        // What is less than a frame longer is not.
        let longer = self.front_end.frames(samples) > frames;
        let samples = if longer { samples } else { samples.min(at_once) };
        let taken = match self.options.long() {
            Long::Windows => samples,
            Long::Cut | Long::Crop => samples.min(at_once),
        };
        // In windows whose answers are joined, all of it is one.
        let at_once = if self.strides.is_some() { samples.max(at_once) } else { at_once };
        let [whole, taken, at_once] = [samples, taken, at_once].map(|n| n as f64 / rate);
        Ok(Extent { whole, taken, at_once })
    }

    /// The option for a fraction of the cost, where recordings are padded to a multiple of their
    /// length. The model takes at least `fewest` frames.
    pub(crate) fn take_less(&self, coverage: &Coverage, fewest: usize) -> Option<String> {
        let rate = f64::from(self.front_end.sample_rate());
        let shorter = |seconds: f64, which: &str| {
            let samples = (seconds * rate).ceil() as usize;
            let frames = self.front_end.frames(samples).max(fewest);
            let less = self.options.frames() / frames.max(1);
            let told = || format!("--frames {frames} holds {which} at about 1/{less} of the cost");
            (less > 1).then(told)
        };
        let &Coverage { longest, usual, .. } = coverage;
        let full = self.front_end.padding() == Padding::Full;
        let options = || shorter(longest, "all").or_else(|| shorter(usual, "95 % of them"));
        full.then(options).flatten()
    }
}
