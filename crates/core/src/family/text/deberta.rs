//! DeBERTa v2 and v3 as transformers saves them (He et al. 2021, 2023): BERT's blocks with
//! disentangled attention.

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
    Activation, AttentionKind, Dense, DisentangledConfig, DisentangledTerms, EmbedderConfig,
    EmbeddingProjection, HeadConfig, InputConvolution, NormPlacement, Pool, PositionConfig,
    PositionProjections, PositionTable, TokenEmbedderConfig, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, same};

pub(in crate::family) const DEBERTA_V2: Family = Family {
    name: "deberta-v2",
    reads: "DeBERTa v2 and v3 (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("deberta-v2"),
    from_config: |config, _| read(config),
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "deberta-v2",
    prefixes: &["deberta.", ""],
    body: &[
        same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.self.query_proj"),
        same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.self.key_proj"),
        same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.self.value_proj"),
        same("trunk.blocks.{}.attn.position_q", "encoder.layer.{}.attention.self.pos_query_proj"),
        same("trunk.blocks.{}.attn.position_k", "encoder.layer.{}.attention.self.pos_key_proj"),
        same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
        same("trunk.blocks.{}.norm1", "encoder.layer.{}.attention.output.LayerNorm"),
        same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
        same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
        same("trunk.blocks.{}.norm2", "encoder.layer.{}.output.LayerNorm"),
        same("trunk.blocks.0.conv.norm", "encoder.conv.LayerNorm"),
        same("trunk.blocks.0.conv", "encoder.conv.conv"),
        same("trunk.shared.relative", "encoder.rel_embeddings"),
        same("trunk.shared.norm_relative", "encoder.LayerNorm"),
        same("embed.token", "embeddings.word_embeddings"),
        same("embed.position", "embeddings.position_embeddings"),
        same("embed.segment", "embeddings.token_type_embeddings"),
        same("embed.project", "embeddings.embed_proj"),
        same("embed.norm", "embeddings.LayerNorm"),
    ],
    head: &[same("head.dense", "pooler.dense"), same("head", "classifier")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new(
            "DebertaV2ForSequenceClassification",
            Pool::First,
            HeadKind::Dense(Activation::Gelu),
        ),
        Class::of_positions("DebertaV2ForTokenClassification", None),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: fields,
};

#[derive(Deserialize)]
struct DebertaConfig {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    attention_head_size: Option<i64>,
    intermediate_size: i64,
    vocab_size: i64,
    embedding_size: Option<i64>,
    max_position_embeddings: i64,
    #[serde(default)]
    type_vocab_size: i64,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(default = "defaults::tenth")]
    hidden_dropout_prob: f64,
    #[serde(default)]
    relative_attention: bool,
    #[serde(default = "none")]
    max_relative_positions: i64,
    #[serde(default = "none")]
    position_buckets: i64,
    #[serde(default = "defaults::yes")]
    position_biased_input: bool,
    pos_att_type: Option<Words>,
    #[serde(default)]
    share_att_key: bool,
    norm_rel_ebd: Option<String>,
    pooler_hidden_size: Option<i64>,
    #[serde(default)]
    conv_kernel_size: i64,
    #[serde(default = "one")]
    conv_groups: i64,
}

/// Words in a list, or with lines between them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    Text(String),
}

fn eps() -> f64 {
    1e-7
}

fn none() -> i64 {
    -1
}

fn one() -> i64 {
    1
}

fn read(config: &Config) -> Result<PretrainedConfig> {
    let c: DebertaConfig = config.parse()?;
    let pooler = c.pooler_hidden_size.unwrap_or(c.hidden_size);
    if pooler != c.hidden_size {
        let problem = format!("pooler_hidden_size is {pooler}, expected {}", c.hidden_size);
        return Err(config.refuse(problem));
    }
    let terms = terms(config, c.pos_att_type.as_ref())?;
    // Scores are the sum of so many products of the same variance.
    let parts = match terms {
        None => 1,
        Some(DisentangledTerms::Both) => 3,
        Some(_) => 2,
    };
    let heads = c.num_attention_heads.max(1);
    let head_width = c.attention_head_size.unwrap_or(c.hidden_size / heads);
    let scale = (parts > 1).then(|| (head_width.saturating_mul(parts) as f64).sqrt().recip());
    let conv = (c.conv_kernel_size > 0).then(|| {
        let activation = match config.field("conv_act") {
            Value::Null => Ok(Activation::Tanh),
            Value::String(tanh) if tanh == "tanh" => Ok(Activation::Tanh),
            _ => config.activation("conv_act"),
        };
        let (kernel, groups) = (c.conv_kernel_size, c.conv_groups);
        activation.map(|activation| InputConvolution { kernel, groups, activation })
    });
    let dense =
        Some(Dense { width: c.hidden_size, activation: config.activation("pooler_hidden_act")? });
    Ok(PretrainedConfig {
        name: "deberta-v2".into(),
        modality: "text".into(),
        trunk: TrunkConfig::Transformer(TransformerConfig {
            heads: c.num_attention_heads,
            head_width: c.attention_head_size,
            scale,
            mlp: c.intermediate_size,
            norm_placement: NormPlacement::Post,
            activation: config.activation("hidden_act")?,
            attention: AttentionKind::Bidirectional,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout_prob,
            positions: c.positions(config, terms)?,
            conv: conv.transpose()?,
            ..TransformerConfig::of(c.hidden_size, c.num_hidden_layers)
        }),
        embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
            segments: c.type_vocab_size,
            eps: Some(c.layer_norm_eps),
            dropout: c.hidden_dropout_prob,
            position_table: match c.position_biased_input {
                true => PositionTable::Learned,
                false => PositionTable::Without,
            },
            embedding_width: c.embedding_size.filter(|narrow| *narrow != c.hidden_size),
            projection: EmbeddingProjection::AheadOfNorm,
            ..TokenEmbedderConfig::of(c.vocab_size, c.max_position_embeddings)
        }),
        head: PretrainedHead {
            pool: Pool::First,
            config: HeadConfig { dense, ..HeadConfig::default() },
            labels: config.labels()?,
        },
    })
}

/// What `pos_att_type` asks for.
fn terms(config: &Config, words: Option<&Words>) -> Result<Option<DisentangledTerms>> {
    let words: Vec<String> = match words {
        None => vec![],
        Some(Words::List(words)) => words.clone(),
        Some(Words::Text(text)) => text.split('|').map(|word| word.trim().to_lowercase()).collect(),
    };
    let words: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    if let Some(other) = words.iter().find(|word| !["c2p", "p2c"].contains(word)) {
        return Err(config.refuse(format!("pos_att_type has {other:?}, expected c2p and p2c")));
    }
    Ok(match (words.contains(&"c2p"), words.contains(&"p2c")) {
        (true, true) => Some(DisentangledTerms::Both),
        (true, false) => Some(DisentangledTerms::ContentToPosition),
        (false, true) => Some(DisentangledTerms::PositionToContent),
        (false, false) => None,
    })
}

impl DebertaConfig {
    fn positions(
        &self,
        config: &Config,
        terms: Option<DisentangledTerms>,
    ) -> Result<PositionConfig> {
        let Some(terms) = terms.filter(|_| self.relative_attention) else {
            return Ok(PositionConfig::None);
        };
        let longest = match self.max_relative_positions {
            ..1 => self.max_position_embeddings,
            longest => longest,
        };
        Ok(PositionConfig::Disentangled(DisentangledConfig {
            span: if self.position_buckets > 0 { self.position_buckets } else { longest },
            max_distance: (self.position_buckets > 0).then_some(longest),
            terms,
            projections: match self.share_att_key {
                true => PositionProjections::Shared,
                false => PositionProjections::Own,
            },
            norm: match self.norm_rel_ebd.as_deref() {
                None | Some("none" | "") => None,
                Some("layer_norm") => Some(self.layer_norm_eps),
                Some(other) => {
                    let problem = format!("norm_rel_ebd is {other:?}, expected layer_norm or none");
                    return Err(config.refuse(problem));
                }
            },
        }))
    }
}

fn fields(built: Built<'_>) -> Option<Value> {
    let t = built.transformer(NormPlacement::Post, AttentionKind::Bidirectional)?;
    let EmbedderConfig::Tokens(e) = built.embedder else { return None };
    let mut fields = json!({
        "model_type": "deberta-v2", "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "attention_head_size": t.head_width(),
        "intermediate_size": t.mlp, "hidden_act": activation(t.activation),
        "layer_norm_eps": t.eps, "hidden_dropout_prob": t.dropout,
        "attention_probs_dropout_prob": t.dropout, "vocab_size": e.vocabulary,
        "embedding_size": e.embedding_width.unwrap_or(t.width),
        "max_position_embeddings": e.positions, "type_vocab_size": e.segments,
        "position_biased_input": e.position_table == PositionTable::Learned,
        "pooler_hidden_size": t.width, "relative_attention": false,
    });
    let mut set = |name: &str, value: Value| fields[name] = value;
    if let Some(dense) = built.head.dense {
        set("pooler_hidden_act", json!(activation(dense.activation)));
    }
    if let Some(conv) = t.conv {
        set("conv_kernel_size", json!(conv.kernel));
        set("conv_groups", json!(conv.groups));
        set("conv_act", json!(activation(conv.activation)));
    }
    match t.positions {
        PositionConfig::None => {}
        PositionConfig::Disentangled(p) => {
            set("relative_attention", json!(true));
            set("max_relative_positions", json!(p.max_distance.unwrap_or(p.span)));
            set("position_buckets", json!(p.max_distance.map_or(-1, |_| p.span)));
            let words: &[&str] = match p.terms {
                DisentangledTerms::Both => &["p2c", "c2p"],
                DisentangledTerms::ContentToPosition => &["c2p"],
                DisentangledTerms::PositionToContent => &["p2c"],
            };
            set("pos_att_type", json!(words));
            set("share_att_key", json!(p.projections == PositionProjections::Shared));
            set("norm_rel_ebd", json!(if p.norm.is_some() { "layer_norm" } else { "none" }));
        }
        _ => return None,
    }
    Some(fields)
}
