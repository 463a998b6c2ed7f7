//! What a windowed transformer is built from.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nn::layers::{Activation, Bias, eps_problem};

/// The two versions, which differ in attention, in its biases and in where norms stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwinVersion {
    /// Norms before attention, MLP and merging; scaled products; a learned bias for each distance
    /// (Liu et al. 2021, §3).
    V1,
    /// Norms behind all three, ahead of the residual sum; cosines with a learned scale for each
    /// head; a small network makes the biases of log-spaced distances (Liu et al. 2022, §3).
    V2,
}

/// What comes first where windows do not divide a feature map: zeros at its lower and right ends, or
/// the cyclic shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowPadding {
    /// Zeros: transformers, torchvision.
    #[default]
    BeforeShift,
    /// The shift: timm.
    AfterShift,
}

/// Blocks on feature maps of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwinStage {
    /// The number of blocks; windows are shifted in every second one.
    pub blocks: usize,
    /// Attention heads; they divide the stage's channels.
    pub heads: i64,
    /// The side of a window, in positions.
    pub window: i64,
    /// The side of a window in an earlier training, by which distances are measured
    /// ([`SwinVersion::V2`]); 0: there was none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pretrained_window: i64,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// The shape of a windowed transformer without its embedder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwinConfig {
    /// Input channels, `C`; each further stage has twice as many as the one before.
    pub width: i64,
    /// The stages. Between two of them, four neighbours are merged to one.
    pub stages: Vec<SwinStage>,
    /// The version.
    pub version: SwinVersion,
    /// The width of an MLP's hidden layer, as a multiple of the stage's channels.
    pub mlp_ratio: f64,
    /// The MLP's activation.
    pub activation: Activation,
    /// Whether queries and values add a bias; in [`SwinVersion::V1`] keys too.
    #[serde(default)]
    pub qkv_bias: Bias,
    /// What comes first where windows do not divide a feature map.
    #[serde(default)]
    pub padding: WindowPadding,
    /// The epsilon of the blocks' norms and of the last one.
    pub eps: f64,
    /// The dropout probability in training.
    pub dropout: f64,
    /// The probability in training that the last block's residual branches are dropped; it rises
    /// linearly from 0 in the first (Huang et al. 2016).
    #[serde(default)]
    pub drop_path: f64,
}

impl SwinConfig {
    /// Channels of a stage.
    pub fn channels(&self, stage: usize) -> i64 {
        (0..stage).fold(self.width, |width, _| width.saturating_mul(2))
    }

    /// Output channels.
    pub fn out_channels(&self) -> i64 {
        self.channels(self.stages.len().saturating_sub(1))
    }

    /// The width of an MLP's hidden layer in a stage.
    pub fn mlp(&self, stage: usize) -> i64 {
        (self.mlp_ratio * self.channels(stage) as f64) as i64
    }

    /// The drop-path probability of a block, counted over all stages.
    pub(super) fn drop_path_of(&self, block: usize) -> f64 {
        let blocks: usize = self.stages.iter().map(|stage| stage.blocks).sum();
        self.drop_path * block as f64 / blocks.saturating_sub(1).max(1) as f64
    }

    /// How many parameters it has at the least, and how many values they have.
    pub(super) fn least(&self) -> (u128, u128) {
        let of = |n: i64| u128::from(n.unsigned_abs());
        self.stages.iter().enumerate().fold((0, 0), |(tensors, values), (i, stage)| {
            let (blocks, width, mlp) =
                (stage.blocks as u128, of(self.channels(i)), of(self.mlp(i)));
            // Norms and biases are left out of the values.
            let block =
                (4 * width).saturating_mul(width).saturating_add((2 * width).saturating_mul(mlp));
            let of_stage = block.saturating_mul(blocks);
            (12 * blocks + tensors, of_stage.saturating_add(values))
        })
    }

    pub(crate) fn validate(&self) -> Result<()> {
        /// Of a window, every pair of positions has a bias.
        const LARGEST: i64 = 64;
        /// A stage's map has half the sides of the one before.
        const MOST: usize = 12;
        const WIDEST: i64 = 1 << 20;
        let counted = |s: &SwinStage| s.blocks > 0 && s.heads > 0 && s.pretrained_window >= 0;
        let undivided = |(i, s): (usize, &SwinStage)| {
            (self.channels(i) % s.heads.max(1) != 0).then(|| {
                let channels = self.channels(i);
                format!("{} heads do not divide the {channels} channels of stage {i}", s.heads)
            })
        };
        let within = |p: f64| (0.0..1.0).contains(&p);
        let problem = if self.width < 1 || !self.stages.iter().all(counted) {
            "channels, blocks and heads must be at least 1".to_string()
        } else if self.out_channels() > WIDEST {
            format!("{} channels: expected at most {WIDEST}", self.out_channels())
        } else if !(1..=MOST).contains(&self.stages.len()) {
            format!("{} stages: expected 1 to {MOST}", self.stages.len())
        } else if let Some(s) = self.stages.iter().find(|s| !(1..=LARGEST).contains(&s.window)) {
            format!("a window of {}: expected 1 to {LARGEST}", s.window)
        } else if let Some(problem) = self.stages.iter().enumerate().find_map(undivided) {
            problem
        } else if !self.mlp_ratio.is_finite() || self.mlp(0) < 1 {
            format!("mlp_ratio {}: must leave a hidden layer", self.mlp_ratio)
        } else if !within(self.dropout) || !within(self.drop_path) {
            let (dropout, drop_path) = (self.dropout, self.drop_path);
            format!("dropout {dropout}, drop_path {drop_path}: must be at least 0 and below 1")
        } else if let Some(problem) = eps_problem(self.eps) {
            problem
        } else {
            return Ok(());
        };
        Err(Error::setting("swin", problem))
    }
}
