//! What a published text model says of itself, as the fuzz targets read it: `tokenizer.json` and
//! `config.json`.
//!
//! ```text
//! cd crates/text/fuzz
//! mkdir -p corpus/tokenizer corpus/config
//! for m in ../tests/fixtures/tokenizers/*/; do
//!     cp $m/tokenizer.json corpus/tokenizer/$(basename $m)
//! done
//! for m in ../../*/tests/fixtures/*/config.json; do
//!     cp $m corpus/config/$(basename $(dirname $m))
//! done
//! export LIBTORCH=…/.libtorch LD_LIBRARY_PATH=…/.libtorch/lib
//! cargo +nightly fuzz run --sanitizer none tokenizer
//! ```
//!
//! Beside panics and memory, a target checks that what is taken is within its bounds.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crosstune_core::Pretrained;
use crosstune_text::Tokenizer;
use tempfile::TempDir;

/// The longest that a text becomes, in tokens.
const MOST: u32 = 16;

/// A folder for the file under test, in memory where the system has such a place.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let new = || tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    FOLDER.get_or_init(|| new().expect("a place for temporary files")).path()
}

/// libfuzzer's own hook would end the process at a library's panic that is caught, too. One that is
/// not ends it all the same.
fn quiet() {
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| ())));
}

/// Reads a `tokenizer.json` and, if it is one, some texts with it.
pub fn tokenizer(file: &[u8]) {
    quiet();
    fs::write(folder().join("tokenizer.json"), file).expect("room for temporary files");
    let Ok(tokenizer) = Tokenizer::open(folder(), MOST) else { return };
    let vocabulary = tokenizer.vocabulary();
    assert!((0..vocabulary).contains(&tokenizer.pad()));
    let long = "aa bb ".repeat(200);
    let texts = ["", " ", "the cat sat", "Ünïcode \u{FDFA} 最後の文 👩‍👩‍👧\u{0}\n", &long];
    for text in texts {
        let found = [
            tokenizer.encode(text),
            tokenizer.encode_pair(text, "the cat").map(|(tokens, segments)| {
                assert_eq!(tokens.len(), segments.len());
                tokens
            }),
        ];
        for tokens in found.into_iter().flatten() {
            assert!(tokens.len() <= MOST as usize);
            assert!(tokens.iter().all(|id| (0..vocabulary).contains(id)));
        }
    }
}

/// Reads a `config.json`, as that of a model without weights: of any family, or of one's own design.
pub fn config(file: &[u8]) {
    let path = folder().join("config.json");
    fs::write(&path, file).expect("room for temporary files");
    let Ok(source) = Pretrained::open(&path) else { return };
    let config = source.config();
    // What the command line asks of every source.
    let _ = (config.trunk.depth(), config.trunk.accepts(), source.task());
    let _ = source.labels(|_, _| Ok(vec![]));
}
