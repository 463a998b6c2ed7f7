//! Tokens: from ids to a sequence of vectors (BERT, Devlin et al. 2019, §3; GPT-2 has the same without
//! segments and norm).

use crosstune_core::{
    Batch, Embedder, EmbeddingProjection,
    EmbeddingProjection::{AheadOfNorm, BehindNorm},
    Error, FeatureShape, Features, PositionTable, Result, Sequence, TokenEmbedderConfig,
    VarBuilder, dropout,
    nn::{Exporter, GraphEmbedding, GraphFeatures, GraphSequence, Linear, Norm},
    onnx::{Dim, Element, Value},
};
use tch::{Tensor, nn::Init};

/// The sum of a vector for the token, one for its position and, where the model has segments, one for
/// its segment; normalised, where the model does so. `[B, T]` of token ids, all of the first segment,
/// to `[B, T, D]`; or `[B, 2, T]` of ids and segments, for pairs. Padding is on the right.
#[derive(Debug)]
pub struct TokenEmbedder {
    token: Tensor,
    position: Option<Tensor>,
    segment: Option<Tensor>,
    norm: Option<Norm>,
    project: Option<Linear>,
    projection: EmbeddingProjection,
    scale: Option<f64>,
    first_position: i64,
    dropout: f64,
    width: i64,
}

impl TokenEmbedder {
    /// Parameters `token.weight [vocabulary, E]` and, as far as the model has them,
    /// `position.weight [positions, E]`, `segment.weight [segments, E]`, `norm.{weight,bias} [E]` and
    /// `project.{weight [D, E], bias [D]}`, below `vb`. `E` is `D` where there is no projection; where
    /// that is ahead of the norm, it has no bias, and the norm is as wide as `D`.
    ///
    /// # Errors
    /// If `form` is not a sequence, if the embedder would be empty, or if a parameter cannot be
    /// made.
    pub fn new(
        vb: VarBuilder<'_>,
        config: &TokenEmbedderConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let &TokenEmbedderConfig { vocabulary, positions, first_position, .. } = config;
        let width = form.sequence("a sentence is a sequence")?;
        if vocabulary < 1 || first_position < 0 || config.longest() < 1 {
            return Err(Error::Setting {
                setting: "tokens",
                problem: format!(
                    "an embedder of {vocabulary} tokens and {positions} positions, counted from \
                     {first_position}, is empty"
                ),
            });
        }
        let narrow = config.embedding_width.unwrap_or(width);
        let normed = match config.projection {
            BehindNorm => narrow,
            AheadOfNorm => width,
        };
        // As BERT is initialised.
        let vectors = |name, count| {
            vb.sub(name).param("weight", &[count, narrow], Init::Randn { mean: 0., stdev: 0.02 })
        };
        Ok(Self {
            token: vectors("token", vocabulary)?,
            position: match config.position_table {
                PositionTable::Learned => Some(vectors("position", positions)?),
                PositionTable::Without => None,
            },
            segment: match config.segments {
                ..1 => None,
                segments => Some(vectors("segment", segments)?),
            },
            norm: match config.eps {
                Some(eps) => Some(Norm::new(&vb.sub("norm"), config.norm_kind, normed, eps)?),
                None => None,
            },
            project: match config.embedding_width {
                Some(narrow) => Some(match config.projection {
                    BehindNorm => Linear::new(&vb.sub("project"), narrow, width)?,
                    AheadOfNorm => Linear::unbiased(&vb.sub("project"), narrow, width)?,
                }),
                None => None,
            },
            projection: config.projection,
            scale: config.scale,
            first_position,
            dropout: config.dropout,
            width,
        })
    }
}

impl Embedder for TokenEmbedder {
    fn emits(&self) -> FeatureShape {
        FeatureShape::Sequence { width: self.width }
    }

    /// Batches are no longer than the positions; [`TextSettings`](crate::TextSettings) sees to it.
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        let (ids, segments) = match batch.x.dim() {
            3 => (batch.x.select(1, 0), Some(batch.x.select(1, 1))),
            _ => (batch.x.shallow_clone(), None),
        };
        let vectors = |table, rows| Tensor::embedding(table, rows, -1, false, false);
        let tokens = vectors(&self.token, &ids);
        let tokens = self.scale.map(|scale| &tokens * scale).unwrap_or(tokens);
        let sum = match &self.position {
            Some(table) => tokens + table.narrow(0, self.first_position, ids.size()[1]),
            None => tokens,
        };
        let sum = match (&self.segment, segments) {
            (Some(table), Some(segments)) => sum + vectors(table, &segments),
            (Some(table), None) => sum + table.select(0, 0),
            (None, _) => sum,
        };
        let project = |x: Tensor, here: EmbeddingProjection| match &self.project {
            Some(project) if self.projection == here => project.forward_t(&x, train),
            _ => x,
        };
        let sum = project(sum, AheadOfNorm);
        let x = match &self.norm {
            Some(norm) => norm.forward(&sum),
            None => sum,
        };
        let x = project(dropout(&x, self.dropout, train), BehindNorm);
        Features::Sequence(Sequence {
            x,
            attention_mask: batch.attention_mask.as_ref().map(Tensor::shallow_clone),
        })
    }

    /// Ids, their mask and, where the model tells segments apart, these, as transformers names them.
    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let length = Dim::Open("sequence");
        let ids = e.graph().input("input_ids", Element::I64, &[Dim::BATCH, length]);
        let attention_mask = Some(e.attention_mask(length));
        let tokens = e.parameter(&self.token).rows(&ids);
        let tokens = self.scale.map(|scale| &tokens * scale).unwrap_or(tokens);
        let sum = match &self.position {
            Some(table) => {
                let (first, t) = (self.first_position, ids.size(1));
                tokens + e.parameter(table).narrow_to(0, first, &(t + first as f64))
            }
            None => tokens,
        };
        let sum = match &self.segment {
            Some(table) if table.size()[0] > 1 => {
                let dims = [Dim::BATCH, length];
                let segments = e.graph().input("token_type_ids", Element::I64, &dims);
                sum + e.parameter(table).rows(&segments)
            }
            Some(table) => sum + e.parameter(table).select(0, 0),
            None => sum,
        };
        let project = |x: Value, here: EmbeddingProjection| match &self.project {
            Some(project) if self.projection == here => project.onnx(e, &x),
            _ => x,
        };
        let sum = project(sum, AheadOfNorm);
        let x = self.norm.as_ref().map(|norm| norm.onnx(e, &sum)).unwrap_or(sum);
        let sequence = GraphSequence { x: project(x, BehindNorm), attention_mask };
        Ok(GraphEmbedding::of(GraphFeatures::Sequence(sequence)))
    }
}

#[cfg(test)]
mod tests {
    use crosstune_core::Fresh;
    use tch::{Device, Kind, nn::VarStore};

    use super::*;

    #[test]
    fn fresh_vectors_are_small_and_dropped_in_training_alone() {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let config = TokenEmbedderConfig { dropout: 0.5, ..TokenEmbedderConfig::of(100, 8) };
        let form = FeatureShape::Sequence { width: 16 };
        let vb = VarBuilder::root(&store, &fresh);
        let embedder = TokenEmbedder::new(vb.sub("embed"), &config, form).unwrap();
        let names: Vec<_> = {
            let mut names: Vec<_> = store.variables().into_keys().collect();
            names.sort();
            names
        };
        let leaves =
            ["norm.bias", "norm.weight", "position.weight", "segment.weight", "token.weight"];
        assert_eq!(names, leaves.map(|leaf| format!("embed.{leaf}")));
        let std = embedder.token.std(true).double_value(&[]);
        assert!((0.018..0.022).contains(&std), "{std}");

        let x = Tensor::zeros([2, 8], (Kind::Int64, Device::Cpu));
        let zeros = |train| {
            let x = x.shallow_clone();
            match embedder.embed(&Batch { x, attention_mask: None }, train) {
                Features::Sequence(s) => s.x.eq(0.).sum(Kind::Int64).int64_value(&[]),
                Features::FeatureMap(_) => panic!("not a sequence"),
            }
        };
        assert_eq!(zeros(false), 0);
        assert!((64..192).contains(&zeros(true)), "half of 256 numbers");
        let empty = TokenEmbedderConfig { first_position: 8, ..config };
        assert!(TokenEmbedder::new(vb.sub("other"), &empty, form).is_err());
    }
}
