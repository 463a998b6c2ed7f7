//! What the tensors of timm's vision transformers tell.

use crate::family::family::{PretrainedConfig, PretrainedHead, UNCOUNTED_HEADS, count, shape};
use crate::nn::{
    Activation, AttentionBiases, Bias, ClassTokens, EmbedderConfig, FinalNorm, GridBiasConfig,
    GridTables, HeadConfig, LayerScale, MlpKind, PatchEmbedderConfig, PatchPositions, Pool,
    PositionConfig, QkNorm, RotaryAxes, RotaryConfig, RotaryPairing, SubNorm, TransformerConfig,
    TrunkConfig,
};
use crate::weights::{Checkpoint, KeyMap, Resampling};

/// What a configuration tells beside the tensors.
pub(super) struct Told {
    /// Whether there is one.
    pub(super) config: bool,
    pub(super) heads: Option<i64>,
    /// `token`, `avg` or `map`.
    pub(super) pool: Option<String>,
    /// Whether tokens before the patches are pooled, too.
    pub(super) whole: bool,
    pub(super) activation: Activation,
    pub(super) eps: Option<f64>,
    pub(super) rotary: Option<Rotary>,
    /// Rows and columns of the pictures, in pixels.
    pub(super) size: Option<[i64; 2]>,
    /// Whether the tokens before the patches have no positions.
    pub(super) placed: Option<bool>,
}

impl Told {
    pub(super) fn nothing() -> Self {
        Self {
            config: false,
            heads: None,
            pool: None,
            whole: false,
            activation: Activation::Gelu,
            eps: None,
            rotary: None,
            size: None,
            placed: None,
        }
    }
}

/// The rotary positions of a model, but for the grid that it was trained on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rotary {
    pub(super) base: f64,
    pub(super) halves: bool,
    pub(super) centred: bool,
    /// The rows and columns that positions are scaled to; `None`: they are not.
    pub(super) reference: Option<[i64; 2]>,
}

impl Rotary {
    /// That of a model trained on a grid.
    pub(super) fn on(self, [rows, columns]: [i64; 2]) -> RotaryConfig {
        let [rows, columns] = self.reference.unwrap_or([rows, columns]);
        RotaryConfig {
            pairing: if self.halves { RotaryPairing::Halves } else { RotaryPairing::Neighbours },
            axes: match self.centred {
                true => RotaryAxes::Centred { columns },
                false => RotaryAxes::Counted { rows, columns },
            },
            ..RotaryConfig::of(self.base)
        }
    }
}

const UNUSUAL: &str = "a ViT of this build is not supported: it has other tensors or shapes";

/// Names that nothing depends on, or that are as the configuration tells.
const SILENT: [&str; 4] =
    ["attn.relative_position_index", "attn.qkv.bias_mask", "attn.rope.", "attn.k_bias"];

/// The model that the tensors and the configuration tell, or what they do not.
pub(super) fn model(
    checkpoint: &Checkpoint,
    key_map: &KeyMap,
    told: &Told,
) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors { checkpoint, key_map };
    tensors.check_names()?;
    let Some(&[width, channels, high, wide]) = tensors.shape("patch_embed.proj.weight") else {
        return Err(UNUSUAL);
    };
    let patch = [high, wide];
    let eps = told.eps.unwrap_or(match tensors.has("norm_pre.weight") {
        _ if tensors.has("storage_tokens") => 1e-5,
        true => 1e-5,
        false => 1e-6,
    });
    let embedder = tensors.embedder(told, channels, patch, eps)?;
    let trunk = tensors.trunk(told, width, embedder.grid(), eps)?;
    let head = tensors.head(told, &embedder, &trunk)?;
    Ok(PretrainedConfig {
        name: "timm-vit".into(),
        modality: "image".into(),
        trunk: TrunkConfig::Transformer(trunk),
        embedder: EmbedderConfig::Patches(embedder),
        head,
    })
}

struct Tensors<'c> {
    checkpoint: &'c Checkpoint,
    key_map: &'c KeyMap,
}

impl<'c> Tensors<'c> {
    fn shape(&self, name: &str) -> Option<&'c [i64]> {
        shape(self.checkpoint, self.key_map, name)
    }

    fn has(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    /// Refuses blocks and stems of other builds, whose tensors the table does not name.
    fn check_names(&self) -> Result<(), &'static str> {
        let names = || self.checkpoint.entries().map(|(name, _)| name);
        let Ok(Some(prefix)) = self.key_map.prefix(names()) else { return Err(UNUSUAL) };
        let own = names().filter_map(|name| name.strip_prefix(prefix.wrapper.as_str()));
        for name in own {
            let leaf = name.strip_prefix("blocks.0.");
            let stem = name.strip_prefix("patch_embed.");
            let shared = name.starts_with("shared_rel_pos.");
            let known = leaf.is_none() && stem.is_none() && !shared
                || self.key_map.has_their(name)
                || leaf.is_some_and(|leaf| SILENT.iter().any(|silent| leaf.starts_with(silent)));
            if !known {
                return Err(UNUSUAL);
            }
        }
        Ok(())
    }

    fn embedder(
        &self,
        told: &Told,
        channels: i64,
        patch: [i64; 2],
        eps: f64,
    ) -> Result<PatchEmbedderConfig, &'static str> {
        let registers = ["reg_token", "register_tokens", "storage_tokens"];
        let registers = registers.iter().find_map(|name| match self.shape(name)? {
            &[1, count, _] => Some(count),
            _ => None,
        });
        let registers = registers.unwrap_or(0);
        let tokens = match (self.has("cls_token"), self.has("dist_token")) {
            (false, false) => ClassTokens::Without,
            (true, false) => ClassTokens::Class,
            (true, true) => ClassTokens::ClassAndDistillation,
            (false, true) => return Err(UNUSUAL),
        };
        let like = PatchEmbedderConfig {
            patch,
            stride: patch,
            tokens,
            resampling: Resampling::Antialiased,
            registers,
            bias: if self.has("patch_embed.proj.bias") { Bias::With } else { Bias::Without },
            norm: self.has("norm_pre.weight").then_some(eps),
            ..PatchEmbedderConfig::of(channels, 0, 0)
        };
        let sized = |[rows, columns]: [i64; 2], positions| PatchEmbedderConfig {
            size: [rows.saturating_mul(patch[0]), columns.saturating_mul(patch[1])],
            positions,
            ..like
        };
        let told_grid =
            told.size.map(|size| [0, 1].map(|i: usize| (size[i] / patch[i].max(1)).max(1)));
        let Some(&[1, rows, _]) = self.shape("pos_embed") else {
            let grid = told_grid.unwrap_or([14, 14]);
            return Ok(sized(grid, PatchPositions::Without));
        };
        let placements = [
            (PatchPositions::All, like.prefix()),
            (PatchPositions::AllButRegisters, tokens.count()),
            (PatchPositions::Patches, 0),
        ];
        let fits = |(positions, placed): (PatchPositions, i64)| {
            let patches = rows - placed;
            let side = (patches.max(0) as f64).sqrt().round() as i64;
            let only = told.placed.is_none_or(|bare| bare == (placed == 0 && like.prefix() > 0));
            match told_grid {
                Some(grid) if grid[0].saturating_mul(grid[1]) == patches => {
                    Some((0, sized(grid, positions)))
                }
                _ if side > 0 && side * side == patches && only => {
                    Some((1, sized([side, side], positions)))
                }
                _ => None,
            }
        };
        // As told before what is square.
        placements
            .into_iter()
            .filter_map(fits)
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, found)| found)
            .ok_or(UNUSUAL)
    }

    fn trunk(
        &self,
        told: &Told,
        width: i64,
        grid: [i64; 2],
        eps: f64,
    ) -> Result<TransformerConfig, &'static str> {
        let block = |name: &str| format!("blocks.0.{name}");
        let has = |name: &str| self.has(&block(name));
        let rows = |name: &str| self.shape(&block(name)).and_then(|shape| shape.first().copied());
        let down = ["mlp.fc2", "mlp.w3"].into_iter().find(|name| has(&format!("{name}.weight")));
        let down = down.ok_or(UNUSUAL)?;
        let Some(&[_, mlp]) = self.shape(&block(&format!("{down}.weight"))) else {
            return Err(UNUSUAL);
        };
        let gated = has("mlp.fc1_g.weight")
            || has("mlp.w1.weight")
            || rows("mlp.fc1.weight").or(rows("mlp.w12.weight")) == Some(mlp.saturating_mul(2));
        let qkv = [has("attn.qkv.bias"), has("attn.q_bias"), has("attn.q_proj.bias")];
        let qv = if qkv.contains(&true) { Bias::With } else { Bias::Without };
        // A bias of keys is masked in DINOv3, and otherwise changes nothing.
        let key = (qkv[0] && !self.has("storage_tokens")) || has("attn.k_proj.bias");
        let out = |with| if with { Bias::With } else { Bias::Without };
        let table = self.shape(&block("attn.relative_position_bias_table"));
        let shared = self.shape("rel_pos_bias.relative_position_bias_table");
        let positions = match (table, shared, told.rotary) {
            (None, None, Some(rotary)) => PositionConfig::Rotary(rotary.on(grid)),
            (None, None, None) if self.has("storage_tokens") => {
                let dinov3 = Rotary { base: 100., halves: true, centred: true, reference: None };
                PositionConfig::Rotary(dinov3.on(grid))
            }
            (None, None, None) => {
                // Rotary positions have no tensors.
                let may_rotate = qkv[1] || has("attn.q_proj.weight") || has("gamma_1");
                if may_rotate && !told.config {
                    return Err("whether its positions are rotary cannot be told");
                }
                PositionConfig::None
            }
            (_, _, Some(_)) => return Err(UNUSUAL),
            (own, shared, None) => {
                let tables = match (own, shared) {
                    (Some(_), Some(_)) => GridTables::BlocksAndShared,
                    (Some(_), None) => GridTables::Blocks,
                    _ => GridTables::Shared,
                };
                PositionConfig::Grid(GridBiasConfig { rows: grid[0], columns: grid[1], tables })
            }
        };
        let heads_of = |shape: &[i64]| shape.last().copied();
        let counted = table.or(shared).and_then(heads_of);
        let scaled = [has("ls1.gamma") || has("gamma_1"), has("ls2.gamma") || has("gamma_2")];
        let sub_norm = match (has("attn.norm.weight"), has("mlp.norm.weight")) {
            (false, false) => SubNorm::Without,
            (false, true) => SubNorm::Mlp,
            (true, true) => SubNorm::AttentionAndMlp,
            (true, false) => return Err(UNUSUAL),
        };
        if scaled[0] != scaled[1]
            || has("attn.q_norm.weight") != has("attn.k_norm.weight")
            || !has("norm1.bias")
            || !has("norm2.bias")
        {
            return Err(UNUSUAL);
        }
        let heads = match told.heads.or(counted) {
            Some(heads) => heads,
            None => heads(width, self.has("storage_tokens"))?,
        };
        Ok(TransformerConfig {
            heads,
            mlp,
            eps,
            activation: if gated { Activation::Silu } else { told.activation },
            layer_scale: if scaled[0] { LayerScale::Learned } else { LayerScale::Without },
            final_norm: match self.has("norm.weight") {
                true => FinalNorm::Usual,
                false => FinalNorm::Without,
            },
            biases: AttentionBiases { q: qv, k: out(key), v: qv, out: out(has("attn.proj.bias")) },
            qk_norm: match has("attn.q_norm.weight") {
                true => QkNorm::Heads,
                false => QkNorm::Without,
            },
            sub_norm,
            positions,
            mlp_kind: if gated { MlpKind::Gated } else { MlpKind::Plain },
            mlp_bias: out(has(&format!("{down}.bias"))),
            ..TransformerConfig::of(
                width,
                count(self.checkpoint, self.key_map, "blocks.{}.norm1.weight", 0),
            )
        })
    }

    fn head(
        &self,
        told: &Told,
        embedder: &PatchEmbedderConfig,
        trunk: &TransformerConfig,
    ) -> Result<PretrainedHead, &'static str> {
        let normed = self.has("fc_norm.weight");
        let usual = match embedder.tokens {
            _ if self.has("attn_pool.latent") => "map",
            _ if normed => "avg",
            ClassTokens::Without => "avg",
            _ => "token",
        };
        let pool = match (told.pool.as_deref().unwrap_or(usual), embedder.tokens) {
            ("map", _) => {
                let pool = self.shape("attn_pool.mlp.fc1.weight").and_then(|s| s.first());
                if pool != Some(&trunk.mlp) || !self.has("attn_pool.q.weight") || told.whole {
                    return Err("a pool by attention of this build is not supported");
                }
                Pool::Attention
            }
            ("avg", _) if told.whole => Pool::Mean,
            ("avg", _) => Pool::MeanOfPatches,
            (_, ClassTokens::Without) => return Err("it has no class token, which its pool takes"),
            (_, ClassTokens::Class) => Pool::First,
            (_, ClassTokens::ClassAndDistillation) => Pool::FirstTwo,
        };
        let config = HeadConfig { norm: normed.then_some(trunk.eps), ..HeadConfig::default() };
        Ok(PretrainedHead { pool, config, labels: None })
    }
}

/// Heads are 64 wide in most sizes, and 16 in number in the largest.
fn heads(width: i64, dinov3: bool) -> Result<i64, &'static str> {
    match width {
        1280 if dinov3 => Ok(20),
        1152 | 1280 | 1408 | 1664 => Ok(16),
        4096 => Ok(32),
        _ if width % 64 == 0 => Ok(width / 64),
        _ => Err(UNCOUNTED_HEADS),
    }
}
