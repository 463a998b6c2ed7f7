//! A tuned model as transformers' own classes know it: the class, its `config.json` and its names.

use serde_json::{Map, Value, json};

use super::family::Family;
use super::vit::{DINOV2_IN_MEMORY, IN_MEMORY, TEACHERS};
use crate::error::{Error, Result};
use crate::nn::{
    Activation, AttentionKind, Bias, BlockKind, EmbedderConfig, HeadConfig, LayerScale,
    NormPlacement, PatchEmbedderConfig, Pool, ResNetConfig, Shortcut, StemConfig, StemNorm,
    StemPool, TokenEmbedderConfig, TransformerConfig, TrunkConfig, WaveformEmbedderConfig,
    WaveformNorm,
};
use crate::spec::Spec;
use crate::weights::{KeyMap, KeyRule};

/// How transformers would have saved a model.
#[derive(Debug)]
pub struct Published {
    /// The contents of `config.json`.
    pub config: Map<String, Value>,
    /// The names of the tensors.
    pub key_map: KeyMap,
    /// The names that transformers 5 gives modules once it has loaded them, where it renames them.
    pub in_memory: KeyMap,
}

/// One class of transformers that our parts make up.
struct Class {
    name: &'static str,
    /// Whose table its names are in.
    family: &'static str,
    pool: Pool,
    head: Form,
}

/// What a class has between its pool and its last layer.
#[derive(PartialEq)]
enum Form {
    Linear,
    Unbiased,
    Normed,
    Dense(Activation),
}

impl Form {
    fn of(head: &HeadConfig) -> Option<Self> {
        match (head.norm, head.dense, head.bias) {
            (None, None, Bias::With) => Some(Self::Linear),
            (None, None, Bias::Without) => Some(Self::Unbiased),
            (Some(_), None, Bias::With) => Some(Self::Normed),
            (None, Some(dense), Bias::With) => Some(Self::Dense(dense.activation)),
            _ => None,
        }
    }
}

/// The class that serves a family, with a head over `pool` where there is a choice.
fn class(family: &str, pool: Pool) -> Option<Class> {
    use Activation::{Identity, Relu, Tanh};
    use Form::{Dense, Linear, Normed, Unbiased};
    let (name, family, pool, head) = match family {
        "bert" => ("BertForSequenceClassification", "bert", Pool::First, Dense(Tanh)),
        "roberta" => ("RobertaForSequenceClassification", "roberta", Pool::First, Dense(Tanh)),
        "distilbert" => {
            ("DistilBertForSequenceClassification", "distilbert", Pool::First, Dense(Relu))
        }
        "gpt2" => ("GPT2ForSequenceClassification", "gpt2", Pool::Last, Unbiased),
        "vit" | "timm-vit" => ("ViTForImageClassification", "vit", Pool::First, Linear),
        "deit" if pool == Pool::FirstTwo => {
            ("DeiTForImageClassificationWithTeacher", "deit", Pool::FirstTwo, Linear)
        }
        "deit" => ("DeiTForImageClassification", "deit", Pool::First, Linear),
        "dinov2" => ("Dinov2ForImageClassification", "dinov2", Pool::FirstAndMean, Linear),
        "resnet" | "resnet-hf" => ("ResNetForImageClassification", "resnet-hf", Pool::Mean, Linear),
        "ast" => ("ASTForAudioClassification", "ast", Pool::MeanOfFirstTwo, Normed),
        "whisper" => ("WhisperForAudioClassification", "whisper", Pool::Mean, Dense(Identity)),
        "wav2vec2" => {
            ("Wav2Vec2ForSequenceClassification", "wav2vec2", Pool::Mean, Dense(Identity))
        }
        "hubert" => ("HubertForSequenceClassification", "hubert", Pool::Mean, Dense(Identity)),
        _ => return None,
    };
    Some(Class { name, family, pool, head })
}

/// A tuned model, on the embedder that its trunk came with, as transformers would have saved it.
///
/// # Errors
/// If no class of transformers has these parts.
pub fn publish(spec: &Spec, embedder: Option<&EmbedderConfig>) -> Result<Published> {
    let refused = |why: String| {
        Error::setting(
            "--format hf",
            format!("{why}; export as torchscript, which takes every model"),
        )
    };
    let class = class(&spec.family, spec.pool).ok_or_else(|| {
        refused(format!("transformers has no class for the family {}", spec.family))
    })?;
    let embedder = embedder.ok_or_else(|| {
        refused(format!(
            "transformers has no class that takes {} inputs to a trunk of the family {}",
            spec.modality, spec.family
        ))
    })?;
    if spec.pool != class.pool || Form::of(&spec.head) != Some(class.head) {
        return Err(refused(format!(
            "{} has another head than this model (a head over {}): train with --head kept",
            class.name, spec.pool
        )));
    }
    let mut key_map = Family::named(class.family)
        .map(|family| family.key_map)
        .ok_or_else(|| refused(format!("the family {} has no table of names", class.family)))?;
    if class.pool == Pool::FirstTwo {
        key_map.head = &[TEACHERS];
    }
    let fields = match (&spec.trunk, embedder) {
        (TrunkConfig::Transformer(t), embedder) => {
            transformer(class.family, t, embedder, &spec.head)
        }
        (TrunkConfig::ResNet(r), EmbedderConfig::Stem(stem)) => resnet(r, stem),
        (TrunkConfig::ResNet(_), _) => None,
    };
    let fields = fields.ok_or_else(|| {
        refused(format!("{} has no setting for how this model is built", class.name))
    })?;
    let Value::Object(mut config) = fields else { return Err(refused("no fields".into())) };
    let numbered = || spec.labels.iter().enumerate();
    config.insert("architectures".into(), json!([class.name]));
    config.insert("dtype".into(), json!("float32"));
    config.insert("problem_type".into(), json!(spec.task));
    config.insert(
        "id2label".into(),
        numbered().map(|(i, label)| (i.to_string(), json!(label))).collect::<Map<_, _>>().into(),
    );
    config.insert(
        "label2id".into(),
        numbered().map(|(i, label)| (label.clone(), json!(i))).collect::<Map<_, _>>().into(),
    );
    let in_memory = KeyMap { body: renamed(class.family), head: &[], ..key_map };
    Ok(Published { config, key_map, in_memory })
}

/// The modules of a family that transformers 5 renames in memory, while it saves the old names.
fn renamed(family: &str) -> &'static [KeyRule] {
    match family {
        "vit" | "deit" | "ast" => IN_MEMORY,
        "dinov2" => DINOV2_IN_MEMORY,
        _ => &[],
    }
}

/// transformers' name of an activation.
fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::Identity => "linear",
        Activation::Relu => "relu",
        Activation::Tanh => "tanh",
        Activation::Gelu => "gelu",
        Activation::GeluTanh => "gelu_new",
    }
}

/// The fields of a transformer's configuration, if its class can be built so.
fn transformer(
    family: &str,
    t: &TransformerConfig,
    embedder: &EmbedderConfig,
    head: &HeadConfig,
) -> Option<Value> {
    let (norm, attend, scale) = (t.norm_placement, t.attention, t.layer_scale);
    let built = match family {
        "bert" | "roberta" | "distilbert" => norm == NormPlacement::Post,
        "wav2vec2" | "hubert" => true,
        _ => norm == NormPlacement::Pre,
    };
    let looks = if family == "gpt2" { AttentionKind::Causal } else { AttentionKind::Bidirectional };
    let scaled = if family == "dinov2" { LayerScale::Learned } else { LayerScale::Without };
    if !built || attend != looks || scale != scaled {
        return None;
    }
    let projected = head.dense.map(|dense| dense.width);
    Some(match (family, embedder) {
        ("bert" | "roberta", EmbedderConfig::Tokens(e)) => bert(family, t, e)?,
        ("distilbert", EmbedderConfig::Tokens(e)) => json!({
            "model_type": family, "dim": t.width, "n_layers": t.depth, "n_heads": t.heads,
            "hidden_dim": t.mlp, "activation": activation(t.activation), "dropout": t.dropout,
            "attention_dropout": t.dropout, "vocab_size": e.vocabulary,
            "max_position_embeddings": e.positions,
        }),
        ("gpt2", EmbedderConfig::Tokens(e)) => json!({
            "model_type": family, "n_embd": t.width, "n_layer": t.depth, "n_head": t.heads,
            "n_inner": t.mlp, "activation_function": activation(t.activation), "layer_norm_epsilon": t.eps,
            "resid_pdrop": t.dropout, "attn_pdrop": t.dropout, "embd_pdrop": e.dropout,
            "vocab_size": e.vocabulary, "n_positions": e.positions,
        }),
        ("vit" | "deit" | "dinov2", EmbedderConfig::Patches(e)) => vit(family, t, e)?,
        ("ast", EmbedderConfig::Patches(e)) => json!({
            "model_type": "audio-spectrogram-transformer", "hidden_size": t.width,
            "num_hidden_layers": t.depth, "num_attention_heads": t.heads,
            "intermediate_size": t.mlp, "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
            "hidden_dropout_prob": t.dropout, "attention_probs_dropout_prob": t.dropout,
            "num_mel_bins": e.size[0], "max_length": e.size[1], "patch_size": e.patch[0],
            "frequency_stride": e.stride[0], "time_stride": e.stride[1], "qkv_bias": true,
        }),
        ("whisper", EmbedderConfig::Frames(e)) => json!({
            "model_type": family, "d_model": t.width, "encoder_layers": t.depth,
            "encoder_attention_heads": t.heads, "encoder_ffn_dim": t.mlp,
            "activation_function": activation(t.activation), "dropout": t.dropout, "num_mel_bins": e.bands,
            "max_source_positions": e.positions, "classifier_proj_size": projected?,
        }),
        ("wav2vec2" | "hubert", EmbedderConfig::Waveform(e)) => wav2vec2(family, t, e, projected?),
        _ => return None,
    })
}

fn bert(family: &str, t: &TransformerConfig, e: &TokenEmbedderConfig) -> Option<Value> {
    let mut fields = json!({
        "model_type": family, "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "intermediate_size": t.mlp, "hidden_act": activation(t.activation),
        "layer_norm_eps": t.eps, "hidden_dropout_prob": t.dropout,
        "attention_probs_dropout_prob": t.dropout, "vocab_size": e.vocabulary,
        "max_position_embeddings": e.positions, "type_vocab_size": e.segments,
    });
    match (family, e.first_position) {
        ("bert", 0) => {}
        ("roberta", 1..) => fields["pad_token_id"] = json!(e.first_position - 1),
        _ => return None,
    }
    Some(fields)
}

fn vit(family: &str, t: &TransformerConfig, e: &PatchEmbedderConfig) -> Option<Value> {
    if e.size[0] != e.size[1] || e.patch[0] != e.patch[1] || e.stride != e.patch {
        return None;
    }
    let mut fields = json!({
        "model_type": family, "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "hidden_act": activation(t.activation), "layer_norm_eps": t.eps,
        "hidden_dropout_prob": t.dropout, "attention_probs_dropout_prob": t.dropout,
        "image_size": e.size[0], "patch_size": e.patch[0], "num_channels": e.channels,
        "qkv_bias": true,
    });
    if family == "dinov2" {
        if t.mlp % t.width != 0 {
            return None;
        }
        fields["mlp_ratio"] = json!(t.mlp / t.width);
        fields["use_mask_token"] = json!(false);
    } else {
        fields["intermediate_size"] = json!(t.mlp);
    }
    Some(fields)
}

fn wav2vec2(
    family: &str,
    t: &TransformerConfig,
    e: &WaveformEmbedderConfig,
    projected: i64,
) -> Value {
    let column = |i: usize| e.convolutions.iter().map(|c| c[i]).collect::<Vec<_>>();
    json!({
        "model_type": family, "hidden_size": t.width, "num_hidden_layers": t.depth,
        "num_attention_heads": t.heads, "intermediate_size": t.mlp, "hidden_act": activation(t.activation),
        "layer_norm_eps": t.eps, "hidden_dropout": t.dropout,
        "do_stable_layer_norm": t.norm_placement == NormPlacement::Pre,
        "conv_dim": column(0), "conv_kernel": column(1), "conv_stride": column(2),
        "num_feat_extract_layers": e.convolutions.len(), "conv_bias": e.bias,
        "feat_extract_norm": match e.norm {
            WaveformNorm::Group => "group",
            WaveformNorm::Layer => "layer",
        },
        "feat_proj_layer_norm": e.feature_norm, "num_conv_pos_embeddings": e.position_kernel,
        "num_conv_pos_embedding_groups": e.position_groups, "classifier_proj_size": projected,
        // Nothing was masked in training, so there is no vector to mask with.
        "mask_time_prob": 0., "mask_feature_prob": 0.,
        "vocab_size": 32,
    })
}

fn resnet(r: &ResNetConfig, stem: &StemConfig) -> Option<Value> {
    let published = stem.kernel == 7
        && stem.stride == 2
        && stem.norm == StemNorm::Batch
        && stem.pool == StemPool::Max
        && r.shortcut == Shortcut::Projected
        && r.stages.iter().skip(1).all(|stage| stage.stride == 2);
    let layer = match r.block {
        BlockKind::Basic => "basic",
        BlockKind::Bottleneck => "bottleneck",
        BlockKind::Keyword => return None,
    };
    if !published {
        return None;
    }
    let sizes: Vec<i64> = r.stages.iter().map(|stage| stage.width).collect();
    let depths: Vec<usize> = r.stages.iter().map(|stage| stage.blocks).collect();
    Some(json!({
        "model_type": "resnet", "embedding_size": r.in_channels, "hidden_sizes": sizes,
        "depths": depths, "layer_type": layer, "hidden_act": "relu",
        "num_channels": stem.in_channels, "downsample_in_bottleneck": false,
        "downsample_in_first_stage": r.stages.first()?.stride == 2,
    }))
}
