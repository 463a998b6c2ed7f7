//! The report as one HTML file.

mod chart;
mod confusion;
mod direction;
mod errors;
mod escape;
// The file that puts the page together is called as the room is.
#[allow(clippy::module_inception)]
mod html;
mod overview;
mod reliability;
mod sentence;
mod tables;

pub use html::html;
pub use reliability::reliability_svg;
