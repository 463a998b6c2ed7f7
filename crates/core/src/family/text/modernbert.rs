//! ModernBERT as transformers saves it (Warner et al. 2024): pre-norm without biases, gated MLPs,
//! rotary positions, and blocks that attend to near positions alone between those that attend to all.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
    uncounted_heads,
};
use crate::nn::{
    Activation, AttentionBiases, AttentionKind, Bias, Dense, DenseNorm, EmbedderConfig, FirstNorm,
    HeadConfig, LocalAttention, MlpKind, NormKind, NormPlacement, Pool, PositionConfig,
    PositionTable, RotaryConfig, TokenEmbedderConfig, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, TensorTransform, same, transformed};

pub(in crate::family) const MODERNBERT: Family = Family {
    name: "modernbert",
    reads: "ModernBERT (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("modernbert"),
    from_config: |config, _| read(config),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "modernbert",
    prefixes: &["model.", ""],
    body: &[
        transformed("trunk.blocks.{}.attn.q", "layers.{}.attn.Wqkv", TensorTransform::Slice(0, 3)),
        transformed("trunk.blocks.{}.attn.k", "layers.{}.attn.Wqkv", TensorTransform::Slice(1, 3)),
        transformed("trunk.blocks.{}.attn.v", "layers.{}.attn.Wqkv", TensorTransform::Slice(2, 3)),
        same("trunk.blocks.{}.attn.out", "layers.{}.attn.Wo"),
        same("trunk.blocks.{}.norm1", "layers.{}.attn_norm"),
        transformed("trunk.blocks.{}.mlp.gate", "layers.{}.mlp.Wi", TensorTransform::Slice(0, 2)),
        transformed("trunk.blocks.{}.mlp.up", "layers.{}.mlp.Wi", TensorTransform::Slice(1, 2)),
        same("trunk.blocks.{}.mlp.down", "layers.{}.mlp.Wo"),
        same("trunk.blocks.{}.norm2", "layers.{}.mlp_norm"),
        same("trunk.norm", "final_norm"),
        same("embed.token", "embeddings.tok_embeddings"),
        same("embed.norm", "embeddings.norm"),
    ],
    head: &[
        same("head.dense", "head.dense"),
        same("head.norm_dense", "head.norm"),
        same("head", "classifier"),
    ],
};

const CLASS: &str = "ModernBertForSequenceClassification";

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new(CLASS, Pool::First, HeadKind::DenseNormed(Activation::Gelu)),
        Class::new(CLASS, Pool::Mean, HeadKind::DenseNormed(Activation::Gelu)),
        Class::new(
            "ModernBertForTokenClassification",
            Pool::Positions,
            HeadKind::DenseNormed(Activation::Gelu),
        ),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: fields,
};

#[derive(Deserialize)]
struct ModernBertConfig {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    vocab_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "defaults::usual_eps")]
    norm_eps: f64,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    classifier_bias: bool,
    #[serde(default)]
    attention_dropout: f64,
    #[serde(default)]
    embedding_dropout: f64,
    layer_types: Option<Vec<LayerType>>,
    #[serde(default = "three")]
    global_attn_every_n_layers: usize,
    #[serde(default = "window")]
    local_attention: i64,
    rope_parameters: Option<Rotary>,
    global_rope_theta: Option<f64>,
    local_rope_theta: Option<f64>,
    #[serde(default)]
    classifier_pooling: Pooling,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum LayerType {
    FullAttention,
    SlidingAttention,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Pooling {
    #[default]
    Cls,
    Mean,
}

#[derive(Deserialize)]
struct Rotary {
    full_attention: Option<Base>,
    sliding_attention: Option<Base>,
}

#[derive(Deserialize)]
struct Base {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
}

fn three() -> usize {
    3
}

fn window() -> i64 {
    128
}

const GLOBAL_BASE: f64 = 160_000.;
const LOCAL_BASE: f64 = 10_000.;

fn read(config: &Config) -> Result<PretrainedConfig> {
    let c: ModernBertConfig = config.parse()?;
    if !matches!(config.field("rope_scaling"), Value::Null) {
        return Err(config.refuse("rope_scaling is not supported".into()));
    }
    let bias = |with| if with { Bias::With } else { Bias::Without };
    let norm_kind = if c.norm_bias { NormKind::LayerNorm } else { NormKind::LayerNormUnbiased };
    let activation = config.activation("classifier_activation")?;
    Ok(PretrainedConfig {
        name: "modernbert".into(),
        modality: "text".into(),
        trunk: TrunkConfig::Transformer(TransformerConfig {
            heads: c.num_attention_heads,
            mlp: c.intermediate_size,
            norm_placement: NormPlacement::Pre,
            norm_kind,
            first_norm: FirstNorm::Without,
            activation: config.activation("hidden_activation")?,
            mlp_kind: MlpKind::Gated,
            mlp_bias: bias(c.mlp_bias),
            attention: AttentionKind::Bidirectional,
            biases: AttentionBiases::of(bias(c.attention_bias), bias(c.attention_bias)),
            eps: c.norm_eps,
            dropout: c.attention_dropout,
            positions: PositionConfig::Rotary(RotaryConfig::of(c.base(config, false)?)),
            local: c.local(config)?,
            ..TransformerConfig::of(c.hidden_size, c.num_hidden_layers)
        }),
        embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
            segments: 0,
            eps: Some(c.norm_eps),
            norm_kind,
            dropout: c.embedding_dropout,
            position_table: PositionTable::Without,
            ..TokenEmbedderConfig::of(c.vocab_size, c.max_position_embeddings)
        }),
        head: PretrainedHead {
            pool: match c.classifier_pooling {
                Pooling::Cls => Pool::First,
                Pooling::Mean => Pool::Mean,
            },
            config: HeadConfig {
                dense: Some(Dense { width: c.hidden_size, activation }),
                dense_bias: bias(c.classifier_bias),
                dense_norm: Some(DenseNorm { kind: norm_kind, eps: c.norm_eps }),
                ..HeadConfig::default()
            },
            labels: config.labels()?,
        },
    })
}

impl ModernBertConfig {
    /// The rotary base of blocks that attend to all positions, or to near ones.
    fn base(&self, config: &Config, local: bool) -> Result<f64> {
        let given = self.rope_parameters.as_ref();
        let (given, older, usual) = match local {
            true => (
                given.and_then(|rotary| rotary.sliding_attention.as_ref()),
                self.local_rope_theta,
                LOCAL_BASE,
            ),
            false => (
                given.and_then(|rotary| rotary.full_attention.as_ref()),
                self.global_rope_theta,
                GLOBAL_BASE,
            ),
        };
        let kind = given.and_then(|base| base.rope_type.as_deref()).unwrap_or("default");
        if kind != "default" {
            return Err(config.refuse(format!("rope_type is {kind:?}, expected default")));
        }
        Ok(given.and_then(|base| base.rope_theta).or(older).unwrap_or(usual))
    }

    fn local(&self, config: &Config) -> Result<Option<LocalAttention>> {
        let depth = self.num_hidden_layers;
        let blocks: Vec<usize> = match &self.layer_types {
            Some(types) if types.len() != depth => {
                let problem = format!("layer_types has {}, expected {depth}", types.len());
                return Err(config.refuse(problem));
            }
            Some(types) => {
                let local = |i: &usize| types[*i] == LayerType::SlidingAttention;
                (0..depth).filter(local).collect()
            }
            None => {
                let every = self.global_attn_every_n_layers.max(1);
                // The transformer refuses what is beyond it.
                (0..depth.min(TransformerConfig::DEEPEST)).filter(|i| i % every != 0).collect()
            }
        };
        let base = Some(self.base(config, true)?);
        let local = LocalAttention { reach: self.local_attention / 2, blocks, base };
        Ok(Some(local).filter(|local| !local.blocks.is_empty()))
    }
}

fn fields(built: Built<'_>) -> Option<Value> {
    let t = built.transformer(NormPlacement::Pre, AttentionKind::Bidirectional)?;
    let EmbedderConfig::Tokens(e) = built.embedder else { return None };
    let PositionConfig::Rotary(rotary) = t.positions else { return None };
    let local = t.local.as_ref();
    let near = |i: usize| local.is_some_and(|local| local.blocks.contains(&i));
    let kind = |i| if near(i) { "sliding_attention" } else { "full_attention" };
    let local_base = local.and_then(|local| local.base).unwrap_or(rotary.base);
    Some(json!({
        "model_type": "modernbert", "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "intermediate_size": t.mlp,
        "hidden_activation": activation(t.activation), "norm_eps": t.eps,
        "norm_bias": t.norm_kind == NormKind::LayerNorm,
        "attention_bias": t.biases.q == Bias::With, "mlp_bias": t.mlp_bias == Bias::With,
        "attention_dropout": t.dropout, "mlp_dropout": t.dropout, "embedding_dropout": e.dropout,
        "vocab_size": e.vocabulary, "max_position_embeddings": e.positions,
        "layer_types": (0..t.depth).map(kind).collect::<Vec<_>>(),
        "local_attention": local.map_or(window(), |local| 2 * local.reach),
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": rotary.base},
            "sliding_attention": {"rope_type": "default", "rope_theta": local_base},
        },
        "classifier_pooling": if built.pool == Pool::Mean { "mean" } else { "cls" },
        "classifier_activation": activation(built.head.dense?.activation),
        "classifier_bias": built.head.dense_bias == Bias::With,
    }))
}
