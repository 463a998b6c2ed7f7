//! scratch
use crosstune_core::*;
use crosstune_text::TextSettings;
use std::path::Path;
fn go<M: Modality>(base: &str, out: &str, targets: &str) -> Result<()> {
    let mut m = M::default();
    let src = Pretrained::open(base)?;
    let e = m.adopt(&src)?;
    tch::manual_seed(3);
    let spec = Spec {
        lora: Some(Lora {
            rank: 4,
            alpha: 6.,
            dropout: 0.1,
            targets: targets.split(',').map(Into::into).collect(),
        }),
        ..Spec::new::<M>(&src, e, vec!["a".into(), "b".into(), "c".into(), "d".into()])
            .with_head_of(&src)
    };
    let s = src.source()?;
    let model = Model::new(spec, &m, Some((&s, Parts::BodyAndHead)), Device::Cpu)?;
    for (n, mut t) in model.store().variables() {
        if n.ends_with("lora_b") {
            tch::no_grad(|| {
                let _ = t.normal_(0., 0.3);
            })
        }
    }
    let run = RunWriter::create(Path::new(out), true)?;
    run.finish(&model, &m, &serde_json::json!({"weights": base}))
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    match a[1].as_str() {
        "text" => go::<TextSettings>(&a[2], &a[3], &a[4]).unwrap(),
        "image" => go::<crosstune_image::ImageSettings>(&a[2], &a[3], &a[4]).unwrap(),
        _ => go::<crosstune_audio::AudioSettings>(&a[2], &a[3], &a[4]).unwrap(),
    }
}
