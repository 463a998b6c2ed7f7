//! Lets what is built here find libtorch at run time: `crosstune-core`'s build script says how.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(arg) = std::env::var("DEP_CROSSTUNE_LINK_ARG") {
        println!("cargo::rustc-link-arg={arg}");
    }
}
