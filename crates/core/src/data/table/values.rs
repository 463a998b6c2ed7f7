//! Values of a Parquet file, and what its metadata say of them.

use std::fs::File;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row as Fields};
use serde_json::Value;

use super::row::{Cell, Fault};

/// A whole number.
pub(super) fn integer(field: &Field) -> Option<i64> {
    match *field {
        Field::Byte(n) => Some(n.into()),
        Field::Short(n) => Some(n.into()),
        Field::Int(n) => Some(n.into()),
        Field::Long(n) => Some(n),
        Field::UByte(n) => Some(n.into()),
        Field::UShort(n) => Some(n.into()),
        Field::UInt(n) => Some(n.into()),
        Field::ULong(n) => i64::try_from(n).ok(),
        _ => None,
    }
}

/// `datasets` stores pictures and recordings as `{bytes, path}`: where the table has the bytes, the
/// path is only a name.
pub(super) fn file(fields: &Fields) -> Cell {
    let (mut bytes, mut path) = (None, None);
    for (key, value) in fields.get_column_iter() {
        match (key.as_str(), value) {
            ("bytes", Field::Bytes(value)) => bytes = Some(value.data().into()),
            ("path", Field::Str(value)) => path = Some(value.clone()),
            ("bytes" | "path", Field::Null) => {}
            _ => return Cell::Other("a struct other than {bytes, path}"),
        }
    }
    match (bytes, path) {
        (Some(bytes), name) => Cell::File { name, bytes },
        (None, Some(path)) => Cell::Text(path),
        (None, None) => Cell::Missing,
    }
}

/// What `datasets` says about the columns, null if there is nothing.
pub(super) fn features(file: &SerializedFileReader<File>) -> Result<Value, Fault> {
    let said = file.metadata().file_metadata().key_value_metadata();
    let said = said.into_iter().flatten().find(|pair| pair.key == "huggingface");
    let Some(text) = said.and_then(|pair| pair.value.as_deref()) else { return Ok(Value::Null) };
    let mut said: Value = serde_json::from_str(text)
        .map_err(|e| Fault::new(None, format!("its metadata `huggingface` are not JSON ({e})")))?;
    Ok(said["info"]["features"].take())
}

/// The names of a column's classes: `{"_type": "ClassLabel", "names": […]}`, or that in a list:
/// `{"_type": "List", "feature": …}`, formerly `[…]`.
pub(super) fn classes(features: &Value, column: &str) -> Option<Vec<String>> {
    let feature = features.get(column)?;
    let feature = feature.get("feature").or_else(|| feature.get(0)).unwrap_or(feature);
    if feature["_type"] != "ClassLabel" {
        return None;
    }
    let names = feature["names"].as_array()?.iter();
    names.map(|name| name.as_str().map(str::to_string)).collect()
}
