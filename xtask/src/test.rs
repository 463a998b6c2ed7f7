//! `cargo xtask test`: every test, from a bare clone.

use anyhow::Result;

use crate::browser;
use crate::build::EVERYTHING;
use crate::process;
use crate::setup;

/// Runs the task: sets up what is missing, then runs all tests, or what the arguments choose of them.
pub(crate) fn run(args: &[String]) -> Result<()> {
    setup::ensure()?;
    // A package that is named has features of its own, so for it all of this would be built twice.
    let whole = if names_a_package(args) { &[][..] } else { &EVERYTHING[..] };
    if !whole.is_empty() {
        // The binaries that the integration tests run are built along with the tests.
        let build = ["build", "--bins", "--tests"];
        process::run(process::cargo().args(build).args(whole).args(profile(args)))?;
    }
    let mut test = process::cargo();
    test.arg("test").args(whole).args(args);
    // Tests of pages look for one themselves, but not in the cache.
    if let Some(chromium) = browser::find() {
        test.env("CHROME", chromium);
    }
    process::run(&mut test)
}

/// The arguments that are cargo's: those before a `--`.
fn cargo_args(args: &[String]) -> &[String] {
    args.split(|arg| arg == "--").next().unwrap_or_default()
}

/// The arguments that choose where and how cargo builds.
fn profile(args: &[String]) -> Vec<&str> {
    let mut chosen = Vec::new();
    let mut args = cargo_args(args).iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--release" | "-r" | "--locked" | "--offline" | "--frozen" => chosen.push(arg),
            "--profile" | "--target-dir" => {
                chosen.extend([Some(arg), args.next()].iter().flatten())
            }
            _ if arg.starts_with("--profile=") || arg.starts_with("--target-dir=") => {
                chosen.push(arg);
            }
            _ => {}
        }
    }
    chosen
}

/// Whether the arguments name packages, rather than leave cargo with all.
fn names_a_package(args: &[String]) -> bool {
    cargo_args(args).iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a line, as arguments.
    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_binaries_are_built_the_way_the_tests_are() {
        let args = words("--release name --target-dir there --profile=x --no-fail-fast -- -r");
        assert_eq!(profile(&args), ["--release", "--target-dir", "there", "--profile=x"]);
        assert_eq!(profile(&words("name -- --release")), [""; 0]);
        assert_eq!(profile(&words("--profile")), ["--profile"]);
    }

    #[test]
    fn a_named_package_is_tested_alone() {
        assert!(names_a_package(&words("-p crosstune-core")));
        assert!(names_a_package(&words("--package=crosstune-core")));
        assert!(!names_a_package(&words("name -- -p")));
        assert!(!names_a_package(&words("--profile release")));
    }
}
