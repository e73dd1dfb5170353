//! The control socket of a running client: one Unix socket per instance, over which `cutover
//! status` and `cutover swaps` ask and change things.
//!
//! Holds: where the sockets are ([`place`]), the protocol ([`protocol`]), the server on its own
//! thread ([`server`]), the metrics beside it (`exporter.rs`), the blocking client ([`client`]) and the tables for people ([`render`]).
//! Does not hold: anything on the packet path, or knowledge of what a swap or a session is; the
//! host answers through [`Handler`].

#![forbid(unsafe_code)]

pub mod client;
mod exporter;
pub mod place;
pub mod protocol;
pub mod render;
pub mod server;

pub use place::Place;
pub use protocol::{Reply, Request};
pub use server::{Handler, Server, StartError};
