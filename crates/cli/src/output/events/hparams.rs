//! The messages of TensorBoard's table of options: its plugin `hparams`, whose fields are those of
//! `plugin_data.proto`, `api.proto` and `struct.proto`.

use std::collections::BTreeMap;

use prost::{Message, Oneof};
use serde_json::Value as Json;

/// What a session is compared with others by.
#[derive(Debug)]
pub(crate) struct Session<'s> {
    /// Of the run.
    pub(crate) name: &'s str,
    /// The options, by name.
    pub(crate) options: &'s BTreeMap<String, Json>,
    /// The tags of the scalars that are of interest.
    pub(crate) metrics: &'s [String],
}

impl Session<'_> {
    /// The contents of the values that a session begins with, each with its tag. `now`: in seconds since
    /// 1970.
    pub(super) fn started(&self, now: f64) -> [(&'static str, Vec<u8>); 2] {
        let infos = self.options.iter().map(|(name, value)| HParamInfo {
            name: name.clone(),
            kind: match value {
                Json::Bool(_) => 2,
                Json::Number(_) => 3,
                _ => 1,
            },
        });
        let metric = |tag: &String| MetricInfo { name: Some(MetricName { tag: tag.clone() }) };
        let experiment = Experiment {
            time_created_secs: now,
            hparam_infos: infos.collect(),
            metric_infos: self.metrics.iter().map(metric).collect(),
        };
        let hparams = self.options.iter().map(|(name, value)| (name.clone(), value.into()));
        let start = SessionStart {
            hparams: hparams.collect(),
            group_name: self.name.into(),
            start_time_secs: now,
        };
        [
            ("_hparams_/experiment", packed(Data::Experiment(experiment))),
            ("_hparams_/session_start_info", packed(Data::Start(start))),
        ]
    }

    /// The contents of the value that one ends with.
    pub(super) fn ended(now: f64, well: bool) -> (&'static str, Vec<u8>) {
        let end = SessionEnd { status: if well { 1 } else { 2 }, end_time_secs: now };
        ("_hparams_/session_end_info", packed(Data::End(end)))
    }
}

fn packed(data: Data) -> Vec<u8> {
    PluginData { version: 0, data: Some(data) }.encode_to_vec()
}

#[derive(Clone, PartialEq, Message)]
struct PluginData {
    #[prost(int32, tag = "1")]
    version: i32,
    #[prost(oneof = "Data", tags = "2, 3, 4")]
    data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Data {
    #[prost(message, tag = "2")]
    Experiment(Experiment),
    #[prost(message, tag = "3")]
    Start(SessionStart),
    #[prost(message, tag = "4")]
    End(SessionEnd),
}

#[derive(Clone, PartialEq, Message)]
struct Experiment {
    #[prost(double, tag = "3")]
    time_created_secs: f64,
    #[prost(message, repeated, tag = "4")]
    hparam_infos: Vec<HParamInfo>,
    #[prost(message, repeated, tag = "5")]
    metric_infos: Vec<MetricInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct HParamInfo {
    #[prost(string, tag = "1")]
    name: String,
    /// 1: a text, 2: yes or no, 3: a number.
    #[prost(int32, tag = "4")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct MetricInfo {
    #[prost(message, optional, tag = "1")]
    name: Option<MetricName>,
}

#[derive(Clone, PartialEq, Message)]
struct MetricName {
    #[prost(string, tag = "2")]
    tag: String,
}

#[derive(Clone, PartialEq, Message)]
struct SessionStart {
    #[prost(btree_map = "string, message", tag = "1")]
    hparams: BTreeMap<String, Value>,
    #[prost(string, tag = "4")]
    group_name: String,
    #[prost(double, tag = "5")]
    start_time_secs: f64,
}

#[derive(Clone, PartialEq, Message)]
struct SessionEnd {
    /// 1: well, 2: it failed.
    #[prost(int32, tag = "1")]
    status: i32,
    #[prost(double, tag = "2")]
    end_time_secs: f64,
}

/// A `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(oneof = "Kind", tags = "2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    String(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
}

impl From<&Json> for Value {
    fn from(value: &Json) -> Self {
        let kind = match value {
            Json::Bool(value) => Kind::Bool(*value),
            Json::Number(value) => Kind::Number(value.as_f64().unwrap_or(f64::NAN)),
            Json::String(value) => Kind::String(value.clone()),
            other => Kind::String(other.to_string()),
        };
        Self { kind: Some(kind) }
    }
}
