//! The binary `crosstune-audio`.

use std::process::ExitCode;

use crosstune_audio::AudioArgs;

fn main() -> ExitCode {
    crosstune_cli::run::<AudioArgs>()
}
