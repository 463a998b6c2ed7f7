//! Symbols as a picture of one channel, for convolutional trunks.

use crosstune_core::{
    Batch, Embedder, Error, FeatureShape, Features, Result, StemConfig, StemEmbedder, StemPool,
    VarBuilder,
    nn::{Exporter, GraphEmbedding, GraphFeatures, GraphMap},
    onnx::{Dim, Element, Value},
};
use tch::{Tensor, nn::Init};

/// A vector for every symbol, as a column of a picture: `[B, T]` of symbols to `[B, 1, E, T']`,
/// then a new first convolution. Feature maps have no mask, so every text is padded with zeros to
/// one width, `T'`: the result for a text does not depend on its batch.
#[derive(Debug)]
pub struct SymbolImage {
    symbol: Tensor,
    stem: StemEmbedder,
    width: i64,
}

/// Rows of the picture, `E`: the height of the pictures that small ResNets were trained on.
const ROWS: i64 = 32;
/// The least width, so that strides leave something.
const LEAST: i64 = 32;

impl SymbolImage {
    /// The width of the picture of texts of at most `longest` symbols.
    pub(crate) fn width(longest: i64) -> i64 {
        longest.max(LEAST)
    }

    /// Parameters `token.weight [count, E]` and those of [`StemEmbedder::new`], below `vb`, for
    /// `count` symbols in texts of at most `longest`.
    ///
    /// # Errors
    /// If there are no symbols, if `form` is not a feature map, or if a parameter cannot be made.
    pub fn new(vb: &VarBuilder<'_>, count: i64, longest: i64, form: FeatureShape) -> Result<Self> {
        let out_channels = form.feature_map("these symbols become a feature map")?;
        if count < 1 {
            let problem = "an embedder of no symbols is empty".into();
            return Err(Error::Setting { setting: "symbols", problem });
        }
        let stem = StemConfig::new((1, out_channels), 3, 1, StemPool::Without);
        let normal = Init::Randn { mean: 0., stdev: 1. };
        Ok(Self {
            symbol: vb.sub("token").param("weight", &[count, ROWS], normal)?,
            stem: StemEmbedder::new(vb.clone(), &stem, &stem, form)?,
            width: Self::width(longest),
        })
    }

    /// `[B, T]` of symbols to the picture `[B, 1, E, T']`, zero where there is no text.
    fn picture(&self, batch: &Batch) -> Tensor {
        let x = Tensor::embedding(&self.symbol, &batch.x, -1, false, false);
        let x = match &batch.attention_mask {
            Some(mask) => x * mask.unsqueeze(-1),
            None => x,
        };
        let missing = self.width - x.size()[1];
        x.transpose(1, 2).unsqueeze(1).constant_pad_nd([0, missing])
    }
}

impl Embedder for SymbolImage {
    fn emits(&self) -> FeatureShape {
        self.stem.emits()
    }

    /// Batches are no longer than `longest`; [`TextSettings`](crate::TextSettings) sees to it.
    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::FeatureMap(self.stem.forward(&self.picture(batch), train))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let length = Dim::Open("sequence");
        let ids = e.graph().input("input_ids", Element::I64, &[Dim::BATCH, length]);
        let mask = e.attention_mask(length);
        let x = e.parameter(&self.symbol).rows(&ids) * mask.unsqueeze(&[2]).to_float();
        let (graph, x) = (e.graph(), x.permute(&[0, 2, 1]).unsqueeze(&[1]));
        let missing = graph.ints(&[self.width]) - ids.size(1);
        let amounts = Value::cat(&[&graph.ints(&[0]), &missing], 0);
        let x = x.pad_by(&amounts, &[3]);
        let map = self.stem.onnx(e, &GraphMap { x, sides: [ROWS, self.width] });
        let whole = || mask.to(Element::I64).pad_by(&amounts, &[1]).to(Element::Bool);
        let mask = e.leaves_positions().then(whole);
        Ok(GraphEmbedding { features: GraphFeatures::FeatureMap(map), mask })
    }
}

#[cfg(test)]
mod tests {
    use crosstune_core::Fresh;
    use tch::{Device, Kind, nn::VarStore};

    use super::*;

    #[test]
    fn a_text_is_the_same_planes_in_any_batch() {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let vb = VarBuilder::root(&store, &fresh);
        let planes =
            SymbolImage::new(&vb, 10, 40, FeatureShape::FeatureMap { channels: 4 }).unwrap();
        let embed = |x: Tensor, mask: Option<Tensor>| match planes
            .embed(&Batch { x, attention_mask: mask }, false)
        {
            Features::FeatureMap(x) => x,
            Features::Sequence(_) => panic!("not planes"),
        };
        let alone = embed(Tensor::from_slice(&[1i64, 2, 3]).view([1, 3]), None);
        assert_eq!(alone.size(), [1, 4, ROWS, 40]);
        let x = Tensor::from_slice(&[1i64, 2, 3, 7, 7, 4, 5, 6, 7, 8]).view([2, 5]);
        let mask = x
            .not_equal(-1)
            .logical_and(&Tensor::from_slice2(&[[true, true, true, false, false], [true; 5]]));
        let padded = embed(x, Some(mask)).narrow(0, 0, 1);
        assert!((padded - alone).abs().sum(Kind::Float).double_value(&[]) < 1e-4);
    }
}
