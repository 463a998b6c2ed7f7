//! Run folders: everything that a fine-tuned model consists of.
//!
//! | file | holds |
//! |---|---|
//! | `spec.json` | the architecture ([`Spec`](crate::spec::Spec)) |
//! | `labels.json` | the classes, in the order of the logits |
//! | `model.safetensors` | the parameters, under our names |
//! | `preprocessing.json` | the modality's settings; `tokenizer.json` beside it for text |
//! | `metrics.jsonl` | a line per epoch ([`EpochRecord`](crate::train::EpochRecord)) |
//! | `calibration.json` | what was fitted on the validation split, if anything was ([`Calibration`](crate::task::Calibration)) |
//! | `result.json` | options, counts, the final evaluation |

mod claim;
mod open;
mod work;
mod writer;

pub use open::{open, open_in, open_shared};
pub use work::WorkFolder;
pub use writer::{RESULT, RunWriter, Unfinished, unfinished};
