//! The lab (two network namespaces, a real SoftEther server, a client), the fault proxy, the frame test, the soak, the
//! drill and the A/B harness.
//!
//! Nothing here is part of the client: this crate looks at it from outside.

pub mod ab;
pub mod calibrate;
pub mod drill;
pub mod frames;
pub mod lab;
pub mod micro;
pub mod peer;
pub mod profile;
pub mod proxy;
pub mod report;
pub mod soak;
pub mod stats;
