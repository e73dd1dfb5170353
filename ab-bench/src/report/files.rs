//! A report's files: report.json and everything rendered from it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{bench_format, html, json, markdown, picture};
use crate::ab::schema::{Report, SCHEMA_VERSION};

/// Why a report cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file is not there or cannot be written.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not a report.
    #[error("{path} is no report: {source}")]
    NoReport {
        /// Which.
        path: PathBuf,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// The file is a report of another version of this program.
    #[error("{path} has schema version {found}, this program reads {SCHEMA_VERSION}: use the cutover-ab of its commit")]
    OtherVersion {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

/// Reads `report.json` in a directory, or the file itself.
pub fn read(path: &Path) -> Result<Report, ReportError> {
    let path = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
    let text = fs::read(&path).map_err(|source| ReportError::Io { what: "read", path: path.clone(), source })?;
    let no_report = |source| ReportError::NoReport { path: path.clone(), source };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(no_report)?;
    // Said first: the fields of another version would be called missing.
    match value.get("schema_version").and_then(serde_json::Value::as_u64) {
        Some(found) if found != u64::from(SCHEMA_VERSION) => Err(ReportError::OtherVersion { path, found }),
        _ => serde_json::from_value(value).map_err(no_report),
    }
}

/// Writes report.json, report.md, report.html, report.svg and bench.txt (for benchstat).
pub fn write(report: &Report, dir: &Path) -> Result<(), ReportError> {
    let json = json(report).map_err(|source| ReportError::NoReport { path: dir.join("report.json"), source })?;
    let files = [
        ("report.json", json),
        ("report.md", markdown(report)),
        ("report.html", html(report)),
        ("report.svg", picture(report)),
        ("bench.txt", bench_format(report)),
    ];
    for (name, text) in files {
        let path = dir.join(name);
        // Under another name first: an interruption leaves the old file or the new one.
        let part = dir.join(format!("{name}.part"));
        fs::write(&part, text).and_then(|()| fs::rename(&part, &path)).map_err(|source| ReportError::Io {
            what: "write",
            path,
            source,
        })?;
    }
    Ok(())
}
