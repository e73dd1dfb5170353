//! The one error of this crate: where, what was wrong, what to do. Holds no secrets: whoever makes
//! a [`ConfigError`] quotes keys and harmless values only.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::exit::ExitCode;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A position in a file; line and column count from 1, columns in characters.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// An option of the command line, such as `--server`.
    Option(String),
    /// The name that was given instead of a file.
    Name(String),
}

impl Place {
    /// The first character of a file: for mistakes that concern the file as a whole.
    pub fn start_of(path: &Path) -> Place {
        Place::File { path: path.to_owned(), line: 1, column: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Place::Option(option) => write!(f, "{option}"),
            Place::Name(name) => write!(f, "{name}"),
        }
    }
}

/// A mistake in the configuration. Prints as `FILE:LINE:COL: what was wrong; what to do`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}; {remedy}")]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What was wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl ConfigError {
    /// Joins the three parts. Neither text may hold a secret.
    pub fn new(place: &Place, problem: impl Into<String>, remedy: impl Into<String>) -> ConfigError {
        ConfigError { place: place.clone(), problem: problem.into(), remedy: remedy.into() }
    }

    /// Always [`ExitCode::Configuration`].
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::Configuration
    }
}

/// What was wrong and what to do, before the place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub problem: String,
    pub remedy: String,
}

impl Wrong {
    pub fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Wrong {
        Wrong { problem: problem.into(), remedy: remedy.into() }
    }

    pub fn at(self, place: &Place) -> ConfigError {
        ConfigError { place: place.clone(), problem: self.problem, remedy: self.remedy }
    }
}
