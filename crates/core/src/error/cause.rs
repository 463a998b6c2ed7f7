//! Errors of any crate, and how they are said.

use super::printable::printable;

/// An error of any crate, as it travels inside [`Error`](super::Error).
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error and all its causes as one line.
pub fn one_line(error: &dyn std::error::Error) -> String {
    // Errors from C++ carry a stack trace behind their first line.
    let said = |e: &dyn std::error::Error| {
        let text = e.to_string();
        if let Some(said) = out_of_memory(&text) {
            return said;
        }
        printable(text.lines().next().unwrap_or_default()).into_owned()
    };
    let mut line = said(error);
    let mut cause = error.source();
    while let Some(e) = cause {
        let text = said(e);
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = e.source();
    }
    line
}

/// What to say if a text is the way to say that there was no memory: libtorch's on the CPU, on a GPU,
/// or for its own use, or that of a thread. `None`: it is not.
pub fn out_of_memory(text: &str) -> Option<String> {
    // Rust and rayon say so of a thread that has no room for its stack.
    if text.contains("thread") && text.contains("Resource temporarily unavailable") {
        return Some("out of memory, or of threads: a smaller OMP_NUM_THREADS needs less".into());
    }
    let marks =
        ["DefaultCPUAllocator: can't allocate memory", "CUDA out of memory", "std::bad_alloc"];
    let at = marks.iter().find_map(|mark| text.find(mark))?;
    // `you tried to allocate 400 bytes`, `Tried to allocate 4.00 GiB`.
    let asked = text[at..].split_once("ried to allocate ").map(|(_, rest)| {
        let words: Vec<_> = rest.split_whitespace().take(2).collect();
        format!(" ({} more were asked for)", words.join(" ").trim_end_matches('.'))
    });
    Some(format!(
        "out of memory{}: a smaller batch, smaller inputs or a smaller model need less",
        asked.unwrap_or_default()
    ))
}
