//! `export`: a tuned model for other programs.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use crosstune_core::files::{read_json_within, refuse_existing};
use crosstune_core::onnx::Element;
use crosstune_core::{Device, Error, Modality, Model, Pretrained, export, hub, run};
use serde::Deserialize;

use crate::{args::setting, output::say, setup::weights};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A run folder
    pub(crate) run: PathBuf,
    /// Format to write
    #[arg(long, value_enum, default_value_t = FormatArg::Hf)]
    pub(crate) format: FormatArg,
    /// Folder (hf, peft) or file to write, for onnx either; it must not exist
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    /// For peft: the pretrained model that was tuned [default: --weights of the training]
    #[arg(long, value_name = "PATH")]
    pub(crate) base: Option<PathBuf>,
    /// For onnx: the type of its numbers [default: f32]
    #[arg(long, value_enum)]
    pub(crate) dtype: Option<DtypeArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// A folder for from_pretrained of transformers
    Hf,
    /// All parameters in one file, under Crosstune's names
    Safetensors,
    /// A traced module for torch.jit.load: from prepared batches to logits
    Torchscript,
    /// A folder with the LoRA adapters alone, for PeftModel.from_pretrained of peft
    Peft,
    /// A graph for onnxruntime and others: from prepared batches to logits; a file, if --out ends in
    /// .onnx, or a folder with what transformers keeps beside a model
    Onnx,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DtypeArg {
    /// 32 bits
    F32,
    /// 16 bits within; inputs and logits have 32
    F16,
}

/// The most bytes of a `result.json`: it has a confusion matrix.
const MOST_RESULT: u64 = 1 << 30;

/// The part of `result.json` that names the pretrained model.
#[derive(Deserialize)]
struct Tuned {
    weights: PathBuf,
}

pub(crate) fn export<M: Modality>(args: &ExportArgs) -> Result<()> {
    if args.base.is_some() && args.format != FormatArg::Peft {
        let problem = "only --format peft keeps the pretrained model apart; leave it out";
        return Err(setting("--base", problem));
    }
    if args.dtype.is_some() && args.format != FormatArg::Onnx {
        let problem = "all formats but --format onnx hold numbers of 32 bits; leave it out";
        return Err(setting("--dtype", problem));
    }
    refuse_existing(&args.out)?;
    let (model, modality) = run::open::<M>(&args.run, Device::Cpu)?;
    match args.format {
        FormatArg::Hf => export::hugging_face(&model, &modality, &args.out)?,
        FormatArg::Safetensors => export::safetensors(&model, &modality, &args.out)?,
        FormatArg::Torchscript => {
            let example = modality.example();
            let shape = |tensor: &tch::Tensor| format!("{:?} {:?}", tensor.kind(), tensor.size());
            export::torchscript(&model, &modality, &example, &args.out)?;
            say("takes", format!("x {}", shape(&example.x)));
            if let Some(mask) = &example.attention_mask {
                say("", format!("attention_mask {}, false where x is padded", shape(mask)));
            }
            say("", "in batches of any size");
        }
        FormatArg::Peft => peft(args, &model, &modality)?,
        FormatArg::Onnx => {
            let float = match args.dtype {
                None | Some(DtypeArg::F32) => Element::F32,
                Some(DtypeArg::F16) => Element::F16,
            };
            let interface = export::onnx(&model, &modality, float, &args.out)?;
            for (at, value) in interface.into_iter().enumerate() {
                say(if at == 0 { "onnx" } else { "" }, value);
            }
        }
    }
    if let Some(temperature) =
        model.spec().calibration.as_ref().and_then(|fitted| fitted.temperature)
    {
        // What others make of logits is theirs.
        say("calibrated", format!("no: divide the logits by the temperature {temperature:.4}"));
    }
    say("saved", args.out.display());
    Ok(())
}

fn peft<M: Modality>(args: &ExportArgs, model: &Model, modality: &M) -> Result<()> {
    let base = match &args.base {
        Some(base) => base.clone(),
        None => read_json_within::<Tuned>(&args.run.join(run::RESULT), MOST_RESULT)?.weights,
    };
    let local = weights::local(&base)?;
    if !local.exists() {
        let problem =
            format!("{} does not exist; name the pretrained model that was tuned", base.display());
        return Err(setting("--base", problem));
    }
    let source = Pretrained::open_as(&local, Some(&model.spec().family))?;
    let reference = base.to_str().filter(|text| text.starts_with(hub::SCHEME));
    match reference.map(str::parse::<hub::Reference>).transpose()? {
        Some(reference) => {
            let name = (reference.repository(), Some(reference.revision()));
            export::peft(model, modality, &source, name, &args.out)?;
        }
        None => {
            let folder = source.checkpoint().folder();
            let folder = folder.canonicalize().map_err(Error::io(folder, "find"))?;
            let name = (&*folder.to_string_lossy(), None);
            export::peft(model, modality, &source, name, &args.out)?;
        }
    }
    Ok(())
}
