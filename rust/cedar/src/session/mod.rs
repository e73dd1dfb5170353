//! A session: everything that `SessionMain` decides, and nothing that it does (C: `Cedar/Session.c`).
//!
//! A driver moves frames between the packet adapter and the TCP connections, and asks here. Its turn:
//!
//! 1. It takes a [`View`] of the C's SESSION, which stays the truth: other threads stop the session, add connections,
//!    and read its counters. [`Session::begin`] says what is to be done before the session waits.
//! 2. It receives. Each connection's timers are a [`TcpSock`]; frames are counted in [`Traffic`] and go to the adapter.
//! 3. It fetches frames from the adapter. [`admit`] says which queue a frame joins, or why it is lost.
//! 4. It sends. [`choose`] says which connection takes which queue, [`TcpSock::is_keep_alive_due`] when one must speak.
//! 5. It takes a view again, and [`Session::end_of_turn`] says whether the session goes on. What ends a session at once,
//!    a packet adapter that failed, say, is told to it by [`Session::fail`].
//!
//! A driver that waits for descriptors rather than a fixed time sleeps until [`Session::next_due`] and the earliest
//! [`TcpSock::next_due`]: before that, nothing here changes by time alone.
//!
//! Times are milliseconds of one clock that never goes back (C: `Tick64`). Here is no I/O, no clock and no randomness,
//! and nothing allocates. The wire format is `cedar::framing`'s.

#![forbid(unsafe_code)]

mod admission;
mod end;
mod machine;
mod tcp_sock;
mod traffic;
mod view;
mod welcome;

pub use admission::{Admission, Queues, admit};
pub use end::{End, Reason};
pub use machine::{Begin, INCREMENT_TRAFFIC_INTERVAL_MS, Session, Turn};
pub use tcp_sock::{Chosen, Delay, Direction, TcpSock, choose, is_one_sided};
pub use traffic::{Traffic, TrafficEntry};
pub use view::{AdditionalConnections, Config, HubView, Role, View};
pub use welcome::{Refusal, TIMEOUT_DEFAULT_MS, TIMEOUT_MAX_MS, TIMEOUT_MIN_MS, Terms};
