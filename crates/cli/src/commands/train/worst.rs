//! The errors that a model is most confident in.

use crosstune_core::predict::score;
use crosstune_core::{Item, Modality, Model, Result, Samples, Scores, Task};
use tch::{Kind, Tensor};

/// A sample that a model got wrong.
#[derive(Debug, PartialEq)]
pub(super) struct Mistake {
    /// Which sample.
    pub(super) at: usize,
    /// Its class.
    pub(super) truth: usize,
    /// What was predicted.
    pub(super) predicted: usize,
    /// How probable that was.
    pub(super) probability: f64,
}

/// Of samples of one class each, those that the model got wrong with the most confidence, at most `most`.
///
/// # Errors
/// If a sample can no longer be read.
pub(super) fn worst<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
    most: usize,
) -> Result<Vec<Mistake>> {
    let mut found = vec![];
    if model.spec().task != Task::SingleLabel || samples.is_empty() {
        return Ok(found);
    }
    let classes = samples.classes();
    score(model, modality, samples, batch_size, |chosen, scores| {
        if let Scores::Rows(rows) = scores {
            found.extend(wrong(rows, chosen, &classes)?);
        }
        Ok(())
    })?;
    found.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    found.truncate(most);
    Ok(found)
}

/// Those of some samples, from the logarithms of the probabilities, `[samples, classes]`.
fn wrong(rows: &Tensor, chosen: &[usize], classes: &[i64]) -> Result<Vec<Mistake>> {
    let (top, predicted) = rows.f_max_dim(1, false)?;
    let top = Vec::<f64>::try_from(top.f_exp()?.f_to_kind(Kind::Double)?)?;
    let predicted = Vec::<i64>::try_from(predicted)?;
    let each = chosen.iter().zip(predicted).zip(top);
    let wrong = each.filter(|((at, predicted), _)| classes[**at] != *predicted);
    let mistake = |((&at, predicted), probability): ((&usize, i64), f64)| Mistake {
        at,
        truth: classes[at] as usize,
        predicted: predicted as usize,
        probability,
    };
    Ok(wrong.map(mistake).collect())
}

impl Mistake {
    /// `cat -> dog 97 %`: the true class first. Pictures have no letter for an arrow.
    pub(super) fn said(&self, labels: &[String]) -> String {
        let name = |class: usize| labels.get(class).map_or("?", String::as_str);
        let percent = 100. * self.probability;
        format!("{} -> {} {percent:.0} %", name(self.truth), name(self.predicted))
    }

    /// The item that it is of, among those that the samples were read from: others may have been left
    /// out.
    pub(super) fn item<'i>(&self, items: &'i [Item], samples: &Samples) -> Option<&'i Item> {
        let place = samples.place(self.at);
        items.iter().find(|item| item.place == *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_is_no_mistake() {
        let rows = Tensor::from_slice(&[0.9f64, 0.1, 0.2, 0.8, 0.4, 0.6]).view([3, 2]).log();
        let found = wrong(&rows, &[4, 1, 0], &[0, 0, 9, 9, 0]).unwrap();
        let want = [(1, 0, 1, 0.8), (0, 0, 1, 0.6)];
        assert_eq!(found.len(), want.len());
        for (mistake, (at, truth, predicted, probability)) in found.iter().zip(want) {
            assert_eq!((mistake.at, mistake.truth, mistake.predicted), (at, truth, predicted));
            assert!((mistake.probability - probability).abs() < 1e-9);
        }
        let labels = ["no".to_owned(), "yes".to_owned()];
        assert_eq!(found[0].said(&labels), "no -> yes 80 %");
    }
}
