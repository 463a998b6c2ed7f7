//! All families in one table, for people: the README has it, and `inspect --families` prints it.

use super::family::Family;

/// The table's head.
const HEAD: [&str; 4] = ["trained on", "`--family`", "reads", "exports to"];

/// All families as a table in Markdown: by the modality that they were trained on, what of them is
/// read, and where a tuned model of theirs can be read again.
pub fn families() -> String {
    let mut families: Vec<_> = Family::by_modality().collect();
    families.sort_by_key(|(modality, _)| *modality);
    let cells = |(modality, family): (&str, &Family)| {
        let name = format!("`{}`", family.name);
        [modality.into(), name, family.reads.into(), family.exports().into()]
    };
    let mut rows = vec![HEAD.map(String::from)];
    rows.extend(families.into_iter().map(cells));
    let widths = [0, 1, 2, 3]
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default());
    rows.insert(1, widths.map(|width| "-".repeat(width)));
    let line = |row: &[String; 4]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("| {cell:<width$} "));
        cells.collect::<String>() + "|\n"
    };
    rows.iter().map(line).collect()
}

impl Family {
    /// The library that can read what is exported.
    fn exports(&self) -> &'static str {
        if self.hugging_face.is_some() { "transformers" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

    /// The README's table: the lines of its section that begin with a bar.
    fn written(readme: &str) -> (usize, usize) {
        let section = readme.find("\n## Families\n").expect("the README has the section");
        let from = section + readme[section..].find("\n|").expect("it has a table") + 1;
        let to = from + readme[from..].find("\n\n").expect("it ends") + 1;
        (from, to)
    }

    #[test]
    fn the_readme_has_every_family_and_no_other() {
        let readme = std::fs::read_to_string(README).unwrap();
        let (from, to) = written(&readme);
        if std::env::var_os("UPDATE").is_some() {
            let new = format!("{}{}{}", &readme[..from], families(), &readme[to..]);
            std::fs::write(Path::new(README), new).unwrap();
            return;
        }
        let then = "UPDATE=1 cargo test -p crosstune-core --lib family::table writes it anew";
        assert!(readme[from..to] == families(), "the README's table of families is old: {then}");
    }

    #[test]
    fn every_family_is_told_once_and_stands_by_a_known_modality() {
        let names: BTreeSet<_> = Family::by_modality().map(|(_, family)| family.name).collect();
        assert_eq!(names.len(), Family::by_modality().count());
        assert_eq!(families().lines().count(), names.len() + 2);
        assert!(Family::by_modality().all(|(_, family)| !family.reads.is_empty()));
    }
}
