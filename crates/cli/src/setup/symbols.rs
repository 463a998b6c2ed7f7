//! The symbols of a transcription that goes on with a source's head.

use anyhow::Result;
use crosstune_core::{Layout, Pretrained, Task, data::Symbols};

use crate::args::{HeadArg, setting};

/// The layout, with the symbols of the source's head where that is kept.
pub(crate) fn with_symbols(layout: Layout, head: HeadArg, source: &Pretrained) -> Result<Layout> {
    if layout.task != Task::Transcription || head != HeadArg::Pretrained {
        return Ok(layout);
    }
    let (Some(names), Some(vocabulary)) = (source.class_names(), source.vocabulary()) else {
        return Ok(layout);
    };
    if layout.symbols.is_some() {
        let problem =
            "the pretrained head has symbols of its own; leave it out, or take a new head";
        return Err(setting("--symbols", problem));
    }
    let symbols = Symbols { names: names.to_vec(), vocabulary: vocabulary.clone() };
    Ok(Layout { symbols: Some(symbols), ..layout })
}
