//! ORCA.
