//! Vision transformers: ViT (Dosovitskiy et al. 2021), DeiT (Touvron et al. 2021) and DINOv2 (Oquab
//! et al. 2023) as transformers saves them, and ViT as timm does.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, UNCOUNTED_HEADS,
    activation, count, shape, uncounted_heads,
};
use crate::nn::{
    Activation, AttentionKind, ClassTokens, EmbedderConfig, HeadConfig, LayerScale, NormPlacement,
    PatchEmbedderConfig, Pool, TransformerConfig, TrunkConfig,
};
use crate::weights::{
    Checkpoint, KeyMap, KeyRule, Resampling, TensorTransform, absent, same, transformed,
};

pub(in crate::family) const VIT: Family = Family {
    name: "vit",
    key_map: VIT_NAMES,
    matches_config: |config| config.model_type() == Some("vit"),
    from_config: |config, _| {
        VitConfig::read(config)?.family("vit", ClassTokens::Class, Pool::First)
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&VIT_HUGGING_FACE),
};

const VIT_NAMES: KeyMap = KeyMap {
    name: "vit",
    prefixes: &["vit.", ""],
    body: BODY,
    head: &[same("head", "classifier")],
};

const VIT_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("ViTForImageClassification", Pool::First, HeadKind::Linear)],
    key_map: VIT_NAMES,
    in_memory: IN_MEMORY,
    to_config: |built| plain_fields("vit", built),
};

pub(in crate::family) const DEIT: Family = Family {
    name: "deit",
    key_map: DEIT_NAMES,
    matches_config: |config| config.model_type() == Some("deit"),
    from_config: |config, _| {
        // With a teacher, each of the two tokens has a head of its own.
        let distilled = config.saved_by("DeiTForImageClassificationWithTeacher");
        let pool = if distilled { Pool::FirstTwo } else { Pool::First };
        VitConfig::read(config)?.family("deit", ClassTokens::ClassAndDistillation, pool)
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&DEIT_HUGGING_FACE),
};

const DEIT_NAMES: KeyMap = KeyMap {
    name: "deit",
    prefixes: &["deit."],
    body: BODY,
    head: &[same("head", "classifier"), TEACHERS],
};

const DEIT_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[
        Class::new("DeiTForImageClassification", Pool::First, HeadKind::Linear),
        Class {
            name: "DeiTForImageClassificationWithTeacher",
            pool: Pool::FirstTwo,
            head: HeadKind::Linear,
            head_names: Some(&[TEACHERS]),
        },
    ],
    key_map: DEIT_NAMES,
    in_memory: IN_MEMORY,
    to_config: |built| plain_fields("deit", built),
};

pub(in crate::family) const DINOV2: Family = Family {
    name: "dinov2",
    key_map: DINOV2_NAMES,
    matches_config: |config| config.model_type() == Some("dinov2"),
    from_config: |config, _| {
        let c = VitConfig::read(config)?;
        if c.use_swiglu_ffn {
            return Err(config.refuse("its MLP is a SwiGLU, which is not supported".into()));
        }
        let mut family = c.family("dinov2", ClassTokens::Class, Pool::FirstAndMean)?;
        let TrunkConfig::Transformer(trunk) = &mut family.trunk else { return Ok(family) };
        trunk.layer_scale = LayerScale::Learned;
        Ok(family)
    },
    from_tensors: uncounted_heads,
    hugging_face: Some(&DINOV2_HUGGING_FACE),
};

const DINOV2_NAMES: KeyMap = KeyMap {
    name: "dinov2",
    prefixes: &["dinov2.", ""],
    body: &[
        same("trunk.blocks.{}.scale1", "encoder.layer.{}.layer_scale1.lambda1"),
        same("trunk.blocks.{}.scale2", "encoder.layer.{}.layer_scale2.lambda1"),
        same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.attention.query"),
        same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.attention.key"),
        same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.attention.value"),
        same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
        same("trunk.blocks.{}.norm1", "encoder.layer.{}.norm1"),
        same("trunk.blocks.{}.norm2", "encoder.layer.{}.norm2"),
        same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.mlp.fc1"),
        same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.mlp.fc2"),
        same("trunk.norm", "layernorm"),
        same("embed.project", "embeddings.patch_embeddings.projection"),
        same("embed.position", "embeddings.position_embeddings"),
        same("embed.class", "embeddings.cls_token"),
    ],
    head: &[same("head", "classifier")],
};

const DINOV2_HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("Dinov2ForImageClassification", Pool::FirstAndMean, HeadKind::Linear)],
    key_map: DINOV2_NAMES,
    in_memory: DINOV2_IN_MEMORY,
    to_config: |built| {
        let (mut fields, t) = fields("dinov2", built, LayerScale::Learned)?;
        if t.mlp % t.width != 0 {
            return None;
        }
        fields["mlp_ratio"] = json!(t.mlp / t.width);
        fields["use_mask_token"] = json!(false);
        Some(fields)
    },
};

pub(in crate::family) const TIMM_VIT: Family = Family {
    name: "timm-vit",
    key_map: TIMM,
    matches_config: |config| {
        config.architecture().is_some_and(|a| a.starts_with("vit_") || a.starts_with("deit_"))
    },
    from_config: |config, checkpoint| {
        let timm: TimmConfig = config.parse()?;
        let heads = timm.model_args.as_ref().and_then(|args| args.num_heads);
        if let Some(other) = timm.global_pool.as_deref().filter(|pool| *pool != "token") {
            return Err(config.refuse(format!("its global_pool is {other:?}, expected token")));
        }
        let mut family = timm_vit(checkpoint, heads).map_err(|e| config.refuse(e.into()))?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: |checkpoint| timm_vit(checkpoint, None),
    hugging_face: Some(&VIT_HUGGING_FACE),
};

/// The heads of a DeiT with a teacher.
pub(in crate::family) const TEACHERS: KeyRule = transformed(
    "head",
    "cls_classifier",
    TensorTransform::MeanOfHeads { second: "distillation_classifier" },
);

/// The names of ViT, DeiT and AST.
pub(in crate::family) const BODY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.attention.query"),
    same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.attention.key"),
    same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.attention.value"),
    same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.output.dense"),
    same("trunk.blocks.{}.norm1", "encoder.layer.{}.layernorm_before"),
    same("trunk.blocks.{}.norm2", "encoder.layer.{}.layernorm_after"),
    same("trunk.blocks.{}.mlp.up", "encoder.layer.{}.intermediate.dense"),
    same("trunk.blocks.{}.mlp.down", "encoder.layer.{}.output.dense"),
    same("trunk.norm", "layernorm"),
    same("embed.project", "embeddings.patch_embeddings.projection"),
    same("embed.position", "embeddings.position_embeddings"),
    same("embed.class", "embeddings.cls_token"),
    same("embed.distillation", "embeddings.distillation_token"),
    // Where `qkv_bias` is off.
    absent("trunk.blocks.{}.attn.q.bias", TensorTransform::Zeros),
    absent("trunk.blocks.{}.attn.k.bias", TensorTransform::Zeros),
    absent("trunk.blocks.{}.attn.v.bias", TensorTransform::Zeros),
];

/// The linear layers of [`BODY`] as transformers 5 has them in memory.
pub(in crate::family) const IN_MEMORY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "layers.{}.attention.q_proj"),
    same("trunk.blocks.{}.attn.k", "layers.{}.attention.k_proj"),
    same("trunk.blocks.{}.attn.v", "layers.{}.attention.v_proj"),
    same("trunk.blocks.{}.attn.out", "layers.{}.attention.o_proj"),
    same("trunk.blocks.{}.mlp.up", "layers.{}.mlp.fc1"),
    same("trunk.blocks.{}.mlp.down", "layers.{}.mlp.fc2"),
];

/// Those of DINOv2; its MLP keeps its names.
pub(in crate::family) const DINOV2_IN_MEMORY: &[KeyRule] = &[
    same("trunk.blocks.{}.attn.q", "encoder.layer.{}.attention.q_proj"),
    same("trunk.blocks.{}.attn.k", "encoder.layer.{}.attention.k_proj"),
    same("trunk.blocks.{}.attn.v", "encoder.layer.{}.attention.v_proj"),
    same("trunk.blocks.{}.attn.out", "encoder.layer.{}.attention.o_proj"),
];

const TIMM: KeyMap = KeyMap {
    name: "timm-vit",
    prefixes: &[""],
    body: &[
        transformed("trunk.blocks.{}.attn.q", "blocks.{}.attn.qkv", TensorTransform::Slice(0, 3)),
        transformed("trunk.blocks.{}.attn.k", "blocks.{}.attn.qkv", TensorTransform::Slice(1, 3)),
        transformed("trunk.blocks.{}.attn.v", "blocks.{}.attn.qkv", TensorTransform::Slice(2, 3)),
        same("trunk.blocks.{}.attn.out", "blocks.{}.attn.proj"),
        same("trunk.blocks.{}.norm1", "blocks.{}.norm1"),
        same("trunk.blocks.{}.norm2", "blocks.{}.norm2"),
        same("trunk.blocks.{}.mlp.up", "blocks.{}.mlp.fc1"),
        same("trunk.blocks.{}.mlp.down", "blocks.{}.mlp.fc2"),
        same("trunk.blocks.{}.scale1", "blocks.{}.ls1.gamma"),
        same("trunk.blocks.{}.scale2", "blocks.{}.ls2.gamma"),
        same("trunk.norm", "norm"),
        same("embed.project", "patch_embed.proj"),
        same("embed.position", "pos_embed"),
        same("embed.class", "cls_token"),
        absent("trunk.blocks.{}.attn.q.bias", TensorTransform::Zeros),
        absent("trunk.blocks.{}.attn.k.bias", TensorTransform::Zeros),
        absent("trunk.blocks.{}.attn.v.bias", TensorTransform::Zeros),
    ],
    head: &[same("head", "head")],
};

/// `ViTConfig`, `DeiTConfig` and `Dinov2Config`.
#[derive(Deserialize)]
struct VitConfig {
    hidden_size: i64,
    num_hidden_layers: usize,
    num_attention_heads: i64,
    intermediate_size: Option<i64>,
    mlp_ratio: Option<i64>,
    image_size: i64,
    patch_size: i64,
    #[serde(default = "defaults::three")]
    num_channels: i64,
    #[serde(default = "defaults::tiny_eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    hidden_dropout_prob: f64,
    #[serde(default)]
    use_swiglu_ffn: bool,
    #[serde(skip, default = "defaults::exact")]
    gelu: Activation,
    #[serde(skip)]
    labels: Option<Vec<String>>,
}

impl VitConfig {
    fn read(config: &Config) -> Result<Self> {
        let (gelu, labels) = (config.activation("hidden_act")?, config.labels()?);
        let read = Self { gelu, labels, ..config.parse()? };
        if read.patch_size < 1 || read.image_size < read.patch_size {
            return Err(config.refuse(format!(
                "patches of {} pixels do not fit a picture of {}",
                read.patch_size, read.image_size
            )));
        }
        Ok(read)
    }

    fn family(self, name: &str, tokens: ClassTokens, pool: Pool) -> Result<PretrainedConfig> {
        let mlp = self.intermediate_size.filter(|_| self.mlp_ratio.is_none());
        let mlp = mlp.unwrap_or(self.mlp_ratio.unwrap_or(4).saturating_mul(self.hidden_size));
        Ok(PretrainedConfig {
            name: name.into(),
            modality: "image".into(),
            trunk: TrunkConfig::Transformer(TransformerConfig {
                heads: self.num_attention_heads,
                mlp,
                norm_placement: NormPlacement::Pre,
                activation: self.gelu,
                attention: AttentionKind::Bidirectional,
                eps: self.layer_norm_eps,
                dropout: self.hidden_dropout_prob,
                ..TransformerConfig::of(self.hidden_size, self.num_hidden_layers)
            }),
            embedder: EmbedderConfig::Patches(PatchEmbedderConfig {
                channels: self.num_channels,
                size: [self.image_size; 2],
                patch: [self.patch_size; 2],
                stride: [self.patch_size; 2],
                tokens,
                resampling: Resampling::Bicubic,
                dropout: self.hidden_dropout_prob,
            }),
            head: PretrainedHead { pool, config: HeadConfig::default(), labels: self.labels },
        })
    }
}

/// What timm writes beside a model.
#[derive(Deserialize)]
struct TimmConfig {
    model_args: Option<TimmArgs>,
    global_pool: Option<String>,
}

#[derive(Deserialize)]
struct TimmArgs {
    num_heads: Option<i64>,
}

/// timm's model as its tensors have it. Heads are 64 wide if nobody says otherwise, as in all of the
/// papers' sizes.
fn timm_vit(checkpoint: &Checkpoint, heads: Option<i64>) -> Result<PretrainedConfig, &'static str> {
    const UNUSUAL: &str = "a ViT of this build is not supported (no class token, or other shapes)";
    let shape = |name| shape(checkpoint, &TIMM, name);
    let (Some(&[width, channels, rows, columns]), Some(&[1, positions, _]), Some(&[mlp, _])) =
        (shape("patch_embed.proj.weight"), shape("pos_embed"), shape("blocks.0.mlp.fc1.weight"))
    else {
        return Err(UNUSUAL);
    };
    let side = ((positions - 1).max(0) as f64).sqrt().round() as i64;
    // Registers, norms in other places, and gates in the MLP.
    let others = [
        "reg_token",
        "dist_token",
        "norm_pre.weight",
        "blocks.0.attn.q_norm.weight",
        "blocks.0.mlp.norm.weight",
        "blocks.0.mlp.fc1_g.weight",
    ];
    if shape("cls_token").is_none()
        || others.iter().any(|name| shape(name).is_some())
        || shape("norm.weight").is_none()
        || side * side + 1 != positions
    {
        return Err(UNUSUAL);
    }
    let heads = match heads {
        Some(heads) => heads,
        None if width % 64 == 0 => width / 64,
        None => return Err(UNCOUNTED_HEADS),
    };
    let scaled = shape("blocks.0.ls1.gamma").is_some();
    Ok(PretrainedConfig {
        name: "timm-vit".into(),
        modality: "image".into(),
        trunk: TrunkConfig::Transformer(TransformerConfig {
            heads,
            mlp,
            norm_placement: NormPlacement::Pre,
            activation: Activation::Gelu,
            attention: AttentionKind::Bidirectional,
            eps: 1e-6,
            layer_scale: if scaled { LayerScale::Learned } else { LayerScale::Without },
            ..TransformerConfig::of(width, count(checkpoint, &TIMM, "blocks.{}.norm1.weight", 0))
        }),
        embedder: EmbedderConfig::Patches(PatchEmbedderConfig {
            channels,
            size: [side * rows, side * columns],
            patch: [rows, columns],
            stride: [rows, columns],
            tokens: ClassTokens::Class,
            resampling: Resampling::Antialiased,
            dropout: 0.,
        }),
        head: PretrainedHead { pool: Pool::First, config: HeadConfig::default(), labels: None },
    })
}

/// The fields of `ViTConfig` and `DeiTConfig`.
fn plain_fields(model_type: &str, built: Built<'_>) -> Option<Value> {
    let (mut fields, t) = fields(model_type, built, LayerScale::Without)?;
    fields["intermediate_size"] = json!(t.mlp);
    Some(fields)
}

/// What the configurations have in common, with the trunk that they tell of.
fn fields<'b>(
    model_type: &str,
    built: Built<'b>,
    scale: LayerScale,
) -> Option<(Value, &'b TransformerConfig)> {
    let t = built.scaled(NormPlacement::Pre, AttentionKind::Bidirectional, scale)?;
    let EmbedderConfig::Patches(e) = built.embedder else { return None };
    if e.size[0] != e.size[1] || e.patch[0] != e.patch[1] || e.stride != e.patch {
        return None;
    }
    let fields = json!({
        "model_type": model_type, "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "hidden_act": activation(t.activation),
        "layer_norm_eps": t.eps, "hidden_dropout_prob": t.dropout,
        "attention_probs_dropout_prob": t.dropout, "image_size": e.size[0],
        "patch_size": e.patch[0], "num_channels": e.channels, "qkv_bias": true,
    });
    Some((fields, t))
}
