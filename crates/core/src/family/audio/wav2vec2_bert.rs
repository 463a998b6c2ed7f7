//! wav2vec2-BERT (Chung et al. 2021, W2v-BERT; Barrault et al. 2023, SeamlessM4T) as transformers saves
//! it: a conformer over log-mel frames.

use serde::Deserialize;
use serde_json::json;

use super::conformer::{BODY, ConformerConfig, whole};
use super::wav2vec2::{HEAD, classes};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Built, Family, HuggingFace, PretrainedConfig, PretrainedHead, activation, uncounted_heads,
};
use crate::nn::{
    Activation, AttentionKind, ConvolutionConfig, ConvolutionNorm, ConvolutionReach, Dense,
    DistanceConfig, EmbedderConfig, FinalNorm, HeadConfig, NormPlacement, Pool, PositionConfig,
    StackedFramesConfig, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, joined, same};

pub(in crate::family) const WAV2VEC2_BERT: Family = Family {
    name: "wav2vec2-bert",
    reads: "wav2vec2-BERT (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("wav2vec2-bert"),
    from_config: |config, _| from_config(config),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HuggingFace {
        classes: &classes("Wav2Vec2BertForSequenceClassification", "Wav2Vec2BertForCTC"),
        key_map: KEY_MAP,
        in_memory: &[],
        to_config: fields,
    }),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "wav2vec2-bert",
    prefixes: &["wav2vec2_bert.", ""],
    body: &joined::<{ OWN.len() + BODY.len() }>(OWN, BODY),
    head: HEAD,
};

const OWN: &[KeyRule] = &[same(
    "trunk.blocks.{}.conv.norm_depthwise",
    "encoder.layers.{}.conv_module.depthwise_layer_norm",
)];

/// `Wav2Vec2BertConfig`.
#[derive(Deserialize)]
struct Wav2Vec2BertConfig {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    #[serde(default = "stacked_bands")]
    feature_projection_input_dim: i64,
    #[serde(default = "swish")]
    hidden_act: String,
    #[serde(default)]
    hidden_dropout: f64,
    #[serde(default = "defaults::usual_eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    use_weighted_layer_sum: bool,
    #[serde(default = "projected")]
    classifier_proj_size: i64,
    #[serde(default)]
    add_adapter: bool,
    #[serde(default)]
    use_intermediate_ffn_before_adapter: bool,
    #[serde(default = "behind")]
    left_max_position_embeddings: i64,
    #[serde(default = "ahead")]
    right_max_position_embeddings: i64,
}

fn stacked_bands() -> i64 {
    160
}

fn swish() -> String {
    "swish".into()
}

fn projected() -> i64 {
    768
}

fn behind() -> i64 {
    64
}

fn ahead() -> i64 {
    8
}

/// Frames that stand side by side in one position.
const STACKED: i64 = 2;

fn from_config(config: &Config) -> Result<PretrainedConfig> {
    let c: Wav2Vec2BertConfig = config.parse()?;
    let conformer: ConformerConfig = config.parse()?;
    let problem = if c.add_adapter {
        "add_adapter: an adapter is not supported".into()
    } else if c.use_intermediate_ffn_before_adapter {
        "use_intermediate_ffn_before_adapter is not supported".into()
    } else if c.feature_projection_input_dim < STACKED
        || c.feature_projection_input_dim % STACKED != 0
    {
        let found = c.feature_projection_input_dim;
        format!("feature_projection_input_dim is {found}, expected that of {STACKED} frames")
    } else {
        String::new()
    };
    if !problem.is_empty() {
        return Err(config.refuse(problem));
    }
    let positions = match conformer.position_embeddings_type.as_deref() {
        Some("relative_key") => PositionConfig::Distances(DistanceConfig {
            behind: c.left_max_position_embeddings,
            ahead: c.right_max_position_embeddings,
        }),
        _ => conformer.positions(config)?,
    };
    let dense = Some(Dense { width: c.classifier_proj_size, activation: Activation::Identity });
    Ok(PretrainedConfig {
        name: "wav2vec2-bert".into(),
        modality: "audio".into(),
        trunk: TrunkConfig::Transformer(TransformerConfig {
            heads: c.num_attention_heads,
            mlp: c.intermediate_size,
            norm_placement: NormPlacement::Pre,
            activation: config.named_activation("hidden_act", &c.hidden_act)?,
            attention: AttentionKind::Bidirectional,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout,
            // Each block ends in one.
            final_norm: FinalNorm::Without,
            positions,
            convolution: Some(ConvolutionConfig {
                kernel: conformer.conv_depthwise_kernel_size,
                reach: ConvolutionReach::Causal,
                norm: ConvolutionNorm::Layer,
            }),
            ..TransformerConfig::of(c.hidden_size, c.num_hidden_layers)
        }),
        embedder: EmbedderConfig::StackedFrames(StackedFramesConfig {
            bands: c.feature_projection_input_dim / STACKED,
            stacked: STACKED,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout,
        }),
        head: PretrainedHead {
            pool: if c.use_weighted_layer_sum { Pool::WeightedLayers } else { Pool::Mean },
            config: HeadConfig { dense, ..HeadConfig::default() },
            labels: config.labels()?,
        },
    })
}

fn fields(built: Built<'_>) -> Option<serde_json::Value> {
    let t = built.transformer(NormPlacement::Pre, AttentionKind::Bidirectional)?;
    let EmbedderConfig::StackedFrames(e) = built.embedder else { return None };
    let mut fields = json!({
        "model_type": "wav2vec2-bert", "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "intermediate_size": t.mlp,
        "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
        "hidden_dropout": t.dropout, "feature_projection_input_dim": e.bands * e.stacked,
        "conv_depthwise_kernel_size": t.convolution?.kernel,
        "classifier_proj_size": built.projected()?, "use_weighted_layer_sum": built.sums_layers(),
        // Nothing was masked in training, so there is no vector to mask with.
        "mask_time_prob": 0., "mask_feature_prob": 0.,
    });
    fields["position_embeddings_type"] = match t.positions {
        PositionConfig::Distances(distances) => {
            fields["left_max_position_embeddings"] = json!(distances.behind);
            fields["right_max_position_embeddings"] = json!(distances.ahead);
            json!("relative_key")
        }
        PositionConfig::Sinusoids => json!("relative"),
        PositionConfig::RotaryInputs(rotary) => {
            fields["rotary_embedding_base"] = whole(rotary.base);
            json!("rotary")
        }
        _ => json!(null),
    };
    Some(fields)
}
