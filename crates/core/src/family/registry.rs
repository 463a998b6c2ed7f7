//! The list of all families, and how one is recognised.

use std::path::Path;

use super::config::Config;
use super::family::{Family, PretrainedConfig};
use super::{audio, image, text};
use crate::error::{Error, Result};
use crate::files::is_there;
use crate::weights::{CONFIG, Checkpoint, KeyMap, WeightSource, nearest, quote};

/// All families. Where tensors alone decide, the first whose names they have wins.
const FAMILIES: &[&Family] = &[
    &text::bert::BERT,
    &text::roberta::ROBERTA,
    &text::distilbert::DISTILBERT,
    &text::gpt2::GPT2,
    &image::vit::VIT,
    &image::vit::DEIT,
    &image::vit::DINOV2,
    &image::vit::TIMM_VIT,
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
        let unknown = |path: &Path, problem| Error::Family { path: path.into(), problem };
        let names = || FAMILIES.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        let says = config.as_ref().and_then(|c| FAMILIES.iter().find(|f| (f.matches_config)(c)));
        if let Some(name) = name {
            let problem = || format!("{name:?} is not known; the known families are {}", names());
            let found = Family::named(name).ok_or_else(|| Error::setting("--family", problem()))?;
            return match (config, says) {
                (Some(config), Some(_)) if (found.matches_config)(&config) => {
                    (found.from_config)(&config, checkpoint)
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
        if let (Some(config), Some(family)) = (&config, says) {
            return (family.from_config)(config, checkpoint);
        }
        if let Some(config) = config
            .as_ref()
            .filter(|config| config.names_a_kind() || checkpoint.entries().next().is_none())
        {
            let problem = format!(
                "{}; the known families are {}; --family names one",
                config.says(),
                names()
            );
            return Err(unknown(config.path(), problem));
        }
        if let Some(family) = Family::by_names(checkpoint) {
            return family.infer(checkpoint, config.as_ref());
        }
        let beside = match config {
            Some(config) => format!("in the {CONFIG} beside it, {}", config.says()),
            None => format!("there is no {CONFIG} beside it"),
        };
        let problem = format!(
            "the names of its tensors are of no known family: {}, and {beside}; the known families \
             are {}",
            found_names(checkpoint),
            names()
        );
        Err(unknown(checkpoint.path(), problem))
    }

    pub(super) fn key_map(&self) -> Result<KeyMap> {
        let found = Family::named(&self.name).ok_or_else(|| {
            Error::setting("family", format!("{:?} is not known to this version", self.name))
        })?;
        Ok(found.key_map)
    }
}

impl Family {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().copied().find(|family| family.name == name)
    }

    /// The family whose names the tensors have, behind as short a wrapper as can be: of several, the
    /// first.
    fn by_names(checkpoint: &Checkpoint) -> Option<&'static Self> {
        let names = || checkpoint.entries().map(|(name, _)| name);
        let wrapped = |family: &&Self| match family.key_map.prefix(names()) {
            Ok(prefix) => Some(prefix?.wrapper.len()),
            Err([first, _]) => Some(first.len()),
        };
        let found = FAMILIES.iter().copied();
        found.filter_map(|f| Some((wrapped(&f)?, f))).min_by_key(|(len, _)| *len).map(|(_, f)| f)
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
            return (self.from_config)(config, checkpoint);
        }
        WeightSource::new(checkpoint, self.key_map)?;
        match ((self.from_tensors)(checkpoint), beside) {
            (Ok(told), _) => Ok(told),
            (Err(_), Some(config)) => (self.from_config)(config, checkpoint),
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

/// Some names of a checkpoint's tensors, and the family that has the most similar one.
fn found_names(checkpoint: &Checkpoint) -> String {
    // As many are looked at: the comparison takes time, and blocks are alike.
    const COMPARED: usize = 1000;
    let names: Vec<&str> = checkpoint.entries().map(|(name, _)| name).collect();
    let count = names.len();
    let some = [0, count / 2, count.saturating_sub(1)].map(|at| names.get(at).copied());
    let mut some: Vec<_> = some.into_iter().flatten().map(quote).collect();
    some.dedup();
    let more = match count - some.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let probes = FAMILIES.iter().filter_map(|f| Some((f.name, f.key_map.probe()?)));
    let near = probes.filter_map(|(family, probe)| {
        let probe = format!("{probe}.weight");
        let compared = names.iter().copied().take(COMPARED);
        let (distance, _) = nearest(&probe, compared)?;
        // A short name is soon similar to any other.
        (4 * distance <= probe.len()).then(|| (1000 * distance / probe.len(), family, probe))
    });
    let near = near.min().map(|(_, family, probe)| {
        format!(" (the nearest family is {family}, which has `{probe}`)")
    });
    match count {
        0 => "there are none".into(),
        _ => format!("{}{more}{}", some.join(", "), near.unwrap_or_default()),
    }
}
