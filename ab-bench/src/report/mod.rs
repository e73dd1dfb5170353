//! Reports: from a measurement's runs to what people and programs read.
//!
//! `rows` compares; `words` and `table` say it in the terminal; `markdown`, `html`, `picture` and `benchfmt` are the files
//! beside report.json; `delta` holds two reports against one another; `gate` makes a goal an exit code. `production` makes a
//! report of a client's metrics, which `scrape` reads. None of them measures anything, so a report can be rendered again from
//! its JSON at any time.

mod benchfmt;
pub mod cli;
mod date;
mod delta;
mod files;
mod gate;
mod html;
mod json;
mod markdown;
mod picture;
pub mod production;
mod rows;
mod scrape;
mod table;
mod words;

pub use benchfmt::bench_format;
pub use delta::{Change, Delta, delta_table, deltas};
pub use files::{ReportError, read, write};
pub use gate::{Gate, GateError, Outcome};
pub use html::{candidate, html};
pub use json::json;
pub use markdown::markdown;
pub use picture::picture;
pub use rows::{Row, Verdict};
pub use scrape::{Labels, Scrape};
pub use table::table;
pub use words::{figure, per_cent, sentences};
