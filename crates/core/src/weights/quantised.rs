//! Tensors that are no weights by their type: integers and bools, and numbers that stand for others,
//! which quantisation leaves.

use tch::Kind;

use super::checkpoint::Checkpoint;

/// What to do about weights that are no numbers of a model.
pub(super) const USE_FLOATS: &str = "use weights that are finite floating-point numbers";

/// What to do about weights that stand for others.
pub(super) const DEQUANTISE: &str = "name the weights that it was made from, or dequantise it \
                                     (`model.dequantize()` in transformers) and save that";

/// What is beside a quantised weight, in its module or below its own name, and what wrote it.
const BESIDE: [(&str, &str); 13] = [
    (".weight.quant_map", "4-bit numbers of bitsandbytes"),
    (".weight.absmax", "4-bit numbers of bitsandbytes"),
    (".SCB", "8-bit integers of bitsandbytes"),
    (".weight.SCB", "8-bit integers of bitsandbytes"),
    ("._packed_params._packed_params", "integers of PyTorch's own quantisation"),
    (".qweight", "packed integers of GPTQ or AWQ"),
    (".W_q", "packed integers of HQQ"),
    (".weight_packed", "packed integers of compressed-tensors"),
    (".weight._data", "integers of quanto"),
    (".weight_scale_inv", "8-bit floats in blocks of other scales"),
    (".weight_scale", "8-bit numbers of another scale"),
    (".weight_scales", "8-bit integers of EETQ"),
    (".scale_weight", "8-bit floats of another scale"),
];

/// What a tensor holds instead of weights, and what to do about it; `None`: it can be weights by its
/// type, or there is none of that name and nothing else in its place.
pub(super) fn no_weights(checkpoint: &Checkpoint, name: &str) -> Option<(String, &'static str)> {
    let is = match checkpoint.entry(name).map(|entry| entry.kind) {
        Some(Kind::Bool) => "bools",
        Some(Kind::ComplexFloat) => "complex numbers",
        Some(Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64) => "integers",
        Some(kind) if !is_tiny_float(kind) => return None,
        // Numbers of 8 bits may be weights, if nothing scales them.
        Some(_) | None => "",
    };
    let module = name.strip_suffix(".weight");
    let beside = module.and_then(|module| {
        let there = |end: &&(&str, &str)| checkpoint.has(&format!("{module}{}", end.0));
        BESIDE.iter().find(there).map(|(end, what)| {
            let is = if is.is_empty() { String::new() } else { format!("{is}: ") };
            format!("{is}{what}, with {module}{end} beside them")
        })
    });
    match beside {
        Some(found) => Some((found, DEQUANTISE)),
        None => (!is.is_empty()).then(|| (is.into(), USE_FLOATS)),
    }
}

/// Whether these are floats of 8 bits, which nothing can be computed with.
pub(super) fn is_tiny_float(kind: Kind) -> bool {
    use Kind::{Float8e4m3fn, Float8e4m3fnuz, Float8e5m2, Float8e5m2fnuz};
    matches!(kind, Float8e5m2 | Float8e4m3fn | Float8e5m2fnuz | Float8e4m3fnuz)
}
