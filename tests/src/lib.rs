//! Holds the integration tests, and tests the README's example.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
