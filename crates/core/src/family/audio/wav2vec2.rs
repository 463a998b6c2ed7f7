//! wav2vec 2.0 (Baevski et al. 2020) and HuBERT (Hsu et al. 2021) as transformers saves them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
};
use crate::nn::{
    Activation, AttentionKind, Dense, EmbedderConfig, HeadConfig, NormPlacement, Pool,
    TransformerConfig, TrunkConfig, WaveformEmbedderConfig, WaveformNorm, WaveformPositions,
};
use crate::weights::{Checkpoint, KeyMap, KeyRule, TensorTransform, same, transformed};

pub(in crate::family) const WAV2VEC2: Family = Family {
    name: "wav2vec2",
    reads: "wav2vec 2.0 (transformers)",
    key_map: WAV2VEC2_NAMES,
    matches_config: |config| config.model_type() == Some("wav2vec2"),
    from_config: |config, _| read(config, "wav2vec2"),
    from_tensors: untold,
    hugging_face: Some(&HuggingFace {
        classes: &classes("Wav2Vec2ForSequenceClassification", "Wav2Vec2ForCTC"),
        key_map: WAV2VEC2_NAMES,
        in_memory: &[],
        to_config: |built| fields("wav2vec2", built),
    }),
};

const WAV2VEC2_NAMES: KeyMap =
    KeyMap { name: "wav2vec2", prefixes: &["wav2vec2.", ""], body: BODY, head: HEAD };

pub(in crate::family) const HUBERT: Family = Family {
    name: "hubert",
    reads: "HuBERT (transformers)",
    key_map: HUBERT_NAMES,
    matches_config: |config| config.model_type() == Some("hubert"),
    from_config: |config, _| read(config, "hubert"),
    from_tensors: untold,
    hugging_face: Some(&HuggingFace {
        classes: &classes("HubertForSequenceClassification", "HubertForCTC"),
        key_map: HUBERT_NAMES,
        in_memory: &[],
        to_config: |built| fields("hubert", built),
    }),
};

const HUBERT_NAMES: KeyMap =
    KeyMap { name: "hubert", prefixes: &["hubert.", ""], body: BODY, head: HEAD };

/// What such tensors alone do not tell.
pub(super) fn untold(_: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    Err("the strides of its convolutions cannot be told")
}

/// One of transformers' classes with each pool that it has, and the one that transcribes. A weighted sum
/// has the last block's output behind the final norm where there is none, and ahead of it where there is
/// one.
pub(super) const fn classes(name: &'static str, ctc: &'static str) -> [Class; 4] {
    let head = HeadKind::Dense(Activation::Identity);
    [
        Class::new(name, Pool::Mean, head),
        Class::new(name, Pool::WeightedLayers, head),
        Class::new(name, Pool::WeightedBlocks, head),
        Class::ctc(ctc),
    ]
}

pub(super) const BODY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layers.{}.attention.q_proj"),
    same("trunk.blocks.{}.attn.k", "encoder.layers.{}.attention.k_proj"),
    same("trunk.blocks.{}.attn.v", "encoder.layers.{}.attention.v_proj"),
    same("trunk.blocks.{}.attn.out", "encoder.layers.{}.attention.out_proj"),
    same("trunk.blocks.{}.norm1", "encoder.layers.{}.layer_norm"),
    same("trunk.blocks.{}.norm2", "encoder.layers.{}.final_layer_norm"),
    same("trunk.blocks.{}.mlp.up", "encoder.layers.{}.feed_forward.intermediate_dense"),
    same("trunk.blocks.{}.mlp.down", "encoder.layers.{}.feed_forward.output_dense"),
    same("embed.convs.{}.conv", "feature_extractor.conv_layers.{}.conv"),
    same("embed.convs.{}.norm", "feature_extractor.conv_layers.{}.layer_norm"),
    same("embed.feature_norm", "feature_projection.layer_norm"),
    same("embed.project", "feature_projection.projection"),
    // Which nothing but training computes with.
    same("embed.mask", "masked_spec_embed"),
    // Weight normalisation, in both of PyTorch's spellings.
    transformed("embed.position.weight", "encoder.pos_conv_embed.conv", NEW),
    transformed("embed.position.weight", "encoder.pos_conv_embed.conv", OLD),
    same("embed.position.bias", "encoder.pos_conv_embed.conv.bias"),
    // Without weight normalisation, behind a batch norm.
    same("embed.positions.0", "encoder.pos_conv_embed.conv"),
    same("embed.norm_position", "encoder.pos_conv_embed.batch_norm"),
    // The same norm stands before the blocks of a base model and behind those of a large one.
    same("embed.norm", "encoder.layer_norm"),
    same("trunk.norm", "encoder.layer_norm"),
];

const NEW: TensorTransform = TensorTransform::WeightNorm {
    g: "parametrizations.weight.original0",
    v: "parametrizations.weight.original1",
    dim: 2,
};

const OLD: TensorTransform = TensorTransform::WeightNorm { g: "weight_g", v: "weight_v", dim: 2 };

/// As all of transformers' heads for sound have it.
pub(super) const HEAD: &[KeyRule] = &[
    same("head.layer_weights", "layer_weights"),
    same("head.dense", "projector"),
    same("head", "classifier"),
    same("head", "lm_head"),
];

/// `Wav2Vec2Config`, and what the configurations of its kin have in common with it.
#[derive(Deserialize)]
struct Wav2Vec2Config {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    conv_dim: Vec<i64>,
    conv_kernel: Vec<i64>,
    conv_stride: Vec<i64>,
    #[serde(default)]
    conv_bias: bool,
    #[serde(default = "group")]
    feat_extract_norm: String,
    #[serde(default)]
    do_stable_layer_norm: bool,
    #[serde(default = "defaults::yes")]
    feat_proj_layer_norm: bool,
    #[serde(default)]
    conv_pos_batch_norm: bool,
    #[serde(default = "kernel")]
    num_conv_pos_embeddings: i64,
    /// data2vec's: there the field above counts layers.
    conv_pos_kernel_size: Option<i64>,
    #[serde(default = "groups")]
    num_conv_pos_embedding_groups: i64,
    #[serde(default = "defaults::usual_eps")]
    layer_norm_eps: f64,
    #[serde(default = "defaults::tenth")]
    hidden_dropout: f64,
    #[serde(default = "defaults::projected")]
    classifier_proj_size: i64,
    #[serde(default)]
    use_weighted_layer_sum: bool,
    #[serde(default)]
    add_adapter: bool,
    /// The adapters of MMS, in every block.
    adapter_attn_dim: Option<i64>,
}

fn group() -> String {
    "group".into()
}

fn kernel() -> i64 {
    128
}

fn groups() -> i64 {
    16
}

/// Reads the configuration of wav2vec2 or of one of its kin.
pub(super) fn read(config: &Config, name: &str) -> Result<PretrainedConfig> {
    let c: Wav2Vec2Config = config.parse()?;
    let layers = c.conv_dim.len();
    let problem = if layers == 0 || c.conv_kernel.len() != layers || c.conv_stride.len() != layers {
        "conv_dim, conv_kernel and conv_stride differ in length, or are empty"
    } else if [&c.conv_dim, &c.conv_kernel, &c.conv_stride].iter().any(|v| v.iter().any(|&n| n < 1))
        || c.num_conv_pos_embeddings < 1
        || c.conv_pos_kernel_size.is_some_and(|kernel| kernel < 1)
        || c.num_conv_pos_embedding_groups < 1
    {
        "a convolution has a size below 1"
    } else if c.add_adapter {
        "add_adapter: an adapter is not supported"
    } else if c.adapter_attn_dim.is_some() {
        "adapter_attn_dim: adapters in its blocks are not supported"
    } else if config.activation("feat_extract_activation")? != Activation::Gelu {
        "its convolutions have a GELU by tanh, which is not supported"
    } else {
        ""
    };
    if !problem.is_empty() {
        return Err(config.refuse(problem.into()));
    }
    let norm = match c.feat_extract_norm.as_str() {
        "group" => WaveformNorm::Group,
        "layer" => WaveformNorm::Layer,
        other => {
            let problem = format!("feat_extract_norm is {other:?}, expected group or layer");
            return Err(config.refuse(problem));
        }
    };
    let at = if c.do_stable_layer_norm { NormPlacement::Pre } else { NormPlacement::Post };
    let (position_kernel, positions) = match c.conv_pos_kernel_size {
        Some(kernel) => {
            let layers = usize::try_from(c.num_conv_pos_embeddings).unwrap_or(0);
            (kernel, WaveformPositions::Convolutions(layers))
        }
        None if c.conv_pos_batch_norm => (c.num_conv_pos_embeddings, WaveformPositions::BatchNorm),
        None => (c.num_conv_pos_embeddings, WaveformPositions::Convolution),
    };
    let pool = match (c.use_weighted_layer_sum, at) {
        (false, _) => Pool::Mean,
        (true, NormPlacement::Post) => Pool::WeightedLayers,
        (true, _) => Pool::WeightedBlocks,
    };
    let dense = Some(Dense { width: c.classifier_proj_size, activation: Activation::Identity });
    Ok(PretrainedConfig {
        name: name.into(),
        modality: "audio".into(),
        trunk: TrunkConfig::Transformer(TransformerConfig {
            heads: c.num_attention_heads,
            mlp: c.intermediate_size,
            norm_placement: at,
            activation: config.activation("hidden_act")?,
            attention: AttentionKind::Bidirectional,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout,
            ..TransformerConfig::of(c.hidden_size, c.num_hidden_layers)
        }),
        embedder: EmbedderConfig::Waveform(WaveformEmbedderConfig {
            convolutions: (0..layers)
                .map(|i| [c.conv_dim[i], c.conv_kernel[i], c.conv_stride[i]])
                .collect(),
            norm,
            output_norm: at,
            bias: c.conv_bias,
            feature_norm: c.feat_proj_layer_norm,
            position_kernel,
            position_groups: c.num_conv_pos_embedding_groups,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout,
            positions,
        }),
        head: PretrainedHead {
            pool,
            config: HeadConfig { dense, ..HeadConfig::default() },
            labels: config.labels()?,
        },
    })
}

/// The fields of `Wav2Vec2Config` and of its kin's.
pub(super) fn fields(model_type: &str, built: Built<'_>) -> Option<Value> {
    let TrunkConfig::Transformer(t) = built.trunk else { return None };
    let t = built.transformer(t.norm_placement, AttentionKind::Bidirectional)?;
    let EmbedderConfig::Waveform(e) = built.embedder else { return None };
    let pre = t.norm_placement == NormPlacement::Pre;
    // transformers sums the last block's output ahead of the final norm.
    if pre && built.pool == Pool::WeightedLayers {
        return None;
    }
    let column = |i: usize| e.convolutions.iter().map(|c| c[i]).collect::<Vec<_>>();
    let mut fields = json!({
        "model_type": model_type, "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "intermediate_size": t.mlp,
        "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
        "hidden_dropout": t.dropout, "do_stable_layer_norm": pre,
        "conv_dim": column(0), "conv_kernel": column(1), "conv_stride": column(2),
        "num_feat_extract_layers": e.convolutions.len(), "conv_bias": e.bias,
        "feat_extract_norm": match e.norm {
            WaveformNorm::Group => "group",
            WaveformNorm::Layer => "layer",
        },
        "feat_proj_layer_norm": e.feature_norm, "num_conv_pos_embeddings": e.position_kernel,
        "num_conv_pos_embedding_groups": e.position_groups,
        "classifier_proj_size": built.projected()?, "use_weighted_layer_sum": built.sums_layers(),
        // Nothing was masked in training, so there is no vector to mask with.
        "mask_time_prob": 0., "mask_feature_prob": 0.,
        "vocab_size": 32,
    });
    match e.positions {
        WaveformPositions::Convolution | WaveformPositions::Without => {}
        WaveformPositions::BatchNorm => fields["conv_pos_batch_norm"] = json!(true),
        WaveformPositions::Convolutions(layers) => {
            fields["num_conv_pos_embeddings"] = json!(layers);
            fields["conv_pos_kernel_size"] = json!(e.position_kernel);
        }
    }
    Some(fields)
}
