//! Dialects: tables that translate our names into a publisher's.
//!
//! A family of checkpoints is one table with a file of its own. Our code never mentions a
//! publisher's name elsewhere.

mod bert;

pub use bert::BERT;

/// One line of a table: our module, their module, for every leaf (`weight`, `bias`) below it.
/// `{}` stands for an index, the same on both sides.
pub type Rule = (&'static str, &'static str);

/// How one family of checkpoints names what we know by our names.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The name in messages.
    pub name: &'static str,
    /// What a checkpoint may put before all its names, depending on the class that saved it.
    pub prefixes: &'static [&'static str],
    /// The table. Its first line must be one that every checkpoint of the family has.
    pub rules: &'static [Rule],
}

impl Dialect {
    /// Their name for our parameter, without prefix: `trunk.blocks.3.attn.q.weight` to
    /// `encoder.layer.3.attention.self.query.weight`.
    pub fn translate(&self, ours: &str) -> Option<String> {
        // A table may name a parameter itself, or the module it is a leaf of.
        let (module, leaf) = ours.rsplit_once('.')?;
        self.rules.iter().find_map(|(our, their)| {
            indices(our, ours)
                .map(|at| fill(their, &at))
                .or_else(|| indices(our, module).map(|at| format!("{}.{leaf}", fill(their, &at))))
        })
    }

    /// The prefix that the names of a checkpoint carry, or `None` if it is not of this family.
    pub fn prefix<'n>(
        &self,
        mut names: impl Iterator<Item = &'n str> + Clone,
    ) -> Option<&'static str> {
        let probe = fill(self.rules.first()?.1, &[0, 0]);
        self.prefixes
            .iter()
            .copied()
            .find(|prefix| {
                names.clone().any(|n| n.strip_prefix(prefix).is_some_and(|n| n.starts_with(&probe)))
            })
            .filter(|_| names.next().is_some())
    }
}

/// The indices at the `{}` of a pattern, if the name fits it.
fn indices(pattern: &str, name: &str) -> Option<Vec<usize>> {
    let (mut pattern, mut name, mut found) = (pattern.split('.'), name.split('.'), vec![]);
    loop {
        match (pattern.next(), name.next()) {
            (None, None) => return Some(found),
            (Some("{}"), Some(digits)) => found.push(digits.parse().ok()?),
            (Some(a), Some(b)) if a == b => {}
            _ => return None,
        }
    }
}

fn fill(pattern: &str, at: &[usize]) -> String {
    let mut at = at.iter();
    let words: Vec<_> = pattern
        .split('.')
        .map(|word| match (word, at.as_slice().first()) {
            ("{}", Some(i)) => {
                at.next();
                i.to_string()
            }
            _ => word.to_string(),
        })
        .collect();
    words.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated_module_by_module() {
        for (ours, theirs) in [
            ("trunk.blocks.3.attn.q.weight", "encoder.layer.3.attention.self.query.weight"),
            ("trunk.blocks.11.norm2.bias", "encoder.layer.11.output.LayerNorm.bias"),
            ("embed.position.weight", "embeddings.position_embeddings.weight"),
        ] {
            assert_eq!(BERT.translate(ours).as_deref(), Some(theirs));
        }
        for unknown in
            ["head.weight", "trunk.blocks.x.attn.q.weight", "trunk.blocks.1.attn.weight", "x"]
        {
            assert_eq!(BERT.translate(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_prefix_is_found_or_the_family_is_another() {
        let bare = ["encoder.layer.0.attention.self.query.weight"];
        let prefixed = ["bert.encoder.layer.0.attention.self.query.weight"];
        assert_eq!(BERT.prefix(bare.into_iter()), Some(""));
        assert_eq!(BERT.prefix(prefixed.into_iter()), Some("bert."));
        assert_eq!(BERT.prefix(["h.0.attn.c_attn.weight"].into_iter()), None);
    }
}
