//! What is decided by an answer's probabilities.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::task::{PredictionSets, TaskConfig};

impl Answer {
    /// The labels that apply, most probable first: those whose probability is above their
    /// [threshold](TaskConfig::threshold). Of other answers than labels, none.
    pub fn applying(&self, config: TaskConfig<'_>) -> Vec<(usize, f64)> {
        match self {
            Self::Labels(ranked) => {
                ranked.iter().copied().filter(|&(at, p)| p > config.threshold(at)).collect()
            }
            _ => vec![],
        }
    }

    /// What stands beside [`json`](Self::json): `applying`, the labels that apply, where thresholds were
    /// fitted; and, where sets are asked for, `set`, with its `level` and its `labels`, most probable
    /// first, which may be none.
    pub fn decided(
        &self,
        config: TaskConfig<'_>,
        sets: Option<&PredictionSets>,
    ) -> Map<String, Value> {
        let names = |of: &[(usize, f64)]| {
            let name = |&(at, _): &(usize, f64)| config.labels.get(at).map_or("", String::as_str);
            of.iter().map(name).map(Value::from).collect::<Vec<_>>()
        };
        let mut said = Map::new();
        let fitted = config.calibration.is_some_and(|fitted| !fitted.thresholds.is_empty());
        if matches!(self, Self::Labels(_)) && fitted {
            said.insert("applying".into(), names(&self.applying(config)).into());
        }
        if let (Self::Classes(ranked), Some(sets)) = (self, sets) {
            said.insert(
                "set".into(),
                json!({"level": sets.level, "labels": names(sets.of(ranked))}),
            );
        }
        said
    }
}
