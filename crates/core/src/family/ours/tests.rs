//! What a design is read as, and what is refused.
