//! Inputs in the units of people, words, pixels and seconds: what an explanation of an answer is told in,
//! and what an input is compared with.

use std::fmt;
use std::ops::Range;

use tch::Tensor;

use crate::data::Input;
use crate::error::BoxError;
use crate::nn::Batch;

/// What stands for an input that says nothing, in the place of which the input itself changes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// Padding in the place of every token of the text, in the same positions and between the same special
    /// tokens (Captum's tutorial on BERT). Of a model without a tokenizer, spaces.
    Padding,
    /// A black picture (Sundararajan et al. 2017, §6).
    Black,
    /// Every pixel, or every moment, is the mean: of a picture that of the training set, as a grey
    /// square is (Zeiler and Fergus 2014, §4.2); of a recording its own spectrum.
    Mean,
    /// The same picture, blurred until no detail is left (Fong and Vedaldi 2017, §4.3).
    Blurred,
    /// A recording of silence.
    Silence,
    /// Zeros where the embedder's output is: no input at all, and none that the model has seen.
    Zero,
}

impl Baseline {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Padding, Self::Black, Self::Mean, Self::Blurred, Self::Silence, Self::Zero];

    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Padding => "padding",
            Self::Black => "black",
            Self::Mean => "mean",
            Self::Blurred => "blurred",
            Self::Silence => "silence",
            Self::Zero => "zero",
        }
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a modality knows of its inputs beyond what a model is told.
pub trait Units {
    /// The baselines that inputs have, but for [`Baseline::Zero`]: first that of a path to the input, at
    /// least one.
    fn baselines(&self) -> &'static [Baseline];

    /// What covers a part of an input.
    fn cover(&self) -> Baseline {
        self.baselines()[0]
    }

    /// A batch `[B, …]` of the same shape, type and mask, whose rows are the baseline of those of `batch`.
    /// That was made of `samples`, the windows of `input`. What is padding stays as it is.
    ///
    /// # Errors
    /// If the input has no such baseline.
    fn baseline(
        &self,
        input: &Input,
        samples: &[&Tensor],
        batch: &Batch,
        baseline: Baseline,
    ) -> Result<Batch, BoxError>;

    /// What there is to be seen of the rows of a batch, which was made of `samples`, the windows of
    /// `input`.
    ///
    /// # Errors
    /// If the input cannot be read.
    fn surface(
        &self,
        input: &Input,
        samples: &[&Tensor],
        batch: &Batch,
    ) -> Result<Surface, BoxError>;
}

/// What there is to be seen of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Surface {
    /// A text.
    Words {
        /// All of it; two texts have a tab between them.
        text: String,
        /// Where each word is in it, in characters, in order.
        words: Vec<Range<usize>>,
        /// Of each row of the batch, the word that each of its positions is of; `None`: of none.
        positions: Vec<Vec<Option<usize>>>,
    },
    /// A picture, as the model is shown it.
    Picture(Pixels),
    /// A recording, as the model hears it.
    Recording {
        /// Its spectrogram: time from left to right, the lowest band in the last row.
        spectrogram: Pixels,
        /// The length of what is drawn.
        seconds: f64,
        /// Of each row of the batch, when it begins, in seconds.
        starts: Vec<f64>,
        /// Of each row, how many frames or samples hold data.
        lengths: Vec<i64>,
        /// From one frame or sample of the batch to the next, in seconds.
        step: f64,
    },
}

/// A picture: rows of pixels from the top, three bytes each (red, green, blue).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// `3 * width * height` bytes.
    pub rgb: Vec<u8>,
}
