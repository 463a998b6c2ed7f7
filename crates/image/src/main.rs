//! The binary `crosstune-image`.

use std::process::ExitCode;

use crosstune_image::ImageArgs;

fn main() -> ExitCode {
    crosstune_cli::run::<ImageArgs>()
}
