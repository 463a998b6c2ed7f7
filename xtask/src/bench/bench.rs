//! The task: the parts that were asked for, one after another.

use anyhow::Result;

use super::options::{Part, parse};
use super::{audio, image, load, processes, serve, text, train};
use crate::setup;

/// Runs the task.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let options = parse(args)?;
    setup::ensure()?;
    for (i, part) in options.parts.iter().enumerate() {
        if i > 0 {
            say!("");
        }
        match part {
            Part::Audio => audio::run(&options)?,
            Part::Load => load::run(&options)?,
            Part::Processes => processes::run(&options)?,
            Part::Serve => serve::run(&options)?,
            Part::Text => text::run(&options)?,
            Part::Train => train::run(&options)?,
            Part::Image => image::run(&options)?,
        }
    }
    Ok(())
}
