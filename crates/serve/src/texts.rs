//! Texts in JSON: `{"inputs": ["a text", ["one of a pair", "the other"]], "top": 3}`.

use std::fmt;
use std::num::NonZeroUsize;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// What is asked.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) inputs: Vec<Text>,
    /// How many classes are told.
    pub(crate) top: Option<NonZeroUsize>,
}

/// One input.
#[derive(Debug)]
pub(crate) enum Text {
    Whole(String),
    Parts(Vec<String>),
}

impl Texts {
    /// Reads a body; of inputs, not more than one above `most`, which tells that there are too many: a list
    /// of short texts takes a hundred times the memory of what is sent.
    ///
    /// # Errors
    /// If it is no JSON, or of another form.
    pub(crate) fn read(body: &[u8], most: usize) -> serde_json::Result<Self> {
        let mut from = serde_json::Deserializer::from_slice(body);
        let texts = from.deserialize_map(Fields { most })?;
        from.end()?;
        Ok(texts)
    }
}

struct Fields {
    most: usize,
}

impl<'de> Visitor<'de> for Fields {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"{"inputs": ["a text"]}"#)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
        let (mut inputs, mut top) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "inputs" if inputs.is_some() => return Err(A::Error::duplicate_field("inputs")),
                "inputs" => inputs = Some(map.next_value_seed(Inputs { most: self.most })?),
                "top" if top.is_some() => return Err(A::Error::duplicate_field("top")),
                "top" => top = Some(whole(map.next_value()?)?),
                other => return Err(A::Error::unknown_field(other, &["inputs", "top"])),
            }
        }
        let inputs = inputs.ok_or_else(|| A::Error::missing_field("inputs"))?;
        Ok(Texts { inputs, top: top.flatten() })
    }
}

/// A number that is whole, also if it is written as 3.0: to JSON they are the same.
fn whole<E: Error>(number: Option<f64>) -> Result<Option<NonZeroUsize>, E> {
    let Some(number) = number else { return Ok(None) };
    let count = if number.fract() == 0. { NonZeroUsize::new(number as usize) } else { None };
    match count.filter(|_| number > 0.) {
        Some(count) => Ok(Some(count)),
        None => Err(E::custom(format!("top {number}: a whole number from 1 is expected"))),
    }
}

/// One text, or a list of them.
struct Inputs {
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Inputs {
    type Value = Vec<Text>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Text>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inputs {
    type Value = Vec<Text>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of texts or of lists of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<Text>, E> {
        Ok(vec![Text::Whole(text.into())])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<Text>, A::Error> {
        let mut inputs = vec![];
        while inputs.len() <= self.most {
            match all.next_element()? {
                Some(input) => inputs.push(input),
                None => return Ok(inputs),
            }
        }
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(inputs)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::Whole(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Text, A::Error> {
                let mut parts = vec![];
                while let Some(part) = all.next_element()? {
                    parts.push(part);
                }
                Ok(Text::Parts(parts))
            }

            fn visit_unit<E: Error>(self) -> Result<Text, E> {
                Err(E::invalid_type(Unexpected::Other("null"), &self))
            }
        }
        from.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts as debugged, and the number of classes.
    fn read(body: &str) -> Result<(String, Option<usize>), String> {
        let texts = Texts::read(body.as_bytes(), 2).map_err(|e| e.to_string())?;
        Ok((format!("{:?}", texts.inputs), texts.top.map(NonZeroUsize::get)))
    }

    #[test]
    fn texts_come_alone_or_in_a_list() {
        let read_all = |body, said: &str, top| assert_eq!(read(body), Ok((said.into(), top)));
        read_all(r#"{"inputs": "a\n"}"#, r#"[Whole("a\n")]"#, None);
        read_all(r#"{"inputs": "a", "top": 3.0}"#, r#"[Whole("a")]"#, Some(3));
        read_all(r#"{"inputs": "a", "top": null}"#, r#"[Whole("a")]"#, None);
        read_all(
            r#"{"top": 2, "inputs": ["a", ["b", "c"]]}"#,
            r#"[Whole("a"), Parts(["b", "c"])]"#,
            Some(2),
        );
        read_all(r#"{"inputs": []}"#, "[]", None);
    }

    #[test]
    fn of_too_many_one_too_many_is_read() {
        let many = format!(r#"{{"inputs": [{}"b"], "top": 1}}"#, r#""a","#.repeat(1000));
        assert_eq!(read(&many), Ok((r#"[Whole("a"), Whole("a"), Whole("a")]"#.into(), Some(1))));
    }

    #[test]
    fn other_forms_are_refused_with_what_is_expected() {
        for (body, problem) in [
            (r#"{"inputs": 7}"#, "expected a text, or a list of texts or of lists of texts"),
            (r#"{"inputs": null}"#, "expected a text, or a list"),
            (r#"{"inputs": ["a", 7]}"#, "integer `7`, expected a text or a list of texts"),
            (r#"{"inputs": ["a", null]}"#, "null, expected a text or a list of texts"),
            (r#"{"inputs": [["a", 7]]}"#, "expected a string"),
            (r#"{"input": "a"}"#, "unknown field `input`"),
            (r#"{"top": 1}"#, "missing field `inputs`"),
            (r#"{"inputs": "a", "inputs": "b"}"#, "duplicate field"),
            (r#"{"inputs": "a", "top": 0}"#, "from 1"),
            (r#"{"inputs": "a", "top": 2.5}"#, "top 2.5"),
            (r#"{"inputs": "a"} x"#, "trailing"),
            (r#"{"inputs": "#, "EOF"),
            (r#"["a", "b"]"#, r#"sequence, expected {"inputs": ["a text"]}"#),
            (r#""a""#, r#"expected {"inputs": ["a text"]}"#),
        ] {
            let said = read(body).unwrap_err();
            assert!(said.contains(problem), "{body}: {said}");
        }
    }
}
