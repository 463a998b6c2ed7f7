//! Key maps: tables that translate our parameter names into a publisher's.
//!
//! A family of checkpoints is one table, in the family's own file. A publisher's names occur
//! nowhere else in our code. The same table, read backwards, is the export.

use std::collections::BTreeMap;

use tch::Tensor;

use super::transform::{TensorTransform, kernel, lengths, transposed};
use crate::error::{Error, Result};

/// How one family of checkpoints names our parameters.
#[derive(Debug, Clone, Copy)]
pub struct KeyMap {
    /// The name in messages.
    pub name: &'static str,
    /// The prefixes that a checkpoint may put before the names of its body, depending on the class
    /// that saved it. Names of the head have none.
    pub prefixes: &'static [&'static str],
    /// The table of the body. Its first line must be one that every checkpoint of the family has.
    pub body: &'static [KeyRule],
    /// The table of the head.
    pub head: &'static [KeyRule],
}

/// One line of a table: our module or parameter, theirs, and how the tensor is transformed. A line
/// for a module covers every leaf (`weight`, `bias`) below it. `{}` is an index, the same on both
/// sides; `{+1}` the index counted from 1, `{+4}` from 4, `{2n+1}` or `{2n+2}` every other number; `{=}` and
/// `{=+1}` the index before once more.
///
/// Several lines for one of ours are alternatives: the first that the checkpoint has counts.
#[derive(Debug, Clone, Copy)]
pub struct KeyRule {
    ours: &'static str,
    pub(super) theirs: &'static str,
    pub(super) transform: TensorTransform,
}

/// A line for tensors that are the same.
pub(crate) const fn same(ours: &'static str, theirs: &'static str) -> KeyRule {
    KeyRule { ours, theirs, transform: TensorTransform::Same }
}

/// A line for tensors that are transformed.
pub(crate) const fn transformed(
    ours: &'static str,
    theirs: &'static str,
    transform: TensorTransform,
) -> KeyRule {
    KeyRule { ours, theirs, transform }
}

/// A line for a parameter of ours that the publisher does not have.
pub(crate) const fn absent(ours: &'static str, transform: TensorTransform) -> KeyRule {
    KeyRule { ours, theirs: "", transform }
}

/// The lines of two tables, one behind the other: `N` in all.
pub(crate) const fn joined<const N: usize>(first: &[KeyRule], second: &[KeyRule]) -> [KeyRule; N] {
    assert!(first.len() + second.len() == N);
    let (mut all, mut i) = ([absent("", TensorTransform::Zeros); N], 0);
    while i < N {
        all[i] = if i < first.len() { first[i] } else { second[i - first.len()] };
        i += 1;
    }
    all
}

/// What one of our parameters is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSource {
    /// The publisher's tensors, in the order in which [`TensorTransform::apply`] takes them.
    pub parts: Vec<String>,
    /// How they become ours.
    pub transform: TensorTransform,
}

impl KeyMap {
    /// What our parameter may be made from, the first choice first: `trunk.blocks.3.attn.q.weight`
    /// from `bert.encoder.layer.3.attention.self.query.weight`. Empty if the table has no line for
    /// it.
    pub fn sources(&self, prefix: &str, ours: &str) -> Vec<TensorSource> {
        let body = self.body.iter().filter_map(|rule| rule.source(prefix, ours));
        body.chain(self.head.iter().filter_map(|rule| rule.source("", ours))).collect()
    }

    /// Our tensors as the publisher's, by the publisher's names: the table read backwards. Of
    /// several alternatives, the first is written.
    ///
    /// # Errors
    /// If the table has no name for one of ours, or the publisher's model cannot hold its values.
    pub fn publish(&self, ours: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
        let prefix = self.prefixes.first().copied().unwrap_or_default();
        let (mut theirs, mut slices) = (BTreeMap::new(), BTreeMap::<_, BTreeMap<_, _>>::new());
        for (name, value) in ours {
            let Some(recipe) = self.sources(prefix, name).into_iter().next() else {
                return Err(Error::Unmapped { ours: name.clone(), key_map: self.name });
            };
            let value = value.detach();
            match (recipe.transform, recipe.parts.as_slice()) {
                (TensorTransform::Same, [their]) => {
                    theirs.insert(their.clone(), value);
                }
                (TensorTransform::Transposed, [their]) => {
                    theirs.insert(their.clone(), transposed(&value));
                }
                (TensorTransform::Units { before, behind }, [their]) => {
                    let ones = |count: u8| vec![1i64; count.into()];
                    let shape = [ones(before), value.size(), ones(behind)].concat();
                    theirs.insert(their.clone(), value.f_reshape(&shape)?);
                }
                (TensorTransform::Pointwise, [their]) => {
                    theirs.insert(their.clone(), kernel(&value));
                }
                (TensorTransform::Slice(i, _), [their]) => {
                    slices.entry((their.clone(), 0)).or_default().insert(i, value);
                }
                (TensorTransform::Rest, [their]) => {
                    slices.entry((their.clone(), 0)).or_default().insert(u8::MAX, value);
                }
                (TensorTransform::Unsqueezed(n), [their]) => {
                    let shape = value.size();
                    let kept = shape.get(usize::from(n)..).unwrap_or_default();
                    theirs.insert(their.clone(), value.f_view(kept)?);
                }
                (TensorTransform::TransposedSlice(i, _), [their]) => {
                    let across = i64::from(value.dim() == 2);
                    let parts = slices.entry((their.clone(), across)).or_default();
                    parts.insert(i, transposed(&value));
                }
                (TensorTransform::WeightNorm { dim, .. }, [g, v]) => {
                    theirs.insert(g.clone(), lengths(&value, dim)?);
                    theirs.insert(v.clone(), value);
                }
                (TensorTransform::MeanOfHeads { .. }, [first, second]) => {
                    // The mean of a bias with itself is that bias.
                    let halves = match value.dim() {
                        2 => (value.f_mul_scalar(2.)?).f_chunk(2, 1)?,
                        _ => vec![value.shallow_clone(), value],
                    };
                    for (their, half) in [first, second].into_iter().zip(halves) {
                        theirs.insert(their.clone(), half);
                    }
                }
                (transform, _) => {
                    // A key's bias adds the same to all scores of a query, which the softmax
                    // cancels.
                    let plain = transform.apply(&[], &value.size())?.to_device(value.device());
                    if !name.ends_with(".k.bias") && value != plain {
                        return Err(Error::NotRepresentable {
                            ours: name.clone(),
                            key_map: self.name,
                        });
                    }
                }
            }
        }
        for ((their, dim), parts) in slices {
            theirs.insert(their, Tensor::f_cat(&parts.into_values().collect::<Vec<_>>(), dim)?);
        }
        Ok(theirs)
    }
}

impl KeyRule {
    fn source(&self, prefix: &str, ours: &str) -> Option<TensorSource> {
        let (at, leaf) = match indices(self.ours, ours) {
            Some(at) => (at, String::new()),
            None => {
                let (module, leaf) = ours.rsplit_once('.')?;
                (indices(self.ours, module)?, format!(".{leaf}"))
            }
        };
        let name = |theirs, leaf: &str| format!("{prefix}{}{leaf}", fill(theirs, &at));
        let parts = match self.transform {
            TensorTransform::Zeros | TensorTransform::Ones => vec![],
            TensorTransform::WeightNorm { g, v, .. } => {
                [g, v].map(|x| name(self.theirs, &format!(".{x}"))).into()
            }
            TensorTransform::MeanOfHeads { second } => {
                vec![name(self.theirs, &leaf), name(second, &leaf)]
            }
            _ => vec![name(self.theirs, &leaf)],
        };
        Some(TensorSource { parts, transform: self.transform })
    }
}

/// The indices at the `{}` of a pattern, if the name fits it.
fn indices(pattern: &str, name: &str) -> Option<Vec<usize>> {
    let (mut pattern, mut name, mut found) = (pattern.split('.'), name.split('.'), vec![]);
    loop {
        match (pattern.next(), name.next()) {
            (None, None) => return Some(found),
            (Some("{}"), Some(digits)) => found.push(digits.parse().ok()?),
            (Some(a), Some(b)) if a == b => {}
            _ => return None,
        }
    }
}

/// A pattern with indices in place of `{}`, `{+1}`, `{=}` and the like.
pub(super) fn fill(pattern: &str, at: &[usize]) -> String {
    let (mut filled, mut rest) = (String::new(), pattern);
    let (mut at, mut last) = (at.iter(), None);
    while let Some((before, behind)) = rest.split_once('{') {
        let (slot, behind) = behind.split_once('}').unwrap_or(("", behind));
        let (again, slot) = match slot.strip_prefix('=') {
            Some(slot) => (true, slot),
            None => (false, slot),
        };
        let Some(index) = (if again { last } else { at.next() }) else { break };
        last = Some(index);
        let number = numbered(slot, *index);
        filled = format!("{filled}{before}{number}");
        rest = behind;
    }
    filled + rest
}

/// The number that a slot makes of an index: the index, `+1` to it, or `2n+1` with the index for `n`.
fn numbered(slot: &str, index: usize) -> i64 {
    let (times, plus) = slot.split_once('n').unwrap_or(("", slot));
    let (times, plus) = (times.parse().unwrap_or(1), plus.parse().unwrap_or(0));
    i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(times).saturating_add(plus)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    const TABLE: KeyMap = KeyMap {
        name: "test",
        prefixes: &["", "model."],
        body: &[
            transformed("trunk.blocks.{}.q", "h.{}.qkv", TensorTransform::Slice(0, 3)),
            same("trunk.stages.{}.{}.conv", "layer{+1}.{}.conv"),
            same("trunk.stages.{}.{}.norm", "0.{+4}.block{=+1}-{}.norm"),
            transformed(
                "embed.conv.weight",
                "conv",
                TensorTransform::WeightNorm { g: "weight_g", v: "weight_v", dim: 1 },
            ),
            transformed(
                "embed.conv.weight",
                "conv",
                TensorTransform::WeightNorm { g: "new.0", v: "new.1", dim: 1 },
            ),
            same("embed.conv", "conv"),
            same("trunk.odd.{}", "features.{2n+1}"),
            same("trunk.before.{}", "layer.{-1}"),
            absent("trunk.blocks.{}.k.bias", TensorTransform::Zeros),
        ],
        head: &[same("head", "fc")],
    };

    const BACKWARDS: &[KeyRule] = &[
        transformed("gate", "both", TensorTransform::Slice(0, 2)),
        transformed("up", "both", TensorTransform::Rest),
        transformed("row", "flat", TensorTransform::Unsqueezed(1)),
        transformed("q", "qkv", TensorTransform::TransposedSlice(0, 3)),
        transformed("k", "qkv", TensorTransform::TransposedSlice(1, 3)),
        transformed("v", "qkv", TensorTransform::TransposedSlice(2, 3)),
        transformed("conv.weight", "conv", TensorTransform::WeightNorm { g: "g", v: "v", dim: 1 }),
        transformed("scale", "gamma", TensorTransform::Units { before: 1, behind: 2 }),
        transformed("two", "first", TensorTransform::MeanOfHeads { second: "second" }),
        transformed("fc", "fc", TensorTransform::Pointwise),
        absent("zero.bias", TensorTransform::Zeros),
    ];

    #[test]
    fn names_are_translated_by_module_or_by_parameter() {
        for (ours, theirs) in [
            ("trunk.blocks.3.q.weight", &["model.h.3.qkv.weight"][..]),
            ("trunk.stages.0.2.conv.bias", &["model.layer1.2.conv.bias"]),
            ("embed.conv.bias", &["model.conv.bias"]),
            ("trunk.stages.0.2.norm.bias", &["model.0.4.block1-2.norm.bias"]),
            ("head.weight", &["fc.weight"]),
            ("trunk.odd.3.weight", &["model.features.7.weight"]),
            ("trunk.before.3.weight", &["model.layer.2.weight"]),
            ("trunk.blocks.0.k.bias", &[]),
        ] {
            let sources = TABLE.sources("model.", ours);
            assert_eq!(sources[0].parts, theirs, "{ours}");
        }
        for unknown in ["x", "trunk.blocks.x.q.weight", "trunk.blocks.0.k.weight"] {
            assert_eq!(TABLE.sources("", unknown), [], "{unknown}");
        }
        let spellings = TABLE.sources("", "embed.conv.weight");
        assert_eq!(spellings[0].parts, ["conv.weight_g", "conv.weight_v"]);
        assert_eq!(spellings[1].parts, ["conv.new.0", "conv.new.1"]);
    }

    #[test]
    fn the_table_is_read_backwards() {
        let x = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([6, 2]);
        let apply = |transform: TensorTransform, parts: &[&Tensor], shape: &[i64]| {
            let parts: Vec<_> = parts.iter().map(|p| p.shallow_clone()).collect();
            transform.apply(&parts, shape).unwrap()
        };
        let kernel = x.view([6, 2, 1, 1]);
        let table = KeyMap { body: BACKWARDS, ..TABLE };
        let ours = [("q.weight", 0), ("k.weight", 2), ("v.weight", 4)];
        let mut ours: BTreeMap<_, _> =
            ours.map(|(name, at)| (name.to_string(), x.narrow(0, at, 2))).into();
        ours.insert("gate.weight".into(), x.narrow(0, 0, 2));
        ours.insert("up.weight".into(), x.narrow(0, 2, 2));
        ours.insert("row".into(), x.view([1, 6, 2]));
        ours.insert("conv.weight".into(), x.shallow_clone());
        ours.insert("two.weight".into(), x.shallow_clone());
        ours.insert("scale".into(), x.view(-1));
        ours.insert("fc.weight".into(), x.shallow_clone());
        ours.insert("zero.bias".into(), Tensor::zeros([2], (Kind::Float, Device::Cpu)));
        let theirs = table.publish(&ours).unwrap();
        assert_eq!(theirs["qkv.weight"], x.tr());
        let (g, v) = (&theirs["conv.g"], &theirs["conv.v"]);
        let norm = TensorTransform::WeightNorm { g: "g", v: "v", dim: 1 };
        assert!((apply(norm, &[g, v], &[6, 2]) - &x).abs().max().double_value(&[]) < 1e-6);
        assert_eq!((&theirs["both.weight"], &theirs["flat"]), (&x.narrow(0, 0, 4), &x));
        assert_eq!(theirs.len(), 9);
        assert_eq!(&theirs["fc.weight"], &kernel);
        assert_eq!(theirs["gamma"].size(), [1, 12, 1, 1]);
        let units = TensorTransform::Units { before: 0, behind: 0 };
        assert_eq!(apply(units, &[&theirs["gamma"]], &[12]), x.view(-1));
        ours.insert("zero.bias".into(), Tensor::ones([2], (Kind::Float, Device::Cpu)));
        assert!(table.publish(&ours).is_err(), "what was trained would be lost");
        assert_eq!(theirs["first.weight"], &x.narrow(1, 0, 1) * 2.);
        assert_eq!(theirs["second.weight"], &x.narrow(1, 1, 1) * 2.);
    }
}
