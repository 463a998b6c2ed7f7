//! What transformers leaves out of a `config.json` where it is as usual.

use crate::nn::Activation;

/// A dropout probability.
pub(super) fn tenth() -> f64 {
    0.1
}

/// The epsilon of layer norms in BERT and ViT.
pub(super) fn tiny_eps() -> f64 {
    1e-12
}

/// The epsilon of layer norms in GPT-2 and wav2vec2.
pub(super) fn usual_eps() -> f64 {
    1e-5
}

/// The channels of a picture.
pub(super) fn three() -> i64 {
    3
}

/// The width behind the projector of a head for sound.
pub(super) fn projected() -> i64 {
    256
}

pub(super) fn yes() -> bool {
    true
}

/// The GELU of a field that is read apart.
pub(super) fn exact() -> Activation {
    Activation::Gelu
}
