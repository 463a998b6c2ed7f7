//! BERT and its like as transformers saves them (Devlin et al. 2019): `BertModel`, bare or inside a
//! class for a task. MiniLM (Wang et al. 2020) is one, too.

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
    Activation, AttentionKind, Dense, EmbedderConfig, HeadConfig, NormPlacement, Pool,
    TokenEmbedderConfig, TransformerConfig, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, same};

pub(in crate::family) const BERT: Family = Family {
    name: "bert",
    reads: "BERT, MiniLM (transformers)",
    key_map: KEY_MAP,
    matches_config: |config| config.model_type() == Some("bert"),
    from_config: |config, _| {
        let labels = config.labels()?;
        Ok(BertConfig::read(config)?.family("bert", 0, labels))
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "bert",
    prefixes: &["bert.", ""],
    body: BODY,
    head: &[
        same("head.dense", "bert.pooler.dense"),
        same("head.dense", "pooler.dense"),
        same("head", "classifier"),
    ],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new("BertForSequenceClassification", Pool::First, HeadKind::Dense(Activation::Tanh)),
        Class::of_positions("BertForTokenClassification", None),
    ],
    key_map: KEY_MAP,
    in_memory: &[],
    to_config: |built| fields("bert", built).filter(|(_, e)| e.first_position == 0).map(|(f, _)| f),
};

/// The fields of `BertConfig` and of those that extend it, with the embedder that they tell of.
pub(in crate::family) fn fields<'b>(
    model_type: &str,
    built: Built<'b>,
) -> Option<(Value, &'b TokenEmbedderConfig)> {
    let t = built.transformer(NormPlacement::Post, AttentionKind::Bidirectional)?;
    let EmbedderConfig::Tokens(e) = built.embedder else { return None };
    let fields = json!({
        "model_type": model_type, "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "intermediate_size": t.mlp,
        "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
        "hidden_dropout_prob": t.dropout, "attention_probs_dropout_prob": t.dropout,
        "vocab_size": e.vocabulary, "max_position_embeddings": e.positions,
        "type_vocab_size": e.segments,
    });
    Some((fields, e))
}

/// The names inside `BertModel` and `RobertaModel`.
pub(in crate::family) const BODY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.self.query"),
    same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.self.key"),
    same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.self.value"),
    same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
    same("trunk.blocks.{}.norm1", "encoder.layer.{}.attention.output.LayerNorm"),
    same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
    same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
    same("trunk.blocks.{}.norm2", "encoder.layer.{}.output.LayerNorm"),
    same("embed.token", "embeddings.word_embeddings"),
    same("embed.position", "embeddings.position_embeddings"),
    same("embed.segment", "embeddings.token_type_embeddings"),
    same("embed.norm", "embeddings.LayerNorm"),
];

/// `BertConfig`, with the defaults that transformers leaves out of the file.
#[derive(Deserialize)]
pub(in crate::family) struct BertConfig {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    vocab_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "two")]
    type_vocab_size: i64,
    #[serde(default = "defaults::tiny_eps")]
    layer_norm_eps: f64,
    #[serde(default = "defaults::tenth")]
    hidden_dropout_prob: f64,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(skip, default = "defaults::exact")]
    gelu: Activation,
}

fn two() -> i64 {
    2
}

fn absolute() -> String {
    "absolute".into()
}

impl BertConfig {
    pub(in crate::family) fn read(config: &Config) -> Result<Self> {
        let read = Self { gelu: config.activation("hidden_act")?, ..config.parse()? };
        if read.position_embedding_type != "absolute" {
            let found = read.position_embedding_type;
            let problem = format!("position_embedding_type is {found:?}, expected absolute");
            return Err(config.refuse(problem));
        }
        Ok(read)
    }

    /// The length of a hidden state.
    pub(in crate::family) fn width(&self) -> i64 {
        self.hidden_size
    }

    /// A model of this configuration whose first token has the row `first_position`.
    pub(in crate::family) fn family(
        self,
        name: &str,
        first_position: i64,
        labels: Option<Vec<String>>,
    ) -> PretrainedConfig {
        let dense = Some(Dense { width: self.hidden_size, activation: Activation::Tanh });
        PretrainedConfig {
            name: name.into(),
            modality: "text".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: self.num_attention_heads,
                mlp: self.intermediate_size,
                norm_placement: NormPlacement::Post,
                activation: self.gelu,
                attention: AttentionKind::Bidirectional,
                eps: self.layer_norm_eps,
                dropout: self.hidden_dropout_prob,
                ..TransformerConfig::of(self.hidden_size, self.num_hidden_layers)
            }),
            embedder: EmbedderConfig::Tokens(TokenEmbedderConfig {
                first_position,
                segments: self.type_vocab_size,
                eps: Some(self.layer_norm_eps),
                dropout: self.hidden_dropout_prob,
                ..TokenEmbedderConfig::of(self.vocab_size, self.max_position_embeddings)
            }),
            head: PretrainedHead {
                pool: Pool::First,
                config: HeadConfig { dense, ..HeadConfig::default() },
                labels,
            },
        }
    }
}
