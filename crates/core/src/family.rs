//! Families of pretrained models: recognised by their `config.json`, each a dialect and a trunk.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    Attend, Checkpoint, Dialect, Error, Gelu, NormAt, Result, Source, TransformerConfig,
    TrunkConfig, checkpoint::CONFIG, dialect, run::read_json,
};

/// A checkpoint whose family is known.
#[derive(Debug)]
pub struct Pretrained {
    checkpoint: Checkpoint,
    family: Family,
}

/// What a family's configuration says of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// The name of the family: `bert`.
    pub name: String,
    /// The modality that the model was trained on: `text`.
    pub modality: String,
    /// The trunk.
    pub trunk: TrunkConfig,
    /// The embedder that belongs to the trunk.
    pub embedder: PretrainedEmbedder,
}

/// The embedder that a pretrained model came with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PretrainedEmbedder {
    /// Token, position and segment vectors, summed and normalised: BERT.
    Tokens(TokenEmbedderConfig),
}

/// The shape of BERT's embedder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenEmbedderConfig {
    /// The number of tokens.
    pub vocabulary: i64,
    /// The longest sequence, in tokens.
    pub positions: i64,
    /// The number of segments (sentence A, sentence B).
    pub segments: i64,
    /// The epsilon of the layer norm.
    pub eps: f64,
    /// The share of activations dropped in training.
    pub dropout: f64,
}

impl Pretrained {
    /// Opens a folder in Hugging Face layout: `config.json` and `model.safetensors`. With the
    /// feature `hub` also `hf://org/name[@revision][/file]`, which is fetched first.
    ///
    /// # Errors
    /// If a file is missing or broken, if the family is not known, or if a model cannot be fetched.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let checkpoint = Checkpoint::open(local(path.as_ref())?)?;
        let family = Family::read(&checkpoint.folder().join(CONFIG))?;
        Ok(Self { checkpoint, family })
    }

    /// The same model with another dropout, in trunk and embedder.
    ///
    /// # Errors
    /// If it is not a share from 0 to below 1.
    pub fn with_dropout(mut self, share: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&share) {
            let problem = format!("{share} is not a share from 0 to below 1");
            return Err(Error::Setting { setting: "--dropout", problem });
        }
        self.family.trunk = self.family.trunk.with_dropout(share);
        let PretrainedEmbedder::Tokens(embedder) = &mut self.family.embedder;
        embedder.dropout = share;
        Ok(self)
    }

    /// The tensors.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What the configuration says.
    pub fn family(&self) -> &Family {
        &self.family
    }

    /// The tensors, read through the family's dialect.
    pub fn source(&self) -> Result<Source<'_>> {
        Source::new(&self.checkpoint, self.family.dialect())
    }
}

#[cfg(feature = "hub")]
fn local(path: &Path) -> Result<PathBuf> {
    crate::hub::local(path, &mut |_| ())
}

#[cfg(not(feature = "hub"))]
fn local(path: &Path) -> Result<PathBuf> {
    if path.to_str().is_some_and(|text| text.starts_with("hf://")) {
        let problem = "a model on a hub, and crosstune-core was built without its feature `hub`";
        return Err(Error::Path { path: path.to_path_buf(), problem: problem.into() });
    }
    Ok(path.to_path_buf())
}

impl Family {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// If it is missing, not JSON, of an unknown family, or lacks a field.
    pub fn read(path: &Path) -> Result<Self> {
        let config: serde_json::Value = read_json(path)?;
        let model_type = config["model_type"].as_str().unwrap_or_default();
        match model_type {
            "bert" => bert(path, config),
            other => Err(Error::Family {
                path: path.to_path_buf(),
                problem: format!("the model_type is {other:?}; the known families are: bert"),
            }),
        }
    }

    fn dialect(&self) -> Dialect {
        // `read` knows no other family.
        dialect::BERT
    }
}

/// `BertConfig`, with the defaults that transformers leaves out of the file.
#[derive(Deserialize)]
struct BertConfig {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: i64,
    vocab_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "two")]
    type_vocab_size: i64,
    #[serde(default = "bert_eps")]
    layer_norm_eps: f64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "tenth")]
    hidden_dropout_prob: f64,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

fn two() -> i64 {
    2
}
fn bert_eps() -> f64 {
    1e-12
}
fn tenth() -> f64 {
    0.1
}
fn gelu() -> String {
    "gelu".into()
}
fn absolute() -> String {
    "absolute".into()
}

fn bert(path: &Path, config: serde_json::Value) -> Result<Family> {
    let malformed = |problem: String| Error::Malformed { path: path.to_path_buf(), problem };
    let c: BertConfig = serde_json::from_value(config).map_err(|e| malformed(e.to_string()))?;
    let gelu = match c.hidden_act.as_str() {
        "gelu" => Gelu::Exact,
        "gelu_new" | "gelu_pytorch_tanh" => Gelu::Tanh,
        other => {
            return Err(malformed(format!("hidden_act is {other:?}, expected gelu or gelu_new")));
        }
    };
    if c.position_embedding_type != "absolute" {
        let found = c.position_embedding_type;
        return Err(malformed(format!("position_embedding_type is {found:?}, expected absolute")));
    }
    Ok(Family {
        name: "bert".into(),
        modality: "text".into(),
        trunk: TrunkConfig::Transformer(TransformerConfig {
            width: c.hidden_size,
            depth: c.num_hidden_layers,
            heads: c.num_attention_heads,
            mlp: c.intermediate_size,
            norm: NormAt::After,
            gelu,
            attend: Attend::Everywhere,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout_prob,
        }),
        embedder: PretrainedEmbedder::Tokens(TokenEmbedderConfig {
            vocabulary: c.vocab_size,
            positions: c.max_position_embeddings,
            segments: c.type_vocab_size,
            eps: c.layer_norm_eps,
            dropout: c.hidden_dropout_prob,
        }),
    })
}
