//! Arithmetic, element by element, and over sides.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::attribute::int;
use super::element::Element;
use super::graph::Value;

/// `a ∘ b` of values and of a value and a number.
macro_rules! arithmetic {
    ($($trait:ident $method:ident $op:literal)*) => {$(
        impl $trait<&Value> for &Value {
            type Output = Value;
            fn $method(self, other: &Value) -> Value {
                self.op($op, &[other], vec![])
            }
        }
        impl $trait<Value> for &Value {
            type Output = Value;
            fn $method(self, other: Value) -> Value {
                $trait::$method(self, &other)
            }
        }
        impl $trait<&Value> for Value {
            type Output = Value;
            fn $method(self, other: &Value) -> Value {
                $trait::$method(&self, other)
            }
        }
        impl $trait<Value> for Value {
            type Output = Value;
            fn $method(self, other: Value) -> Value {
                $trait::$method(&self, &other)
            }
        }
        impl $trait<f64> for &Value {
            type Output = Value;
            fn $method(self, other: f64) -> Value {
                $trait::$method(self, &self.scalar(other))
            }
        }
        impl $trait<f64> for Value {
            type Output = Value;
            fn $method(self, other: f64) -> Value {
                $trait::$method(&self, other)
            }
        }
    )*};
}

arithmetic! {
    Add add "Add"
    Sub sub "Sub"
    Mul mul "Mul"
    Div div "Div"
}

impl Neg for Value {
    type Output = Value;
    fn neg(self) -> Value {
        self.op("Neg", &[], vec![])
    }
}

/// Operators of one value that keep its type.
macro_rules! functions {
    ($($(#[$doc:meta])* $method:ident $op:literal)*) => {
        impl Value {$(
            $(#[$doc])*
            pub fn $method(&self) -> Self {
                self.op($op, &[], vec![])
            }
        )*}
    };
}

functions! {
    /// `√x`.
    sqrt "Sqrt"
    /// `1 / x`.
    reciprocal "Reciprocal"
    /// `eˣ`.
    exp "Exp"
    /// `sin x`, of radians.
    sin "Sin"
    /// `cos x`, of radians.
    cos "Cos"
    /// `max(x, 0)`.
    relu "Relu"
    /// The hyperbolic tangent.
    tanh "Tanh"
    /// `1 / (1 + e⁻ˣ)`.
    sigmoid "Sigmoid"
    /// `x · min(max(x + 3, 0), 6) / 6`.
    hardswish "HardSwish"
    /// False where it is true.
    logical_not "Not"
}

/// Comparisons.
impl Value {
    /// Whether each element is below the other.
    pub fn lt(&self, other: &Value) -> Self {
        self.op_to("Less", &[other], vec![], Element::Bool)
    }

    /// Whether each element is at most the other.
    pub fn le(&self, other: &Value) -> Self {
        self.op_to("LessOrEqual", &[other], vec![], Element::Bool)
    }

    /// Where both are true.
    pub fn logical_and(&self, other: &Value) -> Self {
        self.op("And", &[other], vec![])
    }

    /// Of a mask: elements of `yes` where it is true, else of `no`.
    pub fn choose(&self, yes: &Value, no: &Value) -> Self {
        self.op_to("Where", &[yes, no], vec![], yes.element())
    }

    /// Numbers below `least` become it.
    pub fn clamp_min(&self, least: f64) -> Self {
        self.op("Max", &[&self.scalar(least)], vec![])
    }

    /// Numbers above `most` become it.
    pub fn clamp_max(&self, most: f64) -> Self {
        self.op("Min", &[&self.scalar(most)], vec![])
    }

    /// Both.
    pub fn clamp(&self, least: f64, most: f64) -> Self {
        self.clamp_min(least).clamp_max(most)
    }

    /// The elements as another type.
    pub fn to(&self, element: Element) -> Self {
        if element == self.element() {
            return self.clone();
        }
        let number = element.number().into();
        self.op_to("Cast", &[], vec![int("to", number)], element)
    }

    /// The elements in the type that the graph computes in.
    pub fn to_float(&self) -> Self {
        self.to(self.graph().float())
    }
}

/// Over sides.
impl Value {
    fn reduced(&self, op: &'static str, over: &[i64], keep: bool) -> Self {
        let axes = self.graph().ints(over);
        self.op(op, &[&axes], vec![int("keepdims", keep.into())])
    }

    /// The mean over some sides, which stay as 1 if `keep` says so.
    pub fn mean(&self, over: &[i64], keep: bool) -> Self {
        self.reduced("ReduceMean", over, keep)
    }

    /// The sum.
    pub fn sum(&self, over: &[i64], keep: bool) -> Self {
        self.reduced("ReduceSum", over, keep)
    }

    /// The largest.
    pub fn max(&self, over: &[i64], keep: bool) -> Self {
        self.reduced("ReduceMax", over, keep)
    }

    /// The root of the sum of squares.
    pub fn norm(&self, over: &[i64], keep: bool) -> Self {
        self.reduced("ReduceL2", over, keep)
    }
}
