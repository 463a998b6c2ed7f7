//! The report as one HTML file.

mod chart;
mod confusion;
mod direction;
mod errors;
mod escape;
mod explanation;
// The file that puts the page together is called as the room is.
#[allow(clippy::module_inception)]
mod html;
mod media;
mod overview;
mod reliability;
mod page;
mod sentence;
mod tables;

pub use escape::Escaped;
pub use explanation::explanations;
pub use html::html;
pub use reliability::reliability_svg;
