//! AutoFreeze (Liu et al. 2021, §4.1): which parts' gradient norms have stabilised.

use std::collections::BTreeMap;

use tch::Tensor;

use super::resume::{Parts, Resumable};
use crate::error::Result;
use crate::model::ModelPart;

/// Watches how the gradient norm of each part changes from one interval to the next.
#[derive(Debug)]
pub(super) struct AutoFreeze {
    depth: usize,
    /// The fraction of parts, those that change least, that count as stable.
    fraction: f64,
    /// The sum of the gradients of this interval, by name.
    sums: BTreeMap<String, Tensor>,
    /// The gradient norm of the previous interval, by part.
    before: BTreeMap<ModelPart, f64>,
}

impl AutoFreeze {
    pub(super) fn new(depth: usize, fraction: f64) -> Self {
        Self { depth, fraction, sums: BTreeMap::new(), before: BTreeMap::new() }
    }

    pub(super) fn add<'n>(
        &mut self,
        trained: impl Iterator<Item = (&'n str, &'n Tensor)>,
        gradients: &[Tensor],
    ) {
        for ((name, _), gradient) in trained.zip(gradients).filter(|(_, g)| g.defined()) {
            match self.sums.get_mut(name) {
                Some(sum) => {
                    let _ = sum.g_add_(gradient);
                }
                None => {
                    self.sums.insert(name.to_owned(), gradient.copy());
                }
            }
        }
    }

    /// Ends an interval. From the second on, returns up to which part of the trunk all are stable,
    /// for [`Freeze::below`](crate::model::Freeze::below): from the lowest up, the gradient norm of
    /// each changes by no more than the `fraction`-th quantile over all parts.
    pub(super) fn interval(&mut self) -> Option<usize> {
        let mut squares = BTreeMap::<ModelPart, f64>::new();
        for (name, sum) in std::mem::take(&mut self.sums) {
            let norm = sum.norm().double_value(&[]);
            *squares.entry(ModelPart::of(&name, self.depth)).or_default() += norm * norm;
        }
        let now: BTreeMap<ModelPart, f64> =
            squares.into_iter().map(|(p, s)| (p, s.sqrt())).collect();
        let changes: Vec<(ModelPart, f64)> = now
            .iter()
            .filter_map(|(part, norm)| {
                let before = *self.before.get(part)?;
                Some((*part, (before - norm).abs() / before.max(f64::MIN_POSITIVE)))
            })
            .collect();
        self.before = now;
        let mut sorted: Vec<f64> = changes.iter().map(|(_, change)| *change).collect();
        sorted.sort_by(f64::total_cmp);
        let at = ((sorted.len() as f64 * self.fraction).ceil() as usize).checked_sub(1)?;
        let limit = *sorted.get(at)?;
        changes
            .iter()
            .take_while(|(_, change)| *change <= limit)
            .filter_map(|(part, _)| match part {
                ModelPart::Trunk(index) => Some((index + 1).min(self.depth)),
                ModelPart::Embedder => Some(0),
                ModelPart::Head => None,
            })
            .last()
    }
}

/// Its name in a checkpoint, and what those of its tensors begin with.
const NAME: &str = "auto_freeze";
const PREFIX: &str = "auto_freeze.";

impl Resumable for AutoFreeze {
    fn save(&self, to: &mut Parts) -> Result<()> {
        for (name, sum) in &self.sums {
            to.put_tensor(format!("{PREFIX}{name}"), sum);
        }
        // As bits: a norm may be infinite, which JSON cannot say.
        let before: Vec<_> =
            self.before.iter().map(|(part, norm)| (*part, norm.to_bits())).collect();
        to.put(NAME, &before)
    }

    fn load(&mut self, from: &Parts) -> Result<()> {
        let before: Vec<(ModelPart, u64)> = from.get(NAME)?;
        self.before = before.into_iter().map(|(part, bits)| (part, f64::from_bits(bits))).collect();
        let sums = from.tensors_below(PREFIX);
        self.sums = sums.map(|(name, sum)| (name.to_owned(), sum.copy())).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_parts_that_change_least_are_stable() {
        let names = ["trunk.blocks.0.w", "trunk.blocks.1.w", "trunk.blocks.2.w", "head.weight"];
        let mut auto_freeze = AutoFreeze::new(3, 0.5);
        let mut interval = |norms: [f32; 4]| {
            let gradients = norms.map(|n| Tensor::from_slice(&[n / 2.]));
            for _ in 0..2 {
                auto_freeze.add(names.into_iter().zip(&gradients), &gradients);
            }
            auto_freeze.interval()
        };
        assert_eq!(interval([1., 1., 1., 1.]), None, "nothing to compare with");
        // Changes: 0.1, 0.5, 0.2, 0.9; the median is 0.2, and part 1 is above it.
        assert_eq!(interval([1.1, 1.5, 1.2, 0.1]), Some(1));
        assert_eq!(interval([1.1, 1.5, 2.4, 0.2]), Some(2));
        // The lowest part changes most: nothing is stable.
        assert_eq!(interval([9., 1.5, 2.4, 0.2]), None);
    }
}
