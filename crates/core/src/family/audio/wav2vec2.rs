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
    TransformerConfig, TrunkConfig, WaveformEmbedderConfig, WaveformNorm,
};
use crate::weights::{KeyMap, KeyRule, TensorTransform, same, transformed};

pub(in crate::family) const WAV2VEC2: Family = Family {
    name: "wav2vec2",
    key_map: WAV2VEC2_NAMES,
    matches_config: |config| config.model_type() == Some("wav2vec2"),
    from_config: |config, _| read(config, "wav2vec2"),
    from_tensors: |_| Err("the strides of its convolutions cannot be told"),
    hugging_face: Some(&WAV2VEC2_HUGGING_FACE),
};

const WAV2VEC2_NAMES: KeyMap =
    KeyMap { name: "wav2vec2", prefixes: &["wav2vec2.", ""], body: BODY, head: HEAD };

pub(in crate::family) const HUBERT: Family = Family {
    name: "hubert",
    key_map: HUBERT_NAMES,
    matches_config: |config| config.model_type() == Some("hubert"),
    from_config: |config, _| read(config, "hubert"),
    from_tensors: |_| Err("the strides of its convolutions cannot be told"),
    hugging_face: Some(&HUBERT_HUGGING_FACE),
};

const WAV2VEC2_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new(
        "Wav2Vec2ForSequenceClassification",
        Pool::Mean,
        HeadKind::Dense(Activation::Identity),
    )],
    key_map: WAV2VEC2_NAMES,
    in_memory: &[],
    to_config: |built| fields("wav2vec2", built),
};

const HUBERT_NAMES: KeyMap =
    KeyMap { name: "hubert", prefixes: &["hubert.", ""], body: BODY, head: HEAD };

const BODY: &[KeyRule] = &[
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
    // Weight normalisation, in both of PyTorch's spellings.
    transformed("embed.position.weight", "encoder.pos_conv_embed.conv", NEW),
    transformed("embed.position.weight", "encoder.pos_conv_embed.conv", OLD),
    same("embed.position.bias", "encoder.pos_conv_embed.conv.bias"),
    // The same norm stands before the blocks of a base model and behind those of a large one.
    same("embed.norm", "encoder.layer_norm"),
    same("trunk.norm", "encoder.layer_norm"),
];

const NEW: TensorTransform = TensorTransform::WeightNorm {
    g: "parametrizations.weight.original0",
    v: "parametrizations.weight.original1",
    dim: 2,
};

const HUBERT_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new(
        "HubertForSequenceClassification",
        Pool::Mean,
        HeadKind::Dense(Activation::Identity),
    )],
    key_map: HUBERT_NAMES,
    in_memory: &[],
    to_config: |built| fields("hubert", built),
};

const OLD: TensorTransform = TensorTransform::WeightNorm { g: "weight_g", v: "weight_v", dim: 2 };

/// As all of transformers' heads for sound have it.
pub(super) const HEAD: &[KeyRule] = &[
    same("head.layer_weights", "layer_weights"),
    same("head.dense", "projector"),
    same("head", "classifier"),
];

/// `Wav2Vec2Config` and `HubertConfig`.
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

fn read(config: &Config, name: &str) -> Result<PretrainedConfig> {
    let c: Wav2Vec2Config = config.parse()?;
    let layers = c.conv_dim.len();
    let problem = if layers == 0 || c.conv_kernel.len() != layers || c.conv_stride.len() != layers {
        "conv_dim, conv_kernel and conv_stride differ in length, or are empty"
    } else if [&c.conv_dim, &c.conv_kernel, &c.conv_stride].iter().any(|v| v.iter().any(|&n| n < 1))
        || c.num_conv_pos_embeddings < 1
        || c.num_conv_pos_embedding_groups < 1
    {
        "a convolution has a size below 1"
    } else if c.use_weighted_layer_sum {
        "its head takes a weighted sum of all layers, which is not supported"
    } else if c.add_adapter {
        "it has an adapter, which is not supported"
    } else if c.conv_pos_batch_norm {
        "its positions are normalised over the batch, which is not supported"
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
            position_kernel: c.num_conv_pos_embeddings,
            position_groups: c.num_conv_pos_embedding_groups,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout,
        }),
        head: PretrainedHead {
            pool: Pool::Mean,
            config: HeadConfig { dense, ..HeadConfig::default() },
            labels: config.labels()?,
        },
    })
}

/// The fields of `Wav2Vec2Config` and `HubertConfig`.
fn fields(model_type: &str, built: Built<'_>) -> Option<Value> {
    let TrunkConfig::Transformer(t) = built.trunk else { return None };
    let t = built.transformer(t.norm_placement, AttentionKind::Bidirectional)?;
    let EmbedderConfig::Waveform(e) = built.embedder else { return None };
    let column = |i: usize| e.convolutions.iter().map(|c| c[i]).collect::<Vec<_>>();
    Some(json!({
        "model_type": model_type, "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "intermediate_size": t.mlp,
        "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
        "hidden_dropout": t.dropout,
        "do_stable_layer_norm": t.norm_placement == NormPlacement::Pre,
        "conv_dim": column(0), "conv_kernel": column(1), "conv_stride": column(2),
        "num_feat_extract_layers": e.convolutions.len(), "conv_bias": e.bias,
        "feat_extract_norm": match e.norm {
            WaveformNorm::Group => "group",
            WaveformNorm::Layer => "layer",
        },
        "feat_proj_layer_norm": e.feature_norm, "num_conv_pos_embeddings": e.position_kernel,
        "num_conv_pos_embedding_groups": e.position_groups,
        "classifier_proj_size": built.projected()?,
        // Nothing was masked in training, so there is no vector to mask with.
        "mask_time_prob": 0., "mask_feature_prob": 0.,
        "vocab_size": 32,
    }))
}
