//! The choice of an embedder for a source, and building it.

use crosstune_core::{
    Embedder, EmbedderConfig, Error, FeatureShape, PatchEmbedderConfig, PatchMapConfig,
    PatchMapEmbedder, Pretrained, Result, StemConfig, StemEmbedder, StemPool, TokenPatchEmbedder,
    VarBuilder,
};

use super::patches::PatchEmbedder;
use crate::{
    geometry::Geometry,
    options::{SMALL, Taken},
};

/// The embedder for a source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum EmbedderSource {
    /// New patches: the trunk takes a sequence and was not trained on pictures.
    Patches,
    /// A new stem: the trunk takes a feature map and was not trained on pictures.
    Stem,
    /// The patches that it was trained with.
    PretrainedPatches(PatchEmbedderConfig),
    /// The patches that it was trained with, which stay in their places.
    PretrainedPatchMap(PatchMapConfig),
    /// The stem that it was trained with.
    PretrainedStem(StemConfig),
    /// Patches that were new and then trained in a run of ours.
    TrainedPatches,
}

impl EmbedderSource {
    /// The embedder for a source; it has one of its own if it is an image model.
    ///
    /// # Errors
    /// If it is an image model whose patches are not square.
    pub(crate) fn of(source: &Pretrained, modality: &str) -> Result<Self> {
        let family = source.config();
        let refused = |problem| {
            Err(Error::Family { path: source.checkpoint().path().to_path_buf(), problem })
        };
        Ok(match &family.embedder {
            EmbedderConfig::Patches(PatchEmbedderConfig { patch, stride, .. })
            | EmbedderConfig::PatchMap(PatchMapConfig { patch, stride, .. })
                if family.modality == modality && (patch[0] != patch[1] || patch != stride) =>
            {
                return refused(format!(
                    "its patches of {} × {} pixels are not supported, only squares side by side",
                    patch[0], patch[1]
                ));
            }
            EmbedderConfig::Patches(c) if family.modality == modality => {
                Self::PretrainedPatches(*c)
            }
            EmbedderConfig::PatchMap(c) if family.modality == modality => {
                Self::PretrainedPatchMap(*c)
            }
            EmbedderConfig::Stem(c) if family.modality == modality => Self::PretrainedStem(*c),
            _ => match family.trunk.accepts() {
                FeatureShape::Sequence { .. } => Self::Patches,
                FeatureShape::FeatureMap { .. } => Self::Stem,
            },
        })
    }

    /// Whether the source was trained on pictures.
    pub(crate) fn is_pretrained(&self) -> bool {
        !matches!(self, Self::Patches | Self::Stem)
    }

    /// The trained embedder of a run of ours that had this embedder, for a trunk that takes `form`.
    /// `asked` is the geometry for the new task.
    ///
    /// # Errors
    /// If that is not the run's and its patches are bound to one.
    pub(crate) fn trained(
        self,
        form: FeatureShape,
        run: &Geometry,
        asked: &Geometry,
    ) -> Result<Self> {
        match (self, form) {
            (Self::Stem, FeatureShape::FeatureMap { channels }) => {
                Ok(Self::PretrainedStem(fresh_stem(run, channels)))
            }
            (Self::Patches | Self::TrainedPatches, _) => {
                let bound = |setting, [asked, has]: [u32; 2]| match asked == has {
                    true => Ok(()),
                    false => Err(Error::Setting {
                        setting,
                        problem: format!("the run was trained at {has}, got {asked}; leave it out"),
                    }),
                };
                bound("--size", [asked.size, run.size])?;
                bound("--line-width", [asked, run].map(|g| g.line_width.unwrap_or_default()))?;
                bound("--patch", [asked.patch, run.patch].map(Option::unwrap_or_default))?;
                bound("--channels", [asked, run].map(|g| g.channels.count() as u32))?;
                Ok(Self::TrainedPatches)
            }
            (other, _) => Ok(other),
        }
    }

    /// How the trunk takes pictures.
    pub(crate) fn taken(&self) -> Taken {
        match self {
            Self::Patches
            | Self::PretrainedPatches(_)
            | Self::PretrainedPatchMap(_)
            | Self::TrainedPatches => Taken::InPatches,
            Self::Stem | Self::PretrainedStem(_) => Taken::Whole,
        }
    }

    /// Builds the embedder, for pictures of this geometry.
    pub(crate) fn embedder(
        &self,
        vb: VarBuilder<'_>,
        geometry: &Geometry,
        form: FeatureShape,
    ) -> Result<Box<dyn Embedder>> {
        Ok(match (self, form) {
            (Self::PretrainedPatches(from), _) => {
                Box::new(TokenPatchEmbedder::new(vb, from, &patches(from, geometry), form)?)
            }
            (Self::PretrainedPatchMap(from), _) => {
                Box::new(PatchMapEmbedder::new(&vb, from, &patch_map(from, geometry), form)?)
            }
            (Self::PretrainedStem(from), _) => {
                Box::new(StemEmbedder::new(vb, from, &stem(from, geometry), form)?)
            }
            (_, FeatureShape::Sequence { .. }) => Box::new(PatchEmbedder::new(vb, geometry, form)?),
            (_, FeatureShape::FeatureMap { channels }) => {
                let stem = fresh_stem(geometry, channels);
                Box::new(StemEmbedder::new(vb, &stem, &stem, form)?)
            }
        })
    }

    /// As saved in a run folder, whose tensors fit this geometry; `None`: it is new.
    pub(crate) fn saved(&self, geometry: &Geometry) -> Option<EmbedderConfig> {
        match self {
            Self::Patches | Self::Stem | Self::TrainedPatches => None,
            Self::PretrainedPatches(from) => Some(EmbedderConfig::Patches(patches(from, geometry))),
            Self::PretrainedPatchMap(from) => {
                Some(EmbedderConfig::PatchMap(patch_map(from, geometry)))
            }
            Self::PretrainedStem(from) => Some(EmbedderConfig::Stem(stem(from, geometry))),
        }
    }

    /// The embedder, new or not, in a form that models for other modalities can use.
    pub(crate) fn config(&self, geometry: &Geometry, form: FeatureShape) -> Option<EmbedderConfig> {
        match (self, form) {
            (Self::Stem, FeatureShape::FeatureMap { channels }) => {
                Some(EmbedderConfig::Stem(fresh_stem(geometry, channels)))
            }
            _ => self.saved(geometry),
        }
    }

    /// As read from a run folder.
    pub(crate) fn opened(saved: Option<EmbedderConfig>, geometry: &Geometry) -> Result<Self> {
        Ok(match (saved, geometry.patch) {
            (None, Some(_)) => Self::Patches,
            (None, None) => Self::Stem,
            (Some(EmbedderConfig::Patches(c)), Some(_)) => Self::PretrainedPatches(c),
            (Some(EmbedderConfig::PatchMap(c)), Some(_)) => Self::PretrainedPatchMap(c),
            (Some(EmbedderConfig::Stem(c)), None) => Self::PretrainedStem(c),
            (Some(_), _) => {
                return Err(Error::Setting {
                    setting: "embedder",
                    problem: "expected patches, with a patch, or a stem, without".into(),
                });
            }
        })
    }
}

/// The same patches for pictures of this geometry.
fn patches(from: &PatchEmbedderConfig, geometry: &Geometry) -> PatchEmbedderConfig {
    let patch = geometry.patch.map_or(from.patch, |patch| [patch.into(); 2]);
    let channels = geometry.channels.count() as i64;
    PatchEmbedderConfig { channels, size: geometry.sides(), patch, stride: patch, ..*from }
}

/// The same patches for pictures of this geometry.
fn patch_map(from: &PatchMapConfig, geometry: &Geometry) -> PatchMapConfig {
    let patch = geometry.patch.map_or(from.patch, |patch| [patch.into(); 2]);
    let channels = geometry.channels.count() as i64;
    PatchMapConfig { channels, size: geometry.sides(), patch, stride: patch, ..*from }
}

/// The same stem for pictures of this geometry. Of a line of text it keeps all columns: the strides of
/// the trunk make few enough of them.
fn stem(from: &StemConfig, geometry: &Geometry) -> StemConfig {
    let from = StemConfig { in_channels: geometry.channels.count() as i64, ..*from };
    match geometry.line_width {
        Some(_) => StemConfig { stride: 1, pool: StemPool::Without, ..from },
        None => from,
    }
}

/// As residual networks begin: for small pictures one convolution that keeps their size, for others
/// one that brings them to a quarter (He et al. 2016, §4.2 and §4.1), of 3 × 3 in both.
fn fresh_stem(geometry: &Geometry, out_channels: i64) -> StemConfig {
    let whole = geometry.size <= SMALL || geometry.line_width.is_some();
    let (stride, pool) = if whole { (1, StemPool::Without) } else { (2, StemPool::Max) };
    let channels = (geometry.channels.count() as i64, out_channels);
    StemConfig::new(channels, 3, stride, pool)
}
