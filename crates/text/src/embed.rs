//! Tokens: from ids to a sequence of vectors (BERT, Devlin et al. 2019, §3).

use crosstune_core::{
    Batch, Embedder, Error, Features, Form, Result, Scope, Sequence, TokenEmbedderConfig,
    layers::LayerNorm,
};
use tch::{Tensor, nn::Init};

/// The sum of a vector for the token, one for its position and one for its segment, normalised:
/// `[B, T]` of token ids to `[B, T, D]`. All tokens are of the first segment.
#[derive(Debug)]
pub struct TokenEmbedder {
    token: Tensor,
    position: Tensor,
    segment: Tensor,
    norm: LayerNorm,
    dropout: f64,
    width: i64,
}

impl TokenEmbedder {
    /// Parameters `token.weight [vocabulary, D]`, `position.weight [positions, D]`,
    /// `segment.weight [segments, D]` and `norm.{weight,bias} [D]` below `at`.
    ///
    /// # Errors
    /// If `form` is not a sequence, if the embedder would be empty, or if a parameter cannot be
    /// made.
    pub fn new(at: Scope<'_>, config: &TokenEmbedderConfig, form: Form) -> Result<Self> {
        let &TokenEmbedderConfig { vocabulary, positions, segments, eps, dropout } = config;
        let Form::Sequence { width } = form else {
            return Err(Error::Setting {
                setting: "--weights",
                problem: format!("the trunk takes {form}, but a sentence is a sequence"),
            });
        };
        if vocabulary < 1 || positions < 1 || segments < 1 {
            return Err(Error::Setting {
                setting: "tokens",
                problem: format!(
                    "an embedder of {vocabulary} tokens, {positions} positions and {segments} \
                     segments is empty"
                ),
            });
        }
        // As BERT is initialised.
        let vectors = |name, count| {
            at.sub(name).param("weight", &[count, width], Init::Randn { mean: 0., stdev: 0.02 })
        };
        Ok(Self {
            token: vectors("token", vocabulary)?,
            position: vectors("position", positions)?,
            segment: vectors("segment", segments)?,
            norm: LayerNorm::new(&at.sub("norm"), width, eps)?,
            dropout,
            width,
        })
    }
}

impl Embedder for TokenEmbedder {
    fn emits(&self) -> Form {
        Form::Sequence { width: self.width }
    }

    /// Batches are no longer than the positions; [`TextSettings`](crate::TextSettings) sees to it.
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        let length = batch.x.size()[1];
        let tokens = Tensor::embedding(&self.token, &batch.x, -1, false, false);
        let sum = tokens + self.segment.select(0, 0) + self.position.narrow(0, 0, length);
        let x = self.norm.forward(&sum);
        let x = if train && self.dropout > 0. { x.dropout(self.dropout, true) } else { x };
        Features::Sequence(Sequence { x, keep: batch.keep.as_ref().map(Tensor::shallow_clone) })
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
        let config = TokenEmbedderConfig {
            vocabulary: 100,
            positions: 8,
            segments: 2,
            eps: 1e-12,
            dropout: 0.5,
        };
        let form = Form::Sequence { width: 16 };
        let at = Scope::root(&store, &fresh);
        let embedder = TokenEmbedder::new(at.sub("embed"), &config, form).unwrap();
        let names: Vec<_> = {
            let mut names: Vec<_> = store.variables().into_keys().collect();
            names.sort();
            names
        };
        let leaves =
            ["norm.bias", "norm.weight", "position.weight", "segment.weight", "token.weight"];
        assert_eq!(names, leaves.map(|leaf| format!("embed.{leaf}")));
        let deviation = embedder.token.std(true).double_value(&[]);
        assert!((0.018..0.022).contains(&deviation), "{deviation}");

        let x = Tensor::zeros([2, 8], (Kind::Int64, Device::Cpu));
        let zeros = |train| {
            let x = x.shallow_clone();
            match embedder.embed(&Batch { x, keep: None }, train) {
                Features::Sequence(s) => s.x.eq(0.).sum(Kind::Int64).int64_value(&[]),
                #[allow(unreachable_patterns)]
                _ => panic!("not a sequence"),
            }
        };
        assert_eq!(zeros(false), 0);
        assert!((64..192).contains(&zeros(true)), "half of 256 numbers");
        let empty = TokenEmbedderConfig { segments: 0, ..config };
        assert!(TokenEmbedder::new(at.sub("other"), &empty, form).is_err());
    }
}
