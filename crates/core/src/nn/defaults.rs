//! What is left out of a file where it is as usual.

/// Whether a value is its type's default, for fields that are written only where they are not.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
