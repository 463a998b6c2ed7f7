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
                let keep = format!("keep {}, false where x is padded", shape(keep));
                eprintln!("{}", line("", keep));
            }
            eprintln!("{}", line("", "in batches of any size"));
        }
    }
    eprintln!("{}", line("saved", args.out.display()));
    Ok(())
}
