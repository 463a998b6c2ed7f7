//! Which comparison stands where in the table of sources and targets.

use crate::{comparison::Comparison, matrix::Matrix};

/// The table: rows are sources, columns are targets, each by modality and then as they came.
pub(crate) struct Layout<'a> {
    /// A comparison of each source.
    pub(crate) sources: Vec<&'a Comparison>,
    /// A comparison of each target.
    pub(crate) targets: Vec<&'a Comparison>,
    /// For each source, for each target, the numbers of the comparisons between them.
    pub(crate) cells: Vec<Vec<Vec<usize>>>,
}

impl<'a> Layout<'a> {
    pub(crate) fn of(matrix: &'a Matrix) -> Self {
        let all = matrix.comparisons();
        let sources = distinct(all, |a, b| a.source == b.source, |c| &c.source.modality);
        let targets = distinct(all, |a, b| a.target == b.target, |c| &c.target.modality);
        let cell = |source: &Comparison, target: &Comparison| {
            let there =
                |&at: &usize| all[at].source == source.source && all[at].target == target.target;
            (0..all.len()).filter(there).collect()
        };
        let row = |s: &&Comparison| targets.iter().map(|t| cell(s, t)).collect();
        let cells = sources.iter().map(row).collect();
        Self { sources, targets, cells }
    }
}

fn distinct(
    all: &[Comparison],
    same: fn(&Comparison, &Comparison) -> bool,
    modality: fn(&Comparison) -> &str,
) -> Vec<&Comparison> {
    let mut kept: Vec<&Comparison> = Vec::new();
    for c in all {
        if !kept.iter().any(|other| same(c, other)) {
            kept.push(c);
        }
    }
    kept.sort_by_key(|c| match modality(c) {
        "image" => 0,
        "audio" | "speech" => 1,
        "text" => 2,
        _ => 3,
    });
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn nine_directions_in_any_order_are_three_by_three() {
        let mut all = sample::matrix().comparisons().to_vec();
        all.reverse();
        let matrix = Matrix::new(all).expect("valid");
        let layout = Layout::of(&matrix);
        let sources: Vec<_> = layout.sources.iter().map(|c| &*c.source.modality).collect();
        let targets: Vec<_> = layout.targets.iter().map(|c| &*c.target.modality).collect();
        assert_eq!(
            (sources, targets),
            (vec!["image", "audio", "text"], vec!["image", "audio", "text"])
        );
        assert_eq!(layout.cells[0], [[8], [7], [6]]);
    }
}
