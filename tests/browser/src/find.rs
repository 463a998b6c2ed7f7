//! Where a Chromium may be.

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    sync::Once,
};

/// What a person's Chromium may be called.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "chrome-headless-shell",
    "google-chrome",
    "google-chrome-stable",
];

/// That tests are skipped is said once.
static SAID: Once = Once::new();

/// The Chromium to test with: `CHROME`, or one on the `PATH`. Where there is none, the tests of a
/// `package` are skipped, and it is said how they are not.
pub fn find(package: &str) -> Option<PathBuf> {
    if let Some(chosen) = env::var_os("CHROME").filter(|path| !path.is_empty()) {
        return Some(chosen.into());
    }
    let folders: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.into_iter().find(|place| place.is_file());
    if found.is_none() {
        SAID.call_once(|| {
            // Past the capture of a test's output: a person must see it.
            let _ = writeln!(
                io::stderr(),
                "skipped, as there is no Chromium: CHROME=$(cargo xtask browser) cargo test -p {package}"
            );
        });
    }
    found
}
