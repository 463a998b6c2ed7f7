//! `serve`, over real sockets: its answers, its limits, and what it does with clients that are slow, many
//! or wrong.

mod answers;
mod bad_input;
mod client;
mod clients;
mod fuzz;
mod limits;
mod opened;
mod page;
mod replacing;
mod server;
mod tunings;
