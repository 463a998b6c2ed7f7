//! The list of all families, and how one is recognised.

use std::path::Path;

use super::config::Config;
use super::family::{Class, Family, HuggingFace, PretrainedConfig, PretrainedHead};
use super::{audio, image, text, unknown};
use crate::error::{Error, Result};
use crate::files::is_there;
use crate::nn::{HeadConfig, Pool};
use crate::task::Task;
use crate::weights::{CONFIG, Checkpoint, KeyMap, WeightSource};

/// A list of families by the room that each stands in: the modality that it was trained on.
macro_rules! by_room {
    ($(&$room:ident $(:: $rest:ident)+,)*) => {
        &[$((stringify!($room), &$room $(:: $rest)+)),*]
    };
}

/// All families. Where tensors alone decide, the first whose names they have wins.
const FAMILIES: &[(&str, &Family)] = by_room![
    &text::bert::BERT,
    &text::roberta::ROBERTA,
    &text::roberta::XLM_ROBERTA,
    &text::roberta::CAMEMBERT,
    &text::xlm_roberta_xl::XLM_ROBERTA_XL,
    &text::electra::ELECTRA,
    &text::mpnet::MPNET,
    &text::albert::ALBERT,
    &text::deberta::DEBERTA_V2,
    &text::modernbert::MODERNBERT,
    &text::nomic_bert::NOMIC_BERT,
    &text::distilbert::DISTILBERT,
    &text::gpt2::GPT2,
    &text::llama::LLAMA,
    &text::mistral::MISTRAL,
    &text::qwen::QWEN2,
    &text::qwen::QWEN3,
    &text::gemma3::GEMMA3,
    &image::vit::VIT,
    &image::vit::DEIT,
    &image::vit::VIT_MSN,
    &image::vit::VIT_MAE,
    &image::dinov2::DINOV2,
    &image::dinov2::DINOV2_SWIGLU,
    &image::dinov2::DINOV2_REGISTERS,
    &image::dinov2::DINOV2_REGISTERS_SWIGLU,
    &image::dinov3::DINOV3,
    &image::clip::CLIP,
    &image::siglip::SIGLIP,
    &image::beit::BEIT,
    &image::beit::DATA2VEC_VISION,
    &image::timm::TIMM_VIT,
    &image::resnet::RESNET_HF,
    &image::resnet::RESNET,
    &image::mobile_timm::TIMM_EFFICIENTNET,
    &image::mobile_torchvision::TORCHVISION_EFFICIENTNET,
    &image::mobile_torchvision::TORCHVISION_MOBILENET_V2,
    &image::mobile_torchvision::TORCHVISION_MOBILENET_V3,
    &image::efficientnet_pytorch::EFFICIENTNET_PYTORCH,
    &image::efficientnet::EFFICIENTNET,
    &image::mobilenet_v2::MOBILENET_V2,
    &image::convnext::CONVNEXT,
    &image::convnext::CONVNEXT_V2,
    &image::convnext_named::TIMM_CONVNEXT,
    &image::convnext_named::TIMM_CONVNEXT_V2,
    &image::convnext_named::TORCHVISION_CONVNEXT,
    &image::convnext_named::AUTHORS_CONVNEXT,
    &image::convnext_named::AUTHORS_CONVNEXT_V2,
    &image::swin::SWIN,
    &image::swin::SWINV2,
    &image::microsoft_swin::MICROSOFT_SWIN,
    &image::timm_swin::TIMM_SWIN,
    &image::timm_swin::TIMM_SWINV2,
    &image::torchvision_swin::TORCHVISION_SWIN,
    &image::torchvision_swin::TORCHVISION_SWINV2,
    &image::resnet::RESNET_FASTAI,
    &image::regnet::REGNET_Y,
    &image::regnet::REGNET_X,
    &image::regnet::TIMM_REGNET,
    &image::regnet::TORCHVISION_REGNET,
    &image::bit::BIT,
    &image::bit::RESNETV2,
    &image::densenet::DENSENET,
    &audio::ast::AST,
    &audio::whisper::WHISPER,
    &audio::wav2vec2::WAV2VEC2,
    &audio::wav2vec2::HUBERT,
    &audio::clap::CLAP,
    &audio::wavlm::WAVLM,
    &audio::unispeech::UNISPEECH,
    &audio::unispeech::UNISPEECH_SAT,
    &audio::data2vec::DATA2VEC_AUDIO,
    &audio::conformer::WAV2VEC2_CONFORMER,
    &audio::wav2vec2_bert::WAV2VEC2_BERT,
    &audio::honk::HONK,
];

impl PretrainedConfig {
    /// Tells what model a checkpoint holds. `name` decides the family where it is given.
    ///
    /// # Errors
    /// If the family is not known, or if the configuration or the tensors contradict it.
    pub fn of(checkpoint: &Checkpoint, name: Option<&str>) -> Result<Self> {
        let beside = checkpoint.folder().join(CONFIG);
        let config = is_there(&beside).then(|| Config::open(&beside)).transpose()?;
        Self::told(checkpoint, config, name)
    }

    pub(super) fn told(
        checkpoint: &Checkpoint,
        config: Option<Config>,
        name: Option<&str>,
    ) -> Result<Self> {
        let unknown = |path: &Path, problem| Err(Error::Family { path: path.into(), problem });
        let says = config.as_ref().and_then(of);
        if let Some(name) = name {
            let problem = || unknown::name(name);
            let found = Family::named(name).ok_or_else(|| Error::setting("--family", problem()))?;
            return match (config, says) {
                (Some(config), Some(_)) if (found.matches_config)(&config) => {
                    found.read(&config, checkpoint)
                }
                // What is known by another name has other settings: the tensors have to do.
                (Some(config), Some(_)) => found.infer(checkpoint, None).map_err(|_| {
                    let (path, says) = (config.path().display(), config.says());
                    let problem = format!("{name}, but in {path} {says}; leave it out");
                    Error::setting("--family", problem)
                }),
                (config, _) => found.infer(checkpoint, config.as_ref()),
            };
        }
        let config = config.map(|config| config.with_model_type(|config| of(config).is_some()));
        let says = |config| of(config).or_else(|| Family::by_class(config));
        match (&config, config.as_ref().and_then(says)) {
            (Some(config), Some(family)) => return family.read(config, checkpoint),
            (Some(config), None)
                if config.names_a_kind() || checkpoint.entries().next().is_none() =>
            {
                return unknown(config.path(), unknown::config(config, checkpoint));
            }
            _ => {}
        }
        match Family::by_names(checkpoint) {
            Some(family) => family.infer(checkpoint, config.as_ref()),
            None => unknown(checkpoint.path(), unknown::tensors(checkpoint, config.as_ref())),
        }
    }

    /// Whether transformers has a class of the family that transcribes.
    pub(super) fn has_ctc(&self) -> bool {
        let library = Family::named(&self.name).and_then(|family| family.hugging_face);
        library.and_then(HuggingFace::ctc).is_some()
    }

    pub(super) fn key_map(&self) -> Result<KeyMap> {
        let found = Family::named(&self.name).ok_or_else(|| {
            Error::setting("family", format!("{:?} is not known to this version", self.name))
        })?;
        let own = found.sequences().filter(|_| self.head.pool == Pool::Positions);
        let head = own.and_then(|class| class.head_names).unwrap_or(found.key_map.head);
        Ok(KeyMap { head, ..found.key_map })
    }

    /// The pool and the layers of a head for a task, as the family's class for it has them.
    pub fn head_for(&self, task: Task) -> (Pool, HeadConfig) {
        let PretrainedHead { pool, config, .. } = self.head;
        let class = Family::named(&self.name).and_then(Family::sequences);
        match (task.is_sequence(), pool == Pool::Positions) {
            (true, false) => (
                Pool::Positions,
                class.map_or_else(HeadConfig::default, |class| class.head.config(config)),
            ),
            // What answers at every position has no vector of its own for all of them.
            (false, true) => (Pool::Mean, config),
            _ => (pool, config),
        }
    }

    /// The names that the model's modules may have: as transformers 5 has them in memory, and as they
    /// are saved.
    pub(super) fn key_maps(&self) -> Result<Vec<KeyMap>> {
        let saved = self.key_map()?;
        let library = Family::named(&self.name).and_then(|family| family.hugging_face);
        let names = library.map(|library| [library.in_memory, library.key_map.body]);
        let others = names.into_iter().flatten().map(|body| KeyMap { body, ..saved });
        Ok(others.chain([saved]).collect())
    }
}

/// The family that a `config.json` names.
fn of(config: &Config) -> Option<&'static Family> {
    Family::all().find(|family| (family.matches_config)(config))
}

impl Family {
    /// All families, each with the modality that it was trained on.
    pub(super) fn by_modality() -> impl Iterator<Item = (&'static str, &'static Self)> {
        FAMILIES.iter().copied()
    }

    pub(super) fn all() -> impl Iterator<Item = &'static Self> {
        Self::by_modality().map(|(_, family)| family)
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|family| family.name == name)
    }

    /// The family whose class of transformers saved a model without saying its `model_type`.
    fn by_class(config: &Config) -> Option<&'static Self> {
        let saved = |family: &&Self| {
            let library = family.hugging_face.iter();
            library.flat_map(|library| library.classes).any(|class| config.saved_by(class.name))
        };
        Self::all().find(saved).filter(|_| !config.names_a_kind())
    }

    /// The family whose names the tensors have, behind as short a wrapper as can be: of several, the
    /// first.
    pub(super) fn by_names(checkpoint: &Checkpoint) -> Option<&'static Self> {
        let names = || checkpoint.entries().map(|(name, _)| name);
        let wrapped = |family: &&Self| match family.key_map.prefix(names()) {
            Ok(prefix) => Some(prefix?.wrapper.len()),
            Err([first, _]) => Some(first.len()),
        };
        let found = Self::all().filter_map(|f| Some((wrapped(&f)?, f)));
        found.min_by_key(|(len, _)| *len).map(|(_, f)| f)
    }

    /// The model that a `config.json` tells of, with the head of the class that saved it.
    fn read(&self, config: &Config, checkpoint: &Checkpoint) -> Result<PretrainedConfig> {
        let mut read = (self.from_config)(config, checkpoint)?;
        let classes = self.hugging_face.map_or(&[][..], |library| library.classes);
        let mut sequences = classes.iter().filter(|class| class.pool == Pool::Positions);
        if let Some(class) = sequences.find(|class| config.saved_by(class.name)) {
            read.head.pool = class.pool;
            read.head.config = class.head.config(read.head.config);
        }
        Ok(read)
    }

    /// The class that answers at every position.
    fn sequences(&self) -> Option<&'static Class> {
        let mut classes = self.hugging_face?.classes.iter();
        classes.find(|class| class.pool == Pool::Positions)
    }

    /// A model of this family by its tensors; `beside` tells what they do not, a `config.json` that
    /// names no family.
    ///
    /// # Errors
    /// If the tensors are not of this family, or do not tell all.
    pub(super) fn infer(
        &self,
        checkpoint: &Checkpoint,
        beside: Option<&Config>,
    ) -> Result<PretrainedConfig> {
        if let Some(config) = beside.filter(|_| checkpoint.entries().next().is_none()) {
            return self.read(config, checkpoint);
        }
        WeightSource::new(checkpoint, self.key_map)?;
        match ((self.from_tensors)(checkpoint), beside) {
            (Ok(told), _) => Ok(told),
            (Err(_), Some(config)) => self.read(config, checkpoint),
            (Err(lacking), None) => Err(Error::Family {
                path: checkpoint.path().into(),
                problem: format!(
                    "by its tensors it is of the family {}, but {lacking}: put its {CONFIG} beside it",
                    self.name
                ),
            }),
        }
    }
}
