//! The encoder in an ONNX graph.

use super::encoder::Encoder;
use super::exporter::{Exporter, GraphEmbedding, GraphFeatures, GraphSequence};
use super::features::masked_mean_onnx;
use super::pool::Pool;
use crate::error::Result;
use crate::onnx::Value;

impl Encoder {
    /// From inputs, which it adds to the graph, to what [`forward`](Self::forward) makes of them, and which
    /// of the positions hold data, where the pool leaves any.
    ///
    /// # Errors
    /// If the embedder cannot be described.
    pub(super) fn onnx(&self, e: &Exporter) -> Result<GraphSequence> {
        e.set_leaves_positions(self.pool.leaves_positions());
        let GraphEmbedding { features, mask } = self.embedder.embed_onnx(e)?;
        let mut mask = mask.map(|mask| self.reading.follow_onnx(mask, &features));
        let attended = match &features {
            GraphFeatures::Sequence(sequence) => sequence.attention_mask.clone(),
            GraphFeatures::FeatureMap(_) => None,
        };
        let mut states = vec![];
        let features = self.trunk.onnx(e, features, &mut |features| match features {
            GraphFeatures::Sequence(GraphSequence { x, .. }) => states.push(x.clone()),
            GraphFeatures::FeatureMap(_) => {
                mask = mask.take().map(|mask| self.reading.follow_onnx(mask, features));
            }
        });
        let pooled = self.pooled_onnx(e, &features, mask.as_ref());
        if self.layers().is_none() {
            return Ok(pooled);
        }
        if self.pool != Pool::WeightedBlocks {
            states.pop();
        }
        let mean = |x: &Value| masked_mean_onnx(x, attended.as_ref(), 1);
        let mut states: Vec<Value> = match self.pool {
            Pool::WeightedPositions => states.into_iter().map(|x| self.at(e, x)).collect(),
            _ => states.iter().map(mean).collect(),
        };
        match self.pool {
            Pool::WeightedBlocks => {}
            Pool::WeightedPositions => states.push(pooled.x),
            _ => states.push(self.pool.onnx_behind(0, &features)),
        }
        let at = if self.pool.leaves_positions() { 2 } else { 1 };
        let x = Value::stack(&states.iter().collect::<Vec<_>>(), at);
        Ok(GraphSequence { x, attention_mask: pooled.attention_mask })
    }

    /// A hidden state, `[B, T, D]`, at the positions of the output.
    fn at(&self, e: &Exporter, x: Value) -> Value {
        let state = GraphSequence { x, attention_mask: None };
        self.reading.sequence_onnx(e, &GraphFeatures::Sequence(state), None).x
    }

    /// What is pooled, and which of the positions hold data, if the pool leaves any.
    fn pooled_onnx(
        &self,
        e: &Exporter,
        features: &GraphFeatures,
        mask: Option<&Value>,
    ) -> GraphSequence {
        if self.pool.leaves_positions() {
            return self.reading.sequence_onnx(e, features, mask);
        }
        let x = match (&self.attention, features) {
            (Some(pool), GraphFeatures::Sequence(sequence)) => {
                pool.onnx_behind(e, self.prefix, sequence)
            }
            _ => self.pool.onnx_behind(self.prefix, features),
        };
        GraphSequence { x, attention_mask: None }
    }
}
