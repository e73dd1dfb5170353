//! Staged cutover: what moves swaps from C to Rust by a plan, takes them back at the first evidence against them, and
//! remembers both over restarts.
//!
//! It stands between people and the switch: everything that a person or a plan does to a mode goes through the
//! [`Operator`], is audited, and is kept. The switch's own demotions (a mismatch, a panic) happen without it, at once;
//! the operator sees them at its next look and adds what follows: what is rolled back with them, and the record.
//!
//! Time, the process's figures and the folder are arguments; no thread, no socket, and nothing of SoftEther is here.
//!
//! | file | holds |
//! | --- | --- |
//! | `plan.rs` | the TOML form of a rollout, and every mistake in one with line and column |
//! | `progress.rs` | a plan in motion: stages, gates, breaches; a state machine |
//! | `operator.rs` | the looks, the kill switch; applies what a plan decides, keeps and audits it |
//! | `acts.rs` | what people ask for: set, plan, promote, rollback |
//! | `view.rs` | the table of all swaps, and one of them explained |
//! | `start.rs` | what a start makes of the last run: kept modes, demotions, a crash, a damaged file |
//! | `state.rs` | the state file: written whole or not at all, and known when damaged |
//! | `audit.rs` | the audit log: one JSON object per line, only ever appended |

#![forbid(unsafe_code)]

mod acts;
mod audit;
mod operator;
mod plan;
mod progress;
mod start;
mod state;
mod view;

pub use audit::{Who, history};
pub use operator::{Bond, Folder, Followup, Operator, Site};
pub use plan::{Breach, Draw, Gates, Plan, PlanError, Stage, Step};
pub use progress::{ProcessSeen, Progress};
pub use start::{LastRun, last_run};
