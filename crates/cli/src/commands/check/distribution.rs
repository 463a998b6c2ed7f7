//! The distribution of values in a data set.

use crosstune_core::{
    Dataset, Target, Task,
    data::{Item, Split},
    error::printable,
};
use serde::Serialize;

use crate::output::format::{count, number};

/// One value in one split, in the value's unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Distribution {
    value: String,
    split: String,
    samples: usize,
    mean: f64,
    least: f64,
    lower_quartile: f64,
    median: f64,
    upper_quartile: f64,
    greatest: f64,
}

impl Distribution {
    /// All values in all splits that have samples; none where there are no values.
    pub(crate) fn of(data: &Dataset) -> Vec<Self> {
        if data.task != Task::Regression {
            return vec![];
        }
        let splits = [
            (Split::Train, &data.train),
            (Split::Validation, &data.validation),
            (Split::Test, &data.test),
        ];
        let of = |(at, name): (usize, &String)| {
            let value = |item: &Item| match &item.target {
                Target::Values(values) => values.get(at).copied(),
                _ => None,
            };
            let one = |(split, items): &(Split, &Vec<Item>)| {
                Self::measured(name, *split, items.iter().filter_map(value).collect())
            };
            splits.iter().filter_map(one).collect::<Vec<_>>()
        };
        data.labels.iter().enumerate().flat_map(of).collect()
    }

    fn measured(value: &str, split: Split, mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let (&least, &greatest) = (numbers.first()?, numbers.last()?);
        let samples = numbers.len();
        Some(Self {
            value: value.into(),
            split: split.to_string(),
            samples,
            mean: numbers.iter().map(|x| x / samples as f64).sum(),
            least,
            lower_quartile: quantile(&numbers, 0.25),
            median: quantile(&numbers, 0.5),
            upper_quartile: quantile(&numbers, 0.75),
            greatest,
        })
    }

    /// A head, then a line for each.
    pub(crate) fn table(all: &[Self]) -> Vec<String> {
        let width =
            all.iter().map(|d| printable(&d.value).chars().count()).max().unwrap_or(0).max(5);
        let row = |cells: [&str; 9]| {
            let [value, split, rest @ ..] = cells;
            let rest: String = rest.iter().map(|cell| format!("  {cell:>9}")).collect();
            format!("{value:<width$}  {split:<10}{rest}")
        };
        let header =
            row(["value", "split", "samples", "mean", "min", "25 %", "median", "75 %", "max"]);
        let line = |d: &Self| {
            let numbers =
                [d.mean, d.least, d.lower_quartile, d.median, d.upper_quartile, d.greatest];
            let [mean, least, lower, median, upper, greatest] = numbers.map(number);
            let samples = count(d.samples);
            row([
                &printable(&d.value),
                &d.split,
                &samples,
                &mean,
                &least,
                &lower,
                &median,
                &upper,
                &greatest,
            ])
        };
        std::iter::once(header).chain(all.iter().map(line)).collect()
    }
}

/// The `q`-quantile of sorted numbers, interpolated linearly.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.percentile([3, 1, 4, 1, 5, 9], [25, 50, 75])` is `[1.5, 3.5, 4.75]`.
    #[test]
    fn quartiles_are_numpys() {
        let numbers = vec![3., 1., 4., 1., 5., 9.];
        let d = Distribution::measured("x", Split::Train, numbers).unwrap();
        assert_eq!((d.least, d.greatest, d.samples), (1., 9., 6));
        assert_eq!((d.lower_quartile, d.median, d.upper_quartile), (1.5, 3.5, 4.75));
        assert!((d.mean - 23. / 6.).abs() < 1e-12);
        assert_eq!(Distribution::measured("x", Split::Test, vec![]), None);
        assert_eq!(Distribution::table(&[d])[1].split_whitespace().last(), Some("9.000"));
    }
}
