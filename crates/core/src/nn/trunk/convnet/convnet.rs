//! The one convolutional network that serves every family of them: stages of blocks.

use std::ops::Range;

use tch::Tensor;

use super::config::ConvNetConfig;
use super::stage::{Blocks, LastLayer};
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphFeatures, GraphMap};
use crate::nn::layers::BatchNormStats;
use crate::weights::VarBuilder;

/// Stages of blocks from feature map to feature map.
#[derive(Debug)]
pub struct ConvNet {
    config: ConvNetConfig,
    stages: Vec<Blocks>,
    end: Option<LastLayer>,
}

impl ConvNet {
    /// Parameters `stages.N.M.…`, named by the kind of the block: `{conv1,norm1,conv2,norm2,…}` and
    /// `shortcut.{conv,norm}` of residual blocks; `stages.N.before.…`; and `end.norm`.
    ///
    /// # Errors
    /// If the configuration contradicts itself, or the source of `vb` lacks a tensor.
    pub fn new(vb: &VarBuilder<'_>, config: ConvNetConfig) -> Result<Self> {
        config.validate()?;
        let (tensors, values) = config.least();
        vb.check_room(tensors, values)?;
        let (mut stages, mut channels, mut blocks) = (vec![], config.in_channels, 0);
        for (i, stage) in config.stages.iter().enumerate() {
            let vb = vb.sub("stages").sub(i);
            stages.push(Blocks::new(&vb, &config, stage, channels, blocks)?);
            (channels, blocks) = (stage.width, blocks + stage.blocks);
        }
        let end = LastLayer::new(&vb.sub("end"), &config)?;
        Ok(Self { config, stages, end })
    }

    /// What it was built from.
    pub fn config(&self) -> &ConvNetConfig {
        &self.config
    }

    /// Decides whether the norms' running statistics are updated.
    pub fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.stages.iter().for_each(|stage| stage.set_batch_norm_stats(statistics));
        self.end.iter().for_each(|end| end.set_batch_norm_stats(statistics));
    }

    /// `[B, in_channels, H, W]` to `[B, width, H', W']`; in training, norms whose statistics are
    /// updated normalise by the batch's.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.forward_range(x, 0..usize::MAX, train)
    }

    /// The forward pass through some of the stages; what follows the last counts as one more. A
    /// keyword spotter has but one stage.
    pub fn forward_range(&self, x: &Tensor, parts: Range<usize>, train: bool) -> Tensor {
        let count = self.stages.len();
        let stages = &self.stages[parts.start.min(count)..parts.end.min(count)];
        let x = stages.iter().fold(x.shallow_clone(), |x, stage| stage.forward(x, train));
        match &self.end {
            Some(end) if parts.contains(&count) => end.forward(x, train),
            _ => x,
        }
    }

    /// The same in a graph; `each` is shown what each part makes.
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        map: GraphMap,
        each: &mut dyn FnMut(&GraphFeatures),
    ) -> GraphMap {
        let mut map = map;
        for stage in &self.stages {
            map = stage.onnx(e, map);
            each(&GraphFeatures::FeatureMap(map.clone()));
        }
        match &self.end {
            Some(end) => map.with(end.onnx(e, &map.x)),
            None => map,
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    use super::*;
    use crate::model::{Freeze, ModelOutline};
    use crate::nn::trunk::convnet::{BlockKind, Stage};
    use crate::weights::{Fresh, Origin};

    fn config(block: BlockKind) -> ConvNetConfig {
        ConvNetConfig::new(8, vec![Stage::new(2, 8, 1), Stage::new(2, 16, 2)], block)
    }

    #[test]
    fn statistics_of_frozen_norms_are_not_updated_and_others_are() {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let root = VarBuilder::root(&store, &fresh).sub("trunk");
        let net = ConvNet::new(&root, config(BlockKind::Basic)).unwrap();
        let x = Tensor::randn([2, 8, 6, 6], (Kind::Float, Device::Cpu)) + 3.;
        let mean = || store.variables()["trunk.stages.0.0.norm1.running_mean"].copy();
        assert!(!store.variables()["trunk.stages.0.0.norm1.running_mean"].requires_grad());
        for (trains, updates) in [(false, false), (true, true)] {
            let freeze = if trains { Freeze::nothing() } else { "trunk".parse().unwrap() };
            freeze.apply(&store, ModelOutline { depth: 2, embedder: Origin::Pretrained }).unwrap();
            let before = mean();
            assert_eq!(net.forward(&x, true).size(), [2, 16, 3, 3]);
            assert_eq!(mean() != before, updates);
            let before = mean();
            let _ = net.forward(&x, false);
            assert_eq!(mean(), before, "prediction updates nothing");
        }
    }

    #[test]
    fn a_contradiction_is_named() {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let root = VarBuilder::root(&store, &fresh);
        let mut narrow = config(BlockKind::Bottleneck);
        narrow.stages[1].width = 6;
        let error = ConvNet::new(&root, narrow).unwrap_err();
        assert!(error.to_string().contains("a multiple of 4"), "{error}");
    }

    #[test]
    fn a_network_is_written_as_before_and_read_back() {
        let written = r#"{"in_channels":8,"stages":[{"blocks":1,"width":8,"stride":1}],"block":"basic","shortcut":"projected"}"#;
        let plain = ConvNetConfig::new(8, vec![Stage::new(1, 8, 1)], BlockKind::Basic);
        assert_eq!(serde_json::to_string(&plain).unwrap(), written);
        assert_eq!(serde_json::from_str::<ConvNetConfig>(written).unwrap(), plain);
    }
}
