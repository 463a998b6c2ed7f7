//! JSON Lines: an object in each line, whose keys are the columns.

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::lines::Lines;
use super::row::{Cell, Each, Fault, Row, Wanted};

/// The columns of a table, in order of first occurrence.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) names: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Keys {
    /// All keys of a file. Lines that are no objects are passed over: [`read`] tells of them.
    ///
    /// # Errors
    /// If there are too many, or the very first line is no object: the file may be something else.
    pub(super) fn of<R: BufRead>(lines: &mut Lines<R>) -> Result<Self, Fault> {
        let mut keys = Self::default();
        let mut first = true;
        while let Some(line) = lines.next()? {
            let something = line.fault.is_some() || !line.text.trim().is_empty();
            if first && something {
                first = false;
                let read = line.fault.clone().map_or_else(|| object(line.text), |f| Err(f.problem));
                if let Err(problem) = read {
                    return Err(Fault::new(lines.number, problem));
                }
            }
            if line.fault.is_none() {
                let mut parser = serde_json::Deserializer::from_str(line.text);
                // A line that is broken is told of when it is read.
                let _ = Names(&mut keys).deserialize(&mut parser);
            }
            if keys.names.len() > MOST_KEYS {
                let problem = format!("more than {MOST_KEYS} different keys so far");
                return Err(Fault::new(lines.number, problem));
            }
        }
        Ok(keys)
    }
}

/// Reads all rows, in lines that are not blank.
pub(super) fn read<R: BufRead>(
    lines: &mut Lines<R>,
    keys: &Keys,
    wanted: Wanted<'_>,
    each: Each<'_>,
) -> Result<(), Fault> {
    while let Some(line) = lines.next()? {
        let (text, fault) = (line.text, line.fault);
        if text.trim().is_empty() && fault.is_none() {
            continue;
        }
        let parsed =
            fault.map_or_else(|| object(text).map_err(|problem| Fault::new(None, problem)), Err);
        let number = lines.number;
        each(match parsed {
            Err(fault) => Err(Fault { line: Some(number), ..fault }),
            Ok(Object(fields)) => {
                let mut cells = vec![];
                for (name, cell) in fields {
                    // A key that was not there a moment ago is nobody's column.
                    let Some(&at) = keys.numbers.get(&name) else { continue };
                    if cells.len() <= at {
                        cells.resize(at + 1, Cell::Missing);
                    }
                    if wanted.has(at) {
                        cells[at] = cell;
                    }
                }
                Ok(Row { line: number, cells })
            }
        });
    }
    Ok(())
}

/// Whether a line is a row of such a table.
pub(super) fn is_object(line: &str) -> bool {
    line.trim_start().starts_with('{') && object(line).is_ok()
}

/// Whether a line begins an array of rows, as pandas writes one. It is no such table, and no text.
pub(super) fn opens_array(line: &str) -> bool {
    let rest = line.trim().strip_prefix('[').map(str::trim_start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("{\""))
}

fn object(text: &str) -> Result<Object, String> {
    if opens_array(text) {
        return Err("an array; write its objects into a line each, as `jq -c '.[]'` does".into());
    }
    serde_json::from_str(text).map_err(|e| {
        let message = e.to_string();
        // There is but one line.
        let place = format!(" at line {} column {}", e.line(), e.column());
        let message = message.strip_suffix(&place).unwrap_or(&message);
        format!("not a JSON object: {message}, at byte {} of the line", e.column())
    })
}

/// A line: keys with their values.
struct Object(Vec<(String, Cell)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a text and a label")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields: Vec<(String, Cell)> = vec![];
                while let Some(name) = map.next_key::<String>()? {
                    if fields.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format!("the key {name:?} occurs twice")));
                    }
                    if fields.len() == MOST_KEYS {
                        return Err(A::Error::custom(format!("more than {MOST_KEYS} keys")));
                    }
                    fields.push((name, map.next_value()?));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Takes the keys of a line alone.
struct Names<'k>(&'k mut Keys);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Name(&mut *self.0))?.is_some() {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Takes one key.
struct Name<'k>(&'k mut Keys);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        let Keys { names, numbers } = self.0;
        if names.len() <= MOST_KEYS && !numbers.contains_key(name) {
            numbers.insert(name.to_string(), names.len());
            names.push(name.to_string());
        }
        Ok(())
    }
}

/// The most columns of a table; each key is searched for among them.
const MOST_KEYS: usize = 1000;

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value { in_list: false }.deserialize(deserializer)
    }
}

/// A value, which may stand in a list.
struct Value {
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Cell;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Cell;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.into()))
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }
    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::Missing)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        if self.in_list {
            // Nested as deep as the parser allows.
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Cell::Other("a list"));
        }
        let mut items = Some(vec![]);
        while let Some(cell) = list.next_element_seed(Value { in_list: true })? {
            match (cell, &mut items) {
                (Cell::Text(text), Some(items)) => items.push(text),
                _ => items = None,
            }
        }
        Ok(items.map_or(Cell::Other("a list with more than texts in it"), Cell::List))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
}
