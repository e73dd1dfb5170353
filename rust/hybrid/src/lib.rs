//! The one static library that the Zig client links: SoftEther's C, the Rust sides of the swaps, and the functions of
//! `bridge/cutover.h`, which is generated from this crate.
//!
//! Every function here is safe to call from any thread unless it says otherwise, returns a [`Status`] or a pointer,
//! never lets a panic out, and leaves the text of a failure to [`error::cutover_last_error`]. Strings that come in are
//! NUL-terminated UTF-8; strings that go out say whose they are.
//!
//! | file | holds |
//! | --- | --- |
//! | `lifecycle.rs` | starting and ending: versions, capabilities, self-tests |
//! | `command.rs` | the command line, and the commands that need no SoftEther |
//! | `connection.rs` | a connection's configuration, its secrets, and what an error means for it |
//! | `verify.rs` | which server certificates are accepted |
//! | `control_socket.rs` | the control socket and the state that it shows |
//! | `rollout.rs` | plans, rollback and memory in a running client; systemd |
//! | `metrics.rs` | what a collector gets |
//! | `modes.rs` | which side of each swap runs, and what was counted |
//! | `interface.rs` | the network interface |
//! | `batch.rs` | the packet adapter in batches, for programs that move frames themselves |
//! | `session_thread.rs` | which session a thread works for |
//! | `terms.rs` | what a server may impose on a session |
//! | `wake.rs` | waking the main thread |
//! | `log.rs` | one line per event |
//! | `error.rs` | status codes, the last error, the panic boundary |

pub mod batch;
pub mod command;
pub mod connection;
pub mod control_socket;
pub mod error;
pub mod interface;
pub mod lifecycle;
pub mod log;
mod metrics;
pub mod modes;
pub mod rollout;
pub mod session_thread;
pub mod terms;
mod text;
mod verify;
pub mod wake;

pub use error::Status;
