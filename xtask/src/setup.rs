//! `cargo xtask setup`: puts libtorch where a build finds it with no environment variable.
//!
//! The libraries are those of PyTorch's own wheels, as pip delivers them: the CPU's part of them,
//! or with `--cuda` all that runs on NVIDIA GPUs too. Tried on Linux x86_64. The wheels for Linux
//! aarch64 and for macOS arm64 are pinned and hold the files named here, but nobody has run them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cache;
use crate::libtorch::{Libtorch, Source, VERSION};
use crate::paths;
use crate::process;
use crate::wheels;

/// What libtorch is to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The processor alone.
    Cpu,
    /// The processor and NVIDIA GPUs.
    Cuda,
}

/// Runs the task.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let kind = match args {
        [] => Kind::Cpu,
        [flag] if flag == "--cuda" => Kind::Cuda,
        _ => bail!("`cargo xtask setup` takes `--cuda` or nothing, but got `{}`", args.join(" ")),
    };
    let libtorch = prepare(kind)?;
    say_on!("libtorch {libtorch} is ready");
    match libtorch.source {
        Source::Clone => say!(""),
        source => say!(": {source}, in {}", libtorch.home.display()),
    }
    Ok(())
}

/// Sets up libtorch if it is missing; the tasks that build things begin with this.
pub(crate) fn ensure() -> Result<Libtorch> {
    prepare(Kind::Cpu)
}

/// The libtorch that a build will use, set up first if it is missing. The user's own is only
/// looked at, and one with CUDA does for the CPU too.
fn prepare(kind: Kind) -> Result<Libtorch> {
    if let Some(found) = Libtorch::find()? {
        let enough = kind == Kind::Cpu || found.cuda;
        if found.fits() && enough {
            return Ok(found);
        }
        if found.source != Source::Clone {
            let wanted = if found.fits() { " with CUDA" } else { ", which tch 0.24 needs" };
            bail!(
                "libtorch {found} in {} ({}) is not {VERSION}{wanted}: unset the variable and try \
                 again",
                found.home.display(),
                found.source
            );
        }
    }
    let home = match kind {
        Kind::Cpu => cpu()?,
        Kind::Cuda => {
            let name = format!("libtorch-{VERSION}-cuda");
            let wheels = wheels::select(&["cpu", "cuda"])?;
            let finish = |out: &Path| write_version(&out.join("torch"));
            cache::fetch(&name, &wheels, place_cuda, finish)?.join("torch")
        }
    };
    if link(&home)? {
        forget_builds()?;
    }
    Libtorch::find()?.with_context(|| {
        let home = home.display();
        format!("{home} has no lib/libtorch_cpu: remove it and run `cargo xtask setup` again")
    })
}

/// The cache's libtorch for the CPU, whatever a build here uses.
pub(crate) fn cpu() -> Result<PathBuf> {
    let name = format!("libtorch-{VERSION}-cpu");
    cache::fetch(&name, &wheels::select(&["cpu"])?, place_cpu, finish_cpu)
}

/// The folder with what Python knows of the packages that libtorch comes from, and their licences: each
/// package's `.dist-info`. A libtorch that was set up before these were kept has them fetched.
pub(crate) fn packages(libtorch: &Path) -> Result<PathBuf> {
    let own = libtorch.join(PACKAGES);
    if own.is_dir() {
        return Ok(own);
    }
    let place = |name: &str| place_package(name).map(|place| Path::new(PACKAGES).join(place));
    let name = format!("libtorch-{VERSION}-packages");
    Ok(cache::fetch(&name, &wheels::select(&["cpu"])?, place, |_| Ok(()))?.join(PACKAGES))
}

/// The name of that folder.
const PACKAGES: &str = "packages";

/// Where a file of the wheels goes in it.
fn place_package(name: &str) -> Option<PathBuf> {
    let (folder, _) = name.split_once('/')?;
    (folder.ends_with(".dist-info") || name == "torch/version.py").then(|| PathBuf::from(name))
}

/// Where a file of the wheels goes in a libtorch for the CPU. All libraries go to one folder,
/// where they find each other: their RPATHs have `$ORIGIN`.
fn place_cpu(name: &str) -> Option<PathBuf> {
    // The last seven are what libtorch_cpu links to, on one platform or another.
    const LIBRARIES: [&str; 10] = [
        "libtorch_cpu.",
        "libc10.",
        "libtorch.dylib",
        "libgomp",
        "libomp.",
        "libarm_compute",
        "libgfortran",
        "libnvpl_",
        "libcudart.so.",
        "libcupti.so.",
    ];
    if let Some(rest) = name.strip_prefix("torch/include/") {
        return Some(Path::new("include").join(rest));
    }
    if let Some(place) = place_package(name) {
        return Some(Path::new(PACKAGES).join(place));
    }
    let file = name
        .strip_prefix("torch/lib/")
        .or_else(|| name.strip_prefix("nvidia/cu13/lib/"))
        .filter(|file| LIBRARIES.iter().any(|prefix| file.starts_with(prefix)))?;
    Some(Path::new("lib").join(file))
}

/// Where a file of the wheels goes in a libtorch with CUDA: where pip would put it, as the
/// libraries' RPATHs lead from `torch/lib` to `nvidia/…/lib`. Only Python's own files are left out.
fn place_cuda(name: &str) -> Option<PathBuf> {
    let wanted = ["torch/include/", "torch/lib/", "nvidia/"];
    let python = name.ends_with(".py") || name.contains("libtorch_python");
    (!python && wanted.iter().any(|prefix| name.starts_with(prefix))).then(|| PathBuf::from(name))
}

/// Adds what a libtorch for the CPU has beside the wheels' files.
fn finish_cpu(out: &Path) -> Result<()> {
    // Linux's own libtorch.so, an empty shell, would ask for libtorch_cuda.so.
    if cfg!(target_os = "linux") {
        let path = out.join("lib/libtorch.so");
        let script = "INPUT(-ltorch_cpu -lc10)\n";
        fs::write(&path, script).with_context(|| path.display().to_string())?;
    }
    write_version(out)
}

/// Writes the file that torch-sys compares with the version it needs.
fn write_version(home: &Path) -> Result<()> {
    let path = home.join("build-version");
    fs::write(&path, format!("{VERSION}\n")).with_context(|| path.display().to_string())
}

/// Points the clone's link to a folder of the cache, in one step. False if it already did.
fn link(home: &Path) -> Result<bool> {
    let link = paths::link();
    if fs::read_link(&link).is_ok_and(|old| old == home) {
        return Ok(false);
    }
    let ours = fs::symlink_metadata(&link).map_or(true, |metadata| metadata.is_symlink());
    ensure!(ours, "{} is not the link that setup makes: move it away", link.display());
    let new = link.with_extension(std::process::id().to_string());
    symlink(home, &new).with_context(|| format!("cannot make the link {}", new.display()))?;
    fs::rename(&new, &link).with_context(|| format!("cannot make the link {}", link.display()))?;
    Ok(true)
}

/// Drops what was built against another libtorch under the same link: torch-sys would not notice.
fn forget_builds() -> Result<()> {
    let profiles = [("debug", "dev"), ("release", "release")];
    let target = paths::target();
    for (folder, profile) in profiles {
        if has_torch_sys(&target.join(folder).join("build"))? {
            let packages = ["-p", "torch-sys", "-p", "crosstune-core"];
            let clean = ["clean", "--quiet", "--profile", profile];
            process::run(process::cargo().args(clean).args(packages))?;
        }
    }
    Ok(())
}

/// Whether torch-sys was built in this folder of build scripts' outputs.
fn has_torch_sys(folder: &Path) -> Result<bool> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| folder.display().to_string()),
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    Ok(names.any(|name| name.to_string_lossy().starts_with("torch-sys-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts where each file goes, by the given rule.
    fn assert_places(rule: impl Fn(&str) -> Option<PathBuf>, files: &[(&str, Option<&str>)]) {
        for (name, place) in files {
            assert_eq!(rule(name), place.map(PathBuf::from), "{name}");
        }
    }

    #[test]
    fn the_cpu_gets_its_libraries_in_one_folder_and_the_headers() {
        let taken = [
            ("torch/include/ATen/ATen.h", Some("include/ATen/ATen.h")),
            ("torch/lib/libtorch_cpu.so", Some("lib/libtorch_cpu.so")),
            ("torch/lib/libc10.dylib", Some("lib/libc10.dylib")),
            ("torch/lib/libgomp.so.1", Some("lib/libgomp.so.1")),
            ("torch/lib/libnvpl_blas_core.so.0", Some("lib/libnvpl_blas_core.so.0")),
            (
                "torch-2.11.0.dist-info/licenses/LICENSE",
                Some("packages/torch-2.11.0.dist-info/licenses/LICENSE"),
            ),
            ("torch/version.py", Some("packages/torch/version.py")),
            ("nvidia/cu13/lib/libcudart.so.13", Some("lib/libcudart.so.13")),
            ("nvidia/cu13/lib/libcupti.so.13", Some("lib/libcupti.so.13")),
        ];
        assert_places(place_cpu, &taken);
        let left = [
            "torch/__init__.py",
            "torch/lib/libtorch.so",
            "torch/lib/libtorch_cuda.so",
            "torch/lib/libc10_cuda.so",
            "torch/lib/libtorch_python.so",
            "torch/bin/protoc",
            "nvidia/cu13/lib/libcudart_static.a",
            "nvidia/cu13/include/cuda.h",
        ];
        assert_places(place_cpu, &left.map(|name| (name, None)));
    }

    #[test]
    fn cuda_gets_all_libraries_where_pip_would_put_them() {
        for name in ["torch/lib/libtorch_cuda.so", "nvidia/cudnn/lib/libcudnn.so.9"] {
            assert_places(place_cuda, &[(name, Some(name))]);
        }
        for name in ["torch/nn/init.py", "torch/lib/libtorch_python.so", "nvidia/__init__.py"] {
            assert_places(place_cuda, &[(name, None)]);
        }
    }

    #[test]
    fn nothing_but_the_cuda_flag_is_taken() {
        for args in [vec!["--gpu".to_owned()], vec!["--cuda".to_owned(), "now".to_owned()]] {
            assert!(run(&args).is_err());
        }
    }
}
