//! BERT and its like as transformers saves them (Devlin et al. 2019; `BertModel`).

use super::Dialect;

/// `BertModel`, bare or inside a class for a task; MiniLM (Wang et al. 2020) uses the same names.
pub const BERT: Dialect = Dialect {
    name: "bert",
    prefixes: &["", "bert."],
    rules: &[
        ("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.self.query"),
        ("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.self.key"),
        ("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.self.value"),
        ("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
        ("trunk.blocks.{}.norm1", "encoder.layer.{}.attention.output.LayerNorm"),
        ("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
        ("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
        ("trunk.blocks.{}.norm2", "encoder.layer.{}.output.LayerNorm"),
        ("embed.token", "embeddings.word_embeddings"),
        ("embed.position", "embeddings.position_embeddings"),
        ("embed.segment", "embeddings.token_type_embeddings"),
        ("embed.norm", "embeddings.LayerNorm"),
    ],
};
