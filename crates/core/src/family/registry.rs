//! The list of all families, and how one is recognised.

use std::path::Path;

use super::ast::AST;
use super::bert::BERT;
use super::config::Config;
use super::distilbert::DISTILBERT;
use super::family::{Family, PretrainedConfig};
use super::gpt2::GPT2;
use super::honk::HONK;
use super::resnet::{RESNET, RESNET_HF};
use super::roberta::ROBERTA;
use super::vit::{DEIT, DINOV2, TIMM_VIT, VIT};
use super::wav2vec2::{HUBERT, WAV2VEC2};
use super::whisper::WHISPER;
use crate::error::{Error, Result};
use crate::files::is_there;
use crate::weights::{CONFIG, Checkpoint, KeyMap};

/// All families. Where tensors alone decide, the first whose names they have wins.
const FAMILIES: &[&Family] = &[
    &BERT,
    &ROBERTA,
    &DISTILBERT,
    &GPT2,
    &VIT,
    &DEIT,
    &DINOV2,
    &TIMM_VIT,
    &RESNET_HF,
    &RESNET,
    &AST,
    &WHISPER,
    &WAV2VEC2,
    &HUBERT,
    &HONK,
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
        if let Some(name) = name {
            let problem = || format!("{name:?} is not known; the known families are {}", names());
            let found = Family::named(name).ok_or_else(|| Error::setting("--family", problem()))?;
            return match config.filter(|config| (found.matches_config)(config)) {
                Some(config) => (found.from_config)(&config, checkpoint),
                None => found.infer(checkpoint),
            };
        }
        if let Some(config) = config {
            return match FAMILIES.iter().find(|family| (family.matches_config)(&config)) {
                Some(family) => (family.from_config)(&config, checkpoint),
                None => {
                    let problem = format!(
                        "{}; the known families are {}; --family names one",
                        config.says(),
                        names()
                    );
                    Err(unknown(config.path(), problem))
                }
            };
        }
        match FAMILIES.iter().find(|family| family.fits(checkpoint)) {
            Some(family) => family.infer(checkpoint),
            None => {
                let problem = format!(
                    "the names of its tensors are of no known family (known: {}), and there is no \
                     {CONFIG} beside it",
                    names()
                );
                Err(unknown(checkpoint.path(), problem))
            }
        }
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

    fn fits(&self, checkpoint: &Checkpoint) -> bool {
        self.key_map.prefix(checkpoint.entries().map(|(name, _)| name)).is_some()
    }

    pub(super) fn infer(&self, checkpoint: &Checkpoint) -> Result<PretrainedConfig> {
        let refused = |problem: String| Error::Family { path: checkpoint.path().into(), problem };
        if !self.fits(checkpoint) {
            return Err(refused(format!("no tensor has a name of the family {}", self.name)));
        }
        (self.from_tensors)(checkpoint).map_err(|lacking| {
            refused(format!(
                "by its tensors it is of the family {}, but {lacking}: put its {CONFIG} beside it",
                self.name
            ))
        })
    }
}
