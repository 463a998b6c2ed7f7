//! Other programs: running them, and asking them for a line.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::paths;

/// The cargo that runs this task, in the clone's root. It does not hear what it told this task of its
/// own package: build scripts that ask for the same variables, as ring's does, would run again each time
/// that it comes from a shell or from here, and all that depends on them be compiled again.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::root());
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_a_package(&name.to_string_lossy())) {
        cargo.env_remove(name);
    }
    cargo
}

/// Whether cargo sets a variable of this name for each package.
fn is_of_a_package(name: &str) -> bool {
    let one = ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_") || one.contains(&name)
}

/// Runs a program whose output the person sees, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let name = program.display();
    let status = command.status().with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        let name = std::path::Path::new(&program).file_name().unwrap_or(&program).display();
        bail!("`{name} {}` failed ({status})", words.join(" "));
    }
    Ok(())
}

/// Lets a program's waiting threads spin for some microseconds before they sleep, unless the
/// environment says how they wait. Beside other work, ones that spin on take twice the time; on a
/// quiet computer, ones that sleep at once take a tenth more.
pub(crate) fn wait_briefly(command: &mut Command) {
    if ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"].iter().all(|own| env::var_os(own).is_none()) {
        command.env("GOMP_SPINCOUNT", "2000");
    }
}

/// The first line that a program prints, if it is there and succeeds.
pub(crate) fn first_line(words: &[&str]) -> Option<String> {
    let (program, args) = words.split_first()?;
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().trim().to_owned();
    output.status.success().then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_within_cargo_is_as_from_a_shell() {
        // Cargo runs this test, so it has told it of xtask.
        assert!(env::var_os("CARGO_PKG_NAME").is_some());
        let cargo = cargo();
        let removed =
            |name: &str| cargo.get_envs().any(|(key, value)| key == name && value.is_none());
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR"] {
            assert!(removed(name), "{name}");
        }
        for name in
            ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS", "CARGO_PROFILE_DEV_DEBUG"]
        {
            assert!(!is_of_a_package(name), "{name}");
        }
    }

    #[test]
    fn asks_for_a_line_or_gets_none() {
        assert_eq!(first_line(&["echo", "hello"]).as_deref(), Some("hello"));
        assert_eq!(first_line(&["false"]), None);
        assert_eq!(first_line(&["no-such-program-anywhere"]), None);
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("false").arg("--loudly")).map_err(|error| error.to_string());
        assert_eq!(error, Err("`false --loudly` failed (exit status: 1)".to_owned()));
    }
}
