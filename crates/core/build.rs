//! Finds libtorch in the first second of a build, and tells the linker where it lies, so that
//! what is built runs from anywhere with no environment variable. Builds the C++ files of this
//! crate.
//!
//! The one linker argument goes to this crate's own tests and, as the metadata `link_arg`, to the
//! build scripts of the crates that depend on this one. A crate of yours that does needs the same
//! script as `crates/image/build.rs`, since cargo hands no link argument on by itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The libtorch that tch 0.24 speaks to.
const VERSION: &str = "2.11.0";

/// Prints where PyTorch keeps its libraries and what version it is, without importing it.
const ASK_PYTHON: &str = "\
import importlib.metadata, importlib.util
print(importlib.util.find_spec('torch').submodule_search_locations[0])
print(importlib.metadata.version('torch'))";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // docs.rs has no libtorch, and documentation links nothing.
    if variable("DOCS_RS").is_some() {
        return;
    }
    let found = find().and_then(|Libtorch { lib, include, version }| {
        // Should the folder go, this script runs again and says so.
        println!("cargo::rerun-if-changed={}", lib.display());
        check(&version)?;
        compile(&include)?;
        link_arg(&lib)
    });
    match found {
        Ok(arg) => {
            println!("cargo::rustc-link-arg={arg}");
            println!("cargo::metadata=link_arg={arg}");
        }
        Err(why) => println!("cargo::error={why}"),
    }
}

/// Where libtorch lies.
struct Libtorch {
    lib: PathBuf,
    include: PathBuf,
    /// Where known.
    version: Option<String>,
}

/// Finds libtorch in torch-sys's own order.
fn find() -> Result<Libtorch, String> {
    if variable("LIBTORCH_USE_PYTORCH").is_some() {
        return ask_python();
    }
    let home = variable("LIBTORCH").map(PathBuf::from).or_else(system);
    let lib = variable("LIBTORCH_LIB").map(PathBuf::from).or_else(|| home.clone());
    let lib = lib.map(|lib| lib.join("lib")).filter(|lib| lib.is_dir()).ok_or_else(|| {
        format!(
            "libtorch is not set up: run `cargo xtask setup` (or set LIBTORCH to a libtorch \
             {VERSION} of your own)"
        )
    })?;
    let include = variable("LIBTORCH_INCLUDE").map(PathBuf::from).or_else(|| home.clone());
    let include = include.unwrap_or_default().join("include");
    let version = home.and_then(|home| fs::read_to_string(home.join("build-version")).ok());
    Ok(Libtorch { lib, include, version })
}

/// The system's own libtorch.
fn system() -> Option<PathBuf> {
    Path::new("/usr/lib/libtorch.so").exists().then(|| PathBuf::from("/usr"))
}

/// Asks Python for its PyTorch.
fn ask_python() -> Result<Libtorch, String> {
    let python = if variable("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let output = Command::new(python).args(["-c", ASK_PYTHON]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match text.unwrap_or_default().lines().collect::<Vec<_>>()[..] {
        [home, version] => {
            let (lib, include) = (Path::new(home).join("lib"), Path::new(home).join("include"));
            Ok(Libtorch { lib, include, version: Some(version.to_owned()) })
        }
        _ => Err(format!(
            "LIBTORCH_USE_PYTORCH is set, but `{python}` has no PyTorch: install torch \
             {VERSION}, or unset it and run `cargo xtask setup`"
        )),
    }
}

/// Compares the version with the one that tch was made for, as torch-sys would do much later.
fn check(version: &Option<String>) -> Result<(), String> {
    let bypass = variable("LIBTORCH_BYPASS_VERSION_CHECK").is_some();
    let version = version.as_deref().and_then(|version| version.trim().split('+').next());
    match version {
        Some(version) if version != VERSION && !bypass => Err(format!(
            "libtorch is {version}, but tch needs {VERSION}: run `cargo xtask setup` (and unset \
             LIBTORCH and LIBTORCH_USE_PYTORCH)"
        )),
        _ => Ok(()),
    }
}

/// Compiles what tch's binding lacks, with the flags that torch-sys compiles its own.
fn compile(include: &Path) -> Result<(), String> {
    const FOLDER: &str = "src/libtorch";
    const SOURCES: [&str; 4] = ["shim.cpp", "fused.cpp", "kernels.cpp", "c10d.cpp"];
    for file in SOURCES.iter().chain(&["shim.h", "kernels.h", "kernels.inc", "gloo.h"]) {
        println!("cargo::rerun-if-changed={FOLDER}/{file}");
    }
    if !include.join("ATen").is_dir() {
        return Err(format!(
            "no libtorch headers in {}: run `cargo xtask setup` (and unset LIBTORCH_INCLUDE)",
            include.display()
        ));
    }
    let abi = variable("LIBTORCH_CXX11_ABI").unwrap_or_else(|| "1".into());
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .define("_GLIBCXX_USE_CXX11_ABI", abi.as_str())
        .include(include)
        // Our vectors stay within a file.
        .flag_if_supported("-Wno-psabi")
        // A training's loops are no slower in a build for debugging.
        .opt_level(3)
        .include(include.join("torch/csrc/api/include"))
        .include(gloo(FOLDER)?)
        .files(SOURCES.map(|file| format!("{FOLDER}/{file}")))
        .try_compile("crosstune_shim")
        .map_err(|error| format!("the C++ files in {FOLDER} do not compile: {error}"))
}

/// A folder with the headers of Gloo that libtorch's own include, all of them our declarations: see there.
fn gloo(sources: &str) -> Result<PathBuf, String> {
    const HEADERS: [&str; 5] =
        ["algorithm.h", "common/error.h", "context.h", "rendezvous/store.h", "transport/device.h"];
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let ours = Path::new(sources).join("gloo.h").canonicalize();
    let write = |ours: PathBuf| -> std::io::Result<()> {
        for header in HEADERS.map(|header| folder.join("gloo").join(header)) {
            fs::create_dir_all(header.parent().unwrap_or(&folder))?;
            fs::write(header, format!("#include \"{}\"\n", ours.display()))?;
        }
        Ok(())
    };
    let written = ours.and_then(write).map_err(|error| format!("{}: {error}", folder.display()));
    written.map(|()| folder)
}

/// One argument, as cargo's metadata are single values: the linker takes it apart at the commas.
fn link_arg(lib: &Path) -> Result<String, String> {
    // What is handed on finds libtorch beside itself: see `cargo xtask dist`.
    if let Some(rpath) = variable("CROSSTUNE_RPATH") {
        return Ok(format!("-Wl,-rpath,{rpath}"));
    }
    // Resolved, so that a binary survives its clone's `.libtorch` link.
    let lib = lib.canonicalize().map_err(|error| format!("{}: {error}", lib.display()))?;
    let dir = lib.display();
    // No symbol of ours names the CUDA half, so the linker would leave it out.
    let cuda = if lib.join("libtorch_cuda.so").exists() {
        format!(",-L,{dir},--no-as-needed,-ltorch_cuda,--as-needed")
    } else {
        String::new()
    };
    Ok(format!("-Wl,-rpath,{dir}{cuda}"))
}

/// An environment variable; a change of it runs this script again.
fn variable(name: &str) -> Option<String> {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).ok()
}
