//! The A/B: contestants take turns in one lab, and their runs are compared in pairs.
//!
//! First the baseline takes turns with itself: the interval of these A/A pairs shows how much of any difference is
//! noise. Then, in each round, every contestant is visited once. A visit starts the client, runs the workloads one
//! after the other, and ends the client, so that nobody idles beside the one that runs. All contestants use the same
//! server process, interface names, addresses and routes.
//!
//! `schema` is what all of that is written into.

mod arena;
mod contestant;
mod facts;
mod host;
mod instruments;
mod iperf;
mod observe;
mod plan;
mod probe;
mod procfs;
pub mod schema;
mod setting;
mod visit;

pub use arena::{Observer, Options, Progress, run};
pub use contestant::{Contestant, Mix, SWAPS, contestants};
pub use facts::contestant as facts;
pub use plan::{Budget, Job, Wanted, full_jobs, jobs_for, orders, quick_jobs};
pub use setting::{DEFAULT_SETTING, default_setting, sweep};
