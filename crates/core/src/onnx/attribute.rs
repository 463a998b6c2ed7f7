//! Attributes of nodes.

use super::wire::AttributeProto;

/// An attribute that is a number.
pub(super) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        i: Some(i),
        r#type: AttributeProto::INT,
        ..AttributeProto::default()
    }
}

/// An attribute of several numbers.
pub(super) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        ints: ints.into(),
        r#type: AttributeProto::INTS,
        ..AttributeProto::default()
    }
}

/// An attribute that is a floating-point number.
pub(super) fn float(name: &str, f: f64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        f: Some(f as f32),
        r#type: AttributeProto::FLOAT,
        ..AttributeProto::default()
    }
}

/// An attribute that is a word.
pub(super) fn word(name: &str, s: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        s: Some(s.into()),
        r#type: AttributeProto::STRING,
        ..AttributeProto::default()
    }
}
