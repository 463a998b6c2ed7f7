//! Core names no modality: only a publisher's model may say what it was trained on.

use super::fault::Fault;
use super::source::Crate;
use super::tokens::Kind;

const MODALITIES: [&str; 3] = ["image", "audio", "text"];

/// Where these words may stand in `crates/core/src`: what a publisher trained on, and what people
/// call the columns of their tables.
const EXEMPT: [&str; 3] = ["family/", "data/names.rs", "data/cells.rs"];

/// The strings of core that are a modality's name.
pub(super) fn faults(krate: &Crate) -> Vec<Fault> {
    let mut faults = Vec::new();
    if krate.folder != "crates/core" {
        return faults;
    }
    for file in &krate.files {
        let below = file.name.strip_prefix("crates/core/src/").unwrap_or(&file.name);
        if EXEMPT.iter().any(|exempt| below.starts_with(exempt)) {
            continue;
        }
        for token in &file.tokens {
            if let Kind::Text(text) = &token.kind
                && MODALITIES.contains(&text.as_str())
            {
                let what = format!(
                    "\"{text}\": core names no modality, so let the trait `Modality` say what differs"
                );
                faults.push(Fault::new(&file.name, token.line, what));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines at fault in a file of core with this name and text.
    fn lines(name: &str, text: &str) -> Vec<usize> {
        let name = format!("crates/core/src/{name}");
        let krate = Crate::new("crates/core", [(name.as_str(), text)]);
        faults(&krate).iter().map(|fault| fault.line).collect()
    }

    #[test]
    fn only_families_name_modalities() {
        let wrong = "fn a() {\n b(M::NAME == \"text\")\n}";
        assert_eq!(lines("export/peft.rs", wrong), [2]);
        assert_eq!(lines("family/bert.rs", wrong), [0; 0]);
        assert_eq!(lines("export/tests.rs", wrong), [0; 0]);
        let right = "// \"text\"\nfn a() { b(M::PEFT_TASK, \"a text\") }\n\
                     #[cfg(test)]\nmod tests { const B: &str = \"audio\"; }";
        assert_eq!(lines("export/peft.rs", right), [0; 0]);
    }
}
