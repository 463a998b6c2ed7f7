//! A file of events.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crosstune_core::{Error, Result};
use prost::Message;

use super::hparams::Session;
use super::proto::{
    Dim, Event, Histogram, Image, Metadata, Of, Plugin, SessionLog, Shape, Summary, Tensor, Value,
    What,
};
use super::record;

/// What the names of event files contain: TensorBoard knows them by it.
const NAME: &str = "tfevents";

/// How old what is not on the disk yet may become.
const FLUSH: Duration = Duration::from_secs(2);

/// Whether a file is called as event files are.
pub(crate) fn is_event_file(name: &str) -> bool {
    name.contains(NAME)
}

/// An event file that is written.
pub(crate) struct Events {
    path: PathBuf,
    out: BufWriter<File>,
    flushed: Instant,
    /// The time of the events, instead of the clock's.
    #[cfg(test)]
    now: Option<f64>,
}

impl Events {
    /// Begins a file in a folder, which is made if it is not there. `purge`: what other files of the folder
    /// have from this step on is of a training that was gone back on, and TensorBoard drops it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn create(folder: &Path, purge: Option<i64>) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        let (seconds, process) = (now() as u64, std::process::id());
        // Those of one folder are read in the order of their names.
        let name = |at| format!("events.out.{NAME}.{seconds:010}.crosstune.{process}.{at}");
        let mut at = 0;
        let (path, file) = loop {
            let path = folder.join(name(at));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break (path, file),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => at += 1,
                Err(e) => return Err(Error::io(&path, "create")(e)),
            }
        };
        let mut events = Self {
            path,
            out: BufWriter::new(file),
            flushed: Instant::now(),
            #[cfg(test)]
            now: None,
        };
        events.begin(purge)?;
        events.flush()?;
        Ok(events)
    }

    fn begin(&mut self, purge: Option<i64>) -> Result<()> {
        let step = purge.unwrap_or_default();
        self.event(step, What::FileVersion("brain.Event:2".into()))?;
        if purge.is_some() {
            self.event(step, What::SessionLog(SessionLog { status: 1 }))?;
        }
        Ok(())
    }

    /// Adds numbers of a step, each with its tag.
    ///
    /// # Errors
    /// If they cannot be written, as below.
    pub(crate) fn scalars(&mut self, step: i64, scalars: &[(&str, f64)]) -> Result<()> {
        let value = |&(tag, value): &(&str, f64)| Value {
            tag: tag.into(),
            of: Some(Of::Simple(value as f32)),
            metadata: None,
        };
        self.summary(step, scalars.iter().map(value).collect())
    }

    /// Adds a picture: a PNG file of red, green and blue.
    pub(crate) fn image(&mut self, step: i64, tag: &str, png: Vec<u8>) -> Result<()> {
        let (width, height) = size(&png);
        let of = Of::Image(Image { height, width, colorspace: 3, encoded: png });
        self.summary(step, vec![Value { tag: tag.into(), of: Some(of), metadata: None }])
    }

    /// Adds a histogram.
    pub(crate) fn histogram(&mut self, step: i64, tag: &str, of: Histogram) -> Result<()> {
        let of = Some(Of::Histogram(of));
        self.summary(step, vec![Value { tag: tag.into(), of, metadata: None }])
    }

    /// Adds a text in Markdown.
    pub(crate) fn text(&mut self, step: i64, tag: &str, text: &str) -> Result<()> {
        let of = Tensor {
            dtype: 7,
            shape: Some(Shape { dim: vec![Dim { size: 1 }] }),
            strings: vec![text.as_bytes().to_vec()],
        };
        let tag = format!("{tag}/text_summary");
        let metadata = metadata("text", vec![]);
        self.summary(step, vec![Value { tag, of: Some(Of::Tensor(of)), metadata }])
    }

    /// Adds the options of a run, for the table of runs.
    pub(crate) fn session(&mut self, session: &Session<'_>) -> Result<()> {
        for (tag, content) in session.started(self.now()) {
            self.hparams(tag, content)?;
        }
        Ok(())
    }

    /// Says there that the run has ended.
    pub(crate) fn end_session(&mut self, well: bool) -> Result<()> {
        let (tag, content) = Session::ended(self.now(), well);
        self.hparams(tag, content)
    }

    fn hparams(&mut self, tag: &str, content: Vec<u8>) -> Result<()> {
        let metadata = metadata("hparams", content);
        self.summary(0, vec![Value { tag: tag.into(), of: None, metadata }])
    }

    fn summary(&mut self, step: i64, value: Vec<Value>) -> Result<()> {
        self.event(step, What::Summary(Summary { value }))?;
        if self.flushed.elapsed() > FLUSH {
            self.flush()?;
        }
        Ok(())
    }

    fn event(&mut self, step: i64, what: What) -> Result<()> {
        let event = Event { wall_time: self.now(), step, what: Some(what) };
        record::write(&mut self.out, &event.encode_to_vec()).map_err(Error::io(&self.path, "write"))
    }

    /// Writes what is not on the disk yet.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.flushed = Instant::now();
        self.out.flush().map_err(Error::io(&self.path, "write"))
    }

    #[cfg(not(test))]
    fn now(&self) -> f64 {
        now()
    }

    #[cfg(test)]
    fn now(&self) -> f64 {
        self.now.unwrap_or_else(now)
    }
}

/// The width and the height of a PNG file, which stand at its beginning.
fn size(png: &[u8]) -> (i32, i32) {
    let at = |from: usize| png.get(from..from + 4)?.try_into().ok().map(i32::from_be_bytes);
    (at(16).unwrap_or_default(), at(20).unwrap_or_default())
}

/// Which page of TensorBoard a value is for.
fn metadata(plugin: &str, content: Vec<u8>) -> Option<Metadata> {
    Some(Metadata { plugin: Some(Plugin { name: plugin.into(), content }) })
}

/// In seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests;
