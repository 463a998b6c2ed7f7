//! honk's keyword spotter `res8` (Tang and Lin 2018), trained on Speech Commands: a residual network
//! over 40 bands of cepstra, published as a bare table of tensors.

use crate::family::family::{Family, PretrainedConfig, PretrainedHead, count, shape};
use crate::nn::{
    BlockKind, ConvNetConfig, EmbedderConfig, HeadConfig, MapNormKind, NormConfig, Pool, Stage,
    StemConfig, StemPool, TrunkConfig,
};
use crate::weights::{KeyMap, TensorTransform, absent, same};

pub(in crate::family) const HONK: Family = Family {
    name: "honk",
    reads: "honk's `res8`",
    key_map: DIALECT,
    matches_config: |_| false,
    from_config: |_, checkpoint| HONK.infer(checkpoint, None),
    from_tensors: |checkpoint| {
        let convolutions = count(checkpoint, &DIALECT, "conv{}.weight", 0);
        let Some(&[channels, 1, 3, 3]) = shape(checkpoint, &DIALECT, "conv0.weight") else {
            return Err("its first convolution is not of 3 × 3 on one channel");
        };
        if convolutions != 7 {
            return Err("it has other than 7 convolutions, so it is not res8");
        }
        Ok(PretrainedConfig {
            name: "honk".into(),
            modality: "audio".into(),
            trunk: TrunkConfig::ConvNet(ConvNetConfig::new(
                channels,
                vec![Stage::new(3, channels, 1)],
                BlockKind::Keyword,
            )),
            embedder: EmbedderConfig::Stem(StemConfig {
                norm: NormConfig::of(MapNormKind::Without),
                // Its frames are rows.
                ..StemConfig::new((1, channels), 3, 1, StemPool::Mean([4, 3]))
            }),
            head: PretrainedHead { pool: Pool::Mean, config: HeadConfig::default(), labels: None },
        })
    },
    hugging_face: None,
};

const DIALECT: KeyMap = KeyMap {
    name: "honk",
    prefixes: &[""],
    body: &[
        same("embed.conv", "conv0"),
        same("trunk.stages.0.0.conv1", "conv1"),
        same("trunk.stages.0.0.conv2", "conv2"),
        same("trunk.stages.0.1.conv1", "conv3"),
        same("trunk.stages.0.1.conv2", "conv4"),
        same("trunk.stages.0.2.conv1", "conv5"),
        same("trunk.stages.0.2.conv2", "conv6"),
        same("trunk.stages.0.0.norm1.running_mean", "bn1.running_mean"),
        same("trunk.stages.0.0.norm1.running_var", "bn1.running_var"),
        same("trunk.stages.0.0.norm2.running_mean", "bn2.running_mean"),
        same("trunk.stages.0.0.norm2.running_var", "bn2.running_var"),
        same("trunk.stages.0.1.norm1.running_mean", "bn3.running_mean"),
        same("trunk.stages.0.1.norm1.running_var", "bn3.running_var"),
        same("trunk.stages.0.1.norm2.running_mean", "bn4.running_mean"),
        same("trunk.stages.0.1.norm2.running_var", "bn4.running_var"),
        same("trunk.stages.0.2.norm1.running_mean", "bn5.running_mean"),
        same("trunk.stages.0.2.norm1.running_var", "bn5.running_var"),
        same("trunk.stages.0.2.norm2.running_mean", "bn6.running_mean"),
        same("trunk.stages.0.2.norm2.running_var", "bn6.running_var"),
        // Its norms have no parameters.
        absent("trunk.stages.{}.{}.norm1.weight", TensorTransform::Ones),
        absent("trunk.stages.{}.{}.norm1.bias", TensorTransform::Zeros),
        absent("trunk.stages.{}.{}.norm2.weight", TensorTransform::Ones),
        absent("trunk.stages.{}.{}.norm2.bias", TensorTransform::Zeros),
    ],
    head: &[same("head", "output")],
};
