//! Memory, counted per thread.
