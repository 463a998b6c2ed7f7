//! Tensors fitted to other inputs as transformers and timm fit them;
//! `xtask/scripts/fixtures/surgery.py` made the file.

use crosstune_core::{Checkpoint, Resampling, weights::resize};
use tch::Tensor;

/// `4x6` to its two numbers.
fn sides(text: &str) -> [i64; 2] {
    let (rows, columns) = text.split_once('x').unwrap();
    [rows.parse().unwrap(), columns.parse().unwrap()]
}

#[test]
fn every_case_is_as_its_library_has_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/surgery.safetensors");
    let cases = Checkpoint::open(path).unwrap();
    let names = cases.entries().filter_map(|(name, _)| name.strip_suffix(".in"));
    let mut seen = 0;
    for name in names {
        let tensor = |side| cases.tensor(&format!("{name}.{side}")).unwrap();
        let x: Tensor = tensor("in");
        let (kind, sizes) = name.rsplit_once('.').unwrap();
        let (from, to) = sizes.split_once('-').unwrap();
        let got = match kind.split('.').collect::<Vec<_>>()[..] {
            ["position", library, tokens] => {
                let by = match library {
                    "timm" => Resampling::Antialiased,
                    _ => Resampling::Bicubic,
                };
                resize::position_embedding(&x, tokens.parse().unwrap(), sides(from), sides(to), by)
            }
            ["patch"] => resize::patch_kernel(&x, sides(to)),
            _ => resize::input_channels(&x, to.parse().unwrap()),
        };
        let (got, want) = (got.unwrap().unwrap(), tensor("out"));
        assert_eq!(got.size(), want.size(), "{name}");
        let far = (got - &want).abs().max().double_value(&[]);
        // The libraries invert in f32.
        let within = if kind == "patch" { 2e-5 } else { 1e-6 };
        assert!(far < within, "{name} differs by {far:e}");
        seen += 1;
    }
    assert_eq!(seen, 24);
}
