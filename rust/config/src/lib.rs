//! The client's command line and TOML configuration, validated before anything connects.
//!
//! Holds: the registry of keys ([`keys`]), the reader that gives every mistake a place
//! ([`document`]), the typed [`Config`], secrets and their rules ([`secret`]), the command line
//! ([`cli`]), the exit codes ([`exit`]) and what SoftEther's error numbers mean ([`cedar_error`]).
//! Does not hold: C types, sockets, the swap registry (a swap pattern is checked for form only).

#![forbid(unsafe_code)]

pub mod cedar_error;
pub mod cli;
pub mod config;
pub mod document;
pub mod error;
pub mod exit;
pub mod keys;
pub mod locate;
pub mod secret;
mod settings;
mod values;

pub use cli::{Command, Stop, parse};
pub use config::Config;
pub use error::{ConfigError, Place};
pub use exit::ExitCode;
pub use locate::Environment;
pub use secret::Secret;
