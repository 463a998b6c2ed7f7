//! JSON Lines: an object in each line, whose keys are the columns.

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::lines::Lines;
use super::row::{Cell, Fault, Row};

/// The columns, in order of first occurrence, and the rows.
pub(super) fn read<R: BufRead>(lines: &mut Lines<R>) -> Result<(Vec<String>, Vec<Row>), Fault> {
    let (mut names, mut numbers, mut rows) = (vec![], HashMap::<String, usize>::new(), vec![]);
    while let Some(text) = lines.next()? {
        if text.trim().is_empty() {
            continue;
        }
        let parsed = object(text);
        let Object(fields) = parsed.map_err(|problem| Fault::new(lines.number, problem))?;
        let mut cells = vec![];
        for (name, cell) in fields {
            let at = match numbers.get(&name) {
                Some(&at) => at,
                None if names.len() == MOST_KEYS => {
                    let problem = format!("more than {MOST_KEYS} different keys so far");
                    return Err(Fault::new(lines.number, problem));
                }
                None => {
                    names.push(name.clone());
                    numbers.insert(name, names.len() - 1);
                    names.len() - 1
                }
            };
            if cells.len() <= at {
                cells.resize(at + 1, Cell::Missing);
            }
            cells[at] = cell;
        }
        rows.push(Row { line: lines.number, cells });
    }
    Ok((names, rows))
}

fn object(text: &str) -> Result<Object, String> {
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
