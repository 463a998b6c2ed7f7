//! The binary `crosstune-text`.

use std::process::ExitCode;

use crosstune_text::TextArgs;

fn main() -> ExitCode {
    crosstune_cli::run::<TextArgs>()
}
