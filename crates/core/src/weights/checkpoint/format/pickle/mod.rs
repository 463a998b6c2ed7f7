//! A restricted pickle machine for PyTorch's files: it builds descriptions of tensors, containers
//! and plain values, and nothing else.
//!
//! A pickle is a program. Python's own machine imports whatever the program names and calls it;
//! this one knows a fixed list of instructions ([`machine`]) and refuses the others, and a fixed list
//! of names ([`globals`]). Whatever another name makes is [`value::Opaque`]: nothing is imported, called or
//! looked at, and only what needs it cannot be read. Whatever the program builds goes into a flat
//! heap ([`value`]): values are small copies that point into it, so that no nesting can overflow the
//! stack, and no reference multiplies memory. What it may build is bounded in all.

mod calls;
mod globals;
pub(crate) mod machine;
mod reader;
mod value;

pub(crate) use value::{Heap, Node, StorageRef, TensorRef, Value};
