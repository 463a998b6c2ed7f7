//! `export`: a tuned model for other programs.

use anyhow::Result;
use crosstune_core::{Device, Modality, export, run};

use crate::{
    args::{ExportArgs, FormatArg},
    format::line,
};

pub(crate) fn export<M: Modality>(args: &ExportArgs) -> Result<()> {
    let (model, modality) = run::open::<M>(&args.run, Device::Cpu)?;
    match args.format {
        FormatArg::Hf => export::hugging_face(&model, &modality, &args.out)?,
        FormatArg::Safetensors => export::safetensors(&model, &args.out)?,
        FormatArg::Torchscript => {
            let example = modality.example();
            let shape = |tensor: &tch::Tensor| format!("{:?} {:?}", tensor.kind(), tensor.size());
            export::torchscript(&model, &example, &args.out)?;
            eprintln!("{}", line("takes", format!("x {}", shape(&example.x))));
            if let Some(keep) = &example.keep {
                eprintln!("{}", line("", format!("keep {}", shape(keep))));
            }
            let any = "batches of any size; what stands behind an input is padding";
            eprintln!("{}", line("", any));
        }
    }
    eprintln!("{}", line("saved", args.out.display()));
    Ok(())
}
