//! A pretrained source: a checkpoint, a run folder or an architecture.

use std::path::{Path, PathBuf};

use super::config::Config;
use super::family::PretrainedConfig;
use super::own;
use super::own::Kind;
use super::symbols;
use crate::error::{Error, Result};
use crate::files::is_there;
use crate::nn::Pool;
use crate::task::{Task, Vocabulary};
use crate::weights::adapter::{adapter_base, adapter_folder, adapter_is_for_tokens};
use crate::weights::{Adapter, CONFIG, Checkpoint, WeightSource};

/// A checkpoint whose family is known; or the model of a run folder, to be put to another task; or
/// an architecture without weights, to be trained from the start.
#[derive(Debug)]
pub struct Pretrained {
    checkpoint: Checkpoint,
    config: PretrainedConfig,
    kind: Kind,
    adapter: Option<Adapter>,
    vocabulary: Option<Vocabulary>,
}

/// What a person says of a source, beside where it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceOptions<'o> {
    /// The family, where it is not recognised.
    pub family: Option<&'o str>,
    /// The key below which a file has the weights that are meant, where it has several: raw and
    /// averaged.
    pub weights_key: Option<&'o str>,
    /// The model that an adapter of PEFT belongs to; `None`: the one that it names.
    pub base: Option<&'o Path>,
}

impl Pretrained {
    /// Opens a checkpoint: a file or a folder, as [`Checkpoint::open`]; with the feature `hub` also
    /// `hf://org/name[@revision][/file]`, which is fetched first. The family is recognised by the
    /// `config.json` beside it or, where there is none, by the names and shapes of the tensors.
    ///
    /// A run folder of ours ([`run`](crate::run)) is opened as what its model is now. A JSON file,
    /// or a folder with nothing but a `config.json`, has no weights: it says how a model is built,
    /// as transformers does or by a `trunk` of ours.
    ///
    /// A folder of PEFT with a LoRA adapter is the model that it adapts, with its products added to
    /// the weights and what was trained in full in its place.
    ///
    /// # Errors
    /// If a file is missing or broken, if the family is not known, or if a model cannot be fetched.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_as(path, None)
    }

    /// The same, of a family that the caller names.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if there is no family of that name.
    pub fn open_as(path: impl AsRef<Path>, family: Option<&str>) -> Result<Self> {
        Self::open_with(path, SourceOptions { family, ..SourceOptions::default() })
    }

    /// The same, with all that can be said of a source.
    ///
    /// # Errors
    /// As [`open_as`](Self::open_as), if a file has no such key, and if a base is named for what is no
    /// adapter.
    pub fn open_with(path: impl AsRef<Path>, options: SourceOptions<'_>) -> Result<Self> {
        let path = local(path.as_ref())?;
        if let Some(folder) = adapter_folder(&path) {
            return Self::adapted(&folder, options);
        }
        if options.base.is_some() {
            let problem = format!(
                "{} is no adapter of PEFT, and needs no base; leave it out",
                path.display()
            );
            return Err(Error::setting("--base", problem));
        }
        let family = options.family;
        if let Some(source) = Self::architecture(&path, family)? {
            return Ok(source);
        }
        let checkpoint = Checkpoint::open_below(path, options.weights_key)?;
        let Some(spec) = own::run_of(&checkpoint)? else {
            let mut config = PretrainedConfig::of(&checkpoint, family)?;
            let vocabulary = symbols::of(&mut config, &checkpoint)?;
            let kind = Kind::Published;
            return Ok(Self { checkpoint, config, kind, adapter: None, vocabulary });
        };
        if let Some(name) = family.filter(|name| *name != spec.family) {
            let folder = checkpoint.folder().display();
            let problem = format!(
                "{name}, but {folder} is a run of the family {}; leave it out",
                spec.family
            );
            return Err(Error::setting("--family", problem));
        }
        let (config, vocabulary) = (PretrainedConfig::of_run(&spec), spec.vocabulary.clone());
        let kind = Kind::Run(Box::new(spec));
        Ok(Self { checkpoint, config, kind, adapter: None, vocabulary })
    }

    /// An architecture without weights, if the path is one: a JSON file, or a folder with a
    /// `config.json` and no checkpoint.
    ///
    /// # Errors
    /// As [`open_as`](Self::open_as).
    pub fn architecture(path: &Path, family: Option<&str>) -> Result<Option<Self>> {
        let Some(path) = own::architecture(path) else { return Ok(None) };
        let config = Config::open(&path)?;
        let checkpoint = Checkpoint::none(path);
        let designed = PretrainedConfig::designed(&config)?.filter(|_| family.is_none());
        let config = match designed {
            Some(designed) => designed,
            None => PretrainedConfig::told(&checkpoint, Some(config), family)?,
        };
        let kind = Kind::Architecture;
        Ok(Some(Self { checkpoint, config, kind, adapter: None, vocabulary: None }))
    }

    /// The base of an adapter, with the adapter.
    fn adapted(folder: &Path, options: SourceOptions<'_>) -> Result<Self> {
        let base = match options.base {
            Some(base) => base.to_path_buf(),
            None => adapter_base(folder)?,
        };
        if adapter_folder(&base).is_some() {
            let problem = format!("{} is an adapter itself; name a whole model", base.display());
            return Err(Error::setting("--base", problem));
        }
        let mut base = Self::open_with(base, SourceOptions { base: None, ..options })?;
        if !matches!(base.kind, Kind::Published) {
            let path = base.checkpoint.path().display();
            let problem =
                format!("{path} is no published model with weights, as an adapter needs it");
            return Err(Error::setting("--base", problem));
        }
        let before = base.classes()?;
        if adapter_is_for_tokens(folder)? {
            let (pool, config) = base.config.head_for(Task::Tagging);
            (base.config.head.pool, base.config.head.config) = (pool, config);
        }
        base.adapter = Some(Adapter::open(folder, base.config.key_maps()?)?);
        let beside = folder.join(CONFIG);
        if is_there(&beside) {
            base.config.head.labels = Config::open(&beside)?.labels()?;
        } else if base.classes()? != before {
            base.config.head.labels = None;
        }
        Ok(base)
    }

    /// The run folder whose model this is, if it is one that takes inputs of this modality: its
    /// embedder is one of ours, which the settings in the folder build.
    pub fn run_for(&self, modality: &str) -> Option<&Path> {
        let Kind::Run(spec) = &self.kind else { return None };
        (spec.modality == modality).then(|| self.checkpoint.folder())
    }

    /// Whether there are weights, and not an architecture alone.
    pub fn has_weights(&self) -> bool {
        !matches!(self.kind, Kind::Architecture)
    }

    /// The same model with another dropout, in trunk and embedder.
    ///
    /// # Errors
    /// If it is below 0, or 1 or more.
    pub fn with_dropout(mut self, p: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&p) {
            let problem = format!("{p}: must be at least 0 and below 1");
            return Err(Error::setting("--dropout", problem));
        }
        self.config.trunk = self.config.trunk.with_dropout(p);
        self.config.embedder = self.config.embedder.with_dropout(p);
        Ok(self)
    }

    /// The same with another drop path; see [`TrunkConfig::with_drop_path`](crate::nn::TrunkConfig::with_drop_path).
    ///
    /// # Errors
    /// If it is not a probability below 1, or the trunk has none.
    pub fn with_drop_path(mut self, p: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&p) {
            let problem = format!("{p}: must be at least 0 and below 1");
            return Err(Error::setting("--drop-path", problem));
        }
        self.config.trunk = self.config.trunk.with_drop_path(p)?;
        Ok(self)
    }

    /// The adapter whose products are added to the weights, if there is one.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }

    /// The tensors; of an adapted model those of its base.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What is known of the model.
    pub fn config(&self) -> &PretrainedConfig {
        &self.config
    }

    /// The tensors, read through the family's key map; those of a run folder by our names, with
    /// adapters added to the weights beside them.
    ///
    /// # Errors
    /// If no tensor has a name of the family, or if there are no tensors.
    pub fn source(&self) -> Result<WeightSource<'_>> {
        match &self.kind {
            Kind::Published => {
                let source = WeightSource::new(&self.checkpoint, self.config.key_map()?)?;
                Ok(source.with_adapter(self.adapter.as_ref()))
            }
            Kind::Run(spec) => Ok(WeightSource::to_transfer(&self.checkpoint, spec.lora.as_ref())),
            Kind::Architecture => Err(own::no_weights(self.checkpoint.path())),
        }
    }

    /// How many classes the checkpoint's own head tells apart; `None`: it has no head. Their names,
    /// where they are published, are in
    /// [`PretrainedHead::labels`](crate::family::PretrainedHead::labels).
    ///
    /// # Errors
    /// As [`source`](Self::source).
    pub fn classes(&self) -> Result<Option<usize>> {
        let source = self.source()?;
        let shape = source.shape("head.weight");
        Ok(shape.and_then(|shape| usize::try_from(*shape.first()?).ok()))
    }

    /// What the checkpoint's own head is asked, where its `config.json` says so as `problem_type`;
    /// else it tells classes apart or, with one output, gives a number, as transformers has it.
    ///
    /// # Errors
    /// If the `problem_type` is none that is known.
    pub fn task(&self) -> Result<Task> {
        if let Kind::Run(spec) = &self.kind {
            return Ok(spec.task);
        }
        if self.transcribes() {
            return Ok(Task::Transcription);
        }
        let adapter = self.adapter.iter().map(Adapter::folder);
        let mut folders = adapter.chain([self.checkpoint.folder()]).map(|f| f.join(CONFIG));
        let beside = folders.find(|path| is_there(path)).unwrap_or_default();
        let told = if is_there(&beside) { Config::open(&beside)?.task()? } else { None };
        Ok(match told {
            Some(task) => task,
            None if self.adapter.is_some() && self.config.head.pool == Pool::Positions => {
                Task::Tagging
            }
            None if self.classes()? == Some(1) => Task::Regression,
            None => Task::default(),
        })
    }

    /// Whether the checkpoint's own head gives the symbols of a text.
    fn transcribes(&self) -> bool {
        match &self.kind {
            Kind::Run(spec) => spec.task == Task::Transcription,
            Kind::Published => self.config.head.pool == Pool::Positions && self.config.has_ctc(),
            Kind::Architecture => false,
        }
    }

    /// What the symbols mean that the checkpoint's own head gives, which are its
    /// [classes](Self::class_names); `None`: it does not transcribe, or its symbols are not published.
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        self.vocabulary.as_ref()
    }

    /// The names of the classes of the checkpoint's own head, where someone chose them.
    pub fn class_names(&self) -> Option<&[String]> {
        self.config.head.labels.as_deref().filter(|names| are_names(names))
    }

    /// The names of the classes that the checkpoint's own head tells apart. Where they are not
    /// published, `otherwise` is asked for them, and told the task and how many they are: the classes
    /// of a data set, say, in alphabetical order.
    ///
    /// # Errors
    /// If there is no head, if neither names as many classes as it tells apart, or as `otherwise`.
    pub fn labels(
        &self,
        otherwise: impl FnOnce(Task, usize) -> Result<Vec<String>>,
    ) -> Result<Vec<String>> {
        let refused = |problem| {
            let path = self.checkpoint.path().to_path_buf();
            Err(Error::Family { path, problem })
        };
        let Some(classes) = self.classes()? else {
            return refused("it has no head that tells classes apart: train one first".into());
        };
        if let Some(labels) = self.class_names() {
            if labels.len() == classes {
                return Ok(labels.to_vec());
            }
            let named = labels.len();
            return refused(format!(
                "its head tells {classes} classes apart, but {named} are named"
            ));
        }
        if self.transcribes() {
            let file = symbols::VOCAB;
            return refused(format!(
                "what its {classes} symbols are is not told: put its {file} beside it"
            ));
        }
        let labels = otherwise(self.task()?, classes)?;
        if labels.len() != classes {
            return refused(format!(
                "its head tells {classes} classes apart, whose names are not published, and the data \
                 has {}",
                labels.len()
            ));
        }
        Ok(labels)
    }
}

#[cfg(feature = "hub")]
fn local(path: &Path) -> Result<PathBuf> {
    crate::weights::hub::local(path, &mut |_| ())
}

#[cfg(not(feature = "hub"))]
fn local(path: &Path) -> Result<PathBuf> {
    if path.to_str().is_some_and(|text| text.starts_with("hf://")) {
        let problem = "a model on a hub, and crosstune-core was built without its feature `hub`";
        return Err(Error::Path { path: path.to_path_buf(), problem: problem.into() });
    }
    Ok(path.to_path_buf())
}

/// Whether someone chose the labels: transformers fills in `LABEL_0`, `LABEL_1`, ….
fn are_names(labels: &[String]) -> bool {
    labels.iter().zip(0..).any(|(label, i)| *label != format!("LABEL_{i}"))
}
