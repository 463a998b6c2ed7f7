//! How the publishers of convolutional networks say that pictures are prepared, where no file lies
//! beside the weights: by the number of blocks and the width of the last, which tell the variants
//! apart.

use crosstune_core::{Activation, EmbedderConfig, PretrainedConfig, TrunkConfig};

use crate::{resample::Resample, scale::Normalization};

/// What is documented of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Documented {
    /// The side of the input, and the shorter side of the picture that it is cropped from.
    pub(crate) sides: [u32; 2],
    pub(crate) resample: Resample,
    /// Of three channels.
    pub(crate) scale: Normalization,
}

/// Variants of a family: blocks and the width of the last, and the sides.
type Variants = &'static [((usize, i64), [u32; 2])];

/// EfficientNet-PyTorch crops as TensorFlow's code does, with 32 pixels around: B0 to B7, and Lite0
/// to Lite4 as far as they are others.
const EFFICIENTNET_PYTORCH: Variants = &[
    ((23, 320), [240, 272]),
    ((23, 352), [260, 292]),
    ((26, 384), [300, 332]),
    ((32, 448), [380, 412]),
    ((39, 512), [456, 488]),
    ((45, 576), [528, 560]),
    ((55, 640), [600, 632]),
    ((21, 320), [240, 272]),
    ((21, 352), [260, 292]),
    ((24, 384), [280, 312]),
    ((30, 448), [300, 332]),
];

/// torchvision's documentation of its first weights: B1 to B7, and v2's S, M and L.
const EFFICIENTNET_TORCHVISION: Variants = &[
    ((23, 320), [240, 256]),
    ((23, 352), [288, 288]),
    ((26, 384), [300, 320]),
    ((32, 448), [380, 384]),
    ((39, 512), [456, 456]),
    ((45, 576), [528, 528]),
    ((55, 640), [600, 600]),
    ((40, 256), [384, 384]),
    ((57, 512), [480, 480]),
    ((79, 640), [480, 480]),
];

/// The same: tiny, small, base and large.
const CONVNEXT_TORCHVISION: Variants = &[
    ((18, 768), [224, 236]),
    ((36, 768), [224, 230]),
    ((36, 1024), [224, 232]),
    ((36, 1536), [224, 232]),
];

/// What is documented of a model's family; `None`: it is as ResNet.
pub(crate) fn documented(model: &PretrainedConfig) -> Option<Documented> {
    let (TrunkConfig::ConvNet(net), EmbedderConfig::Stem(stem)) = (&model.trunk, &model.embedder)
    else {
        return None;
    };
    let (variants, resample): (Variants, _) = match model.name.as_str() {
        "efficientnet-pytorch" => (EFFICIENTNET_PYTORCH, Resample::Bicubic),
        "torchvision-efficientnet" => (EFFICIENTNET_TORCHVISION, Resample::Bicubic),
        "torchvision-convnext" => (CONVNEXT_TORCHVISION, Resample::Bilinear),
        "convnext" | "convnextv2" | "timm-convnext" | "timm-convnextv2" | "convnext-authors"
        | "convnextv2-authors" | "efficientnet" | "timm-efficientnet" => (&[], Resample::Bicubic),
        "mobilenet-v2" | "torchvision-mobilenet-v2" | "torchvision-mobilenet-v3" => {
            (&[], Resample::Bilinear)
        }
        _ => return None,
    };
    // The last convolution of EfficientNets is a stage, and no block.
    let convnext = model.name.contains("convnext");
    let blocks = &net.stages[..net.stages.len() - usize::from(!convnext)];
    let count = blocks.iter().map(|stage| stage.blocks).sum();
    let width = blocks.last().map_or(0, |stage| stage.width);
    let known = variants.iter().find(|(variant, _)| *variant == (count, width));
    // Version 2, in torchvision, was made with another filter, and its largest with another scale.
    let second = [(40, 256), (57, 512)].contains(&(count, width));
    let lite = stem.activation == Activation::Relu6 && model.name == "efficientnet-pytorch";
    Some(Documented {
        sides: known.map_or([224, 256], |(_, sides)| *sides),
        resample: if second { Resample::Bilinear } else { resample },
        scale: match model.name.as_str() {
            "mobilenet-v2" => Normalization::halves(3),
            "torchvision-efficientnet" if (count, width) == (79, 640) => Normalization::halves(3),
            _ if lite => Normalization { mean: vec![LITE[0]; 3], std: vec![LITE[1]; 3] },
            _ => Normalization::imagenet(),
        },
    })
}

/// (x − 127) / 128, for pixels from 0 to 255.
const LITE: [f32; 2] = [127. / 255., 128. / 255.];
