//! A crate outside the workspace, as the README's section *From Rust* has it: its dependencies, its
//! example, and the build script that it names.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{build, ran, root};

/// The crate's name, and that of its binary.
const NAME: &str = "outside-the-workspace";

#[test]
fn a_crate_outside_builds_and_runs_as_the_readme_says() {
    let readme = read(root().join("README.md"));
    let (_, section) = readme.split_once("\n## From Rust\n").expect("the README has the section");
    let section = section.split("\n## ").next().expect("a section");
    assert!(section.contains("`crates/image/build.rs`"), "the README names the build script");

    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n\n");
    // Where it lies, the crates are elsewhere.
    let here = format!("path = \"{}/", root().display());
    let dependencies = block(section, "toml").replace("path = \"", &here);
    write(place("mine/Cargo.toml"), &(package(NAME) + &dependencies));
    write(place("mine/src/main.rs"), block(section, "rust"));
    write(place("mine/build.rs"), &read(root().join("crates/image/build.rs")));
    // The example looks for its data there.
    #[cfg(unix)]
    std::os::unix::fs::symlink(root().join("crates"), place("crates")).unwrap();

    // What others have written is not built again: it has the same versions, the same settings and, as a
    // package beside asks for all of it, the same features.
    let manifest = read(root().join("Cargo.toml"));
    let profiles = tables(&manifest, |name| name.starts_with("profile."));
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"mine\", \"beside\"]\n\n";
    // What has to be built again is so without optimising: the example is short.
    let ours = ["crosstune-core", "crosstune-image"];
    let ours = ours.map(|name| format!("[profile.dev.package.{name}]\nopt-level = 0\n")).concat();
    write(place("Cargo.toml"), &(workspace.to_owned() + &profiles + &ours));
    write(place("Cargo.lock"), &read(root().join("Cargo.lock")));
    let others = tables(&manifest, |name| name == "workspace.dependencies");
    let others = others.replace("[workspace.", "[");
    // Ours are not others', and `cc` is for build scripts alone.
    let left_out = ["crosstune-", "cc "];
    let others =
        others.lines().filter(|line| !left_out.iter().any(|left_out| line.starts_with(left_out)));
    let others = others.map(|line| format!("{line}\n")).collect::<String>();
    write(place("beside/Cargo.toml"), &(package("beside") + &others));
    write(place("beside/src/lib.rs"), "");

    let (mut cargo, built) = build();
    cargo.current_dir(folder.path()).args(["--workspace", "--offline", "--target-dir"]);
    cargo.arg(built.parent().expect("the folder of all profiles"));
    ran(&mut cargo).ok();
    let binary = built.join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX));
    // Cargo's word to this test of where libraries lie is not for the binary.
    let mut run = Command::new(binary);
    let printed = ran(run.env_remove("LD_LIBRARY_PATH").env("OMP_NUM_THREADS", "1")).ok();
    let merit: f64 = printed.trim().parse().unwrap_or_else(|_| panic!("a number: {printed:?}"));
    assert!((0.0..=1.0).contains(&merit), "{merit}");
}

/// The first block of code of a language in a Markdown text.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, code) = text.split_once(&format!("\n```{language}\n")).expect("a block of code");
    code.split("```").next().expect("its end")
}

/// The tables of a manifest whose names are so.
fn tables(manifest: &str, is_so: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            inside = is_so(name.trim_end_matches(']'));
        }
        if inside {
            text += line;
            text.push('\n');
        }
    }
    text
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a folder")).unwrap();
    fs::write(path, text).unwrap();
}
