//! The audit log: one JSON object per line, only ever appended, opened anew for each line so that it may be rotated.
//!
//! ```text
//! {"at":"2026-11-20T15:16:13.123Z","build":"0.1.0+1a2b…","who":{"by":"person","uid":0,"pid":42},
//!  "what":"set","swap":"new_block","to":"shadow@1%","why":"new_block=shadow@1%"}
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

/// How much of the end of a log is read for a swap's history.
const HISTORY_BYTES_MAX: u64 = 1 << 20;

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Who {
    /// Somebody at the control socket, as the kernel says.
    Person {
        /// The user's id.
        uid: u32,
        /// The process's id, if it is visible from here.
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<i32>,
    },
    /// The plan.
    Plan,
    /// The switch, on a mismatch or a panic.
    Switch,
    /// The start, from what it found.
    Start,
    /// A signal to the process.
    Signal,
    /// The stop file.
    File,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry<'a> {
    pub who: Who,
    /// `set`, `plan`, `stage`, `demoted`, `promoted`, `rollback`, `stop`, `start`, `end`, `done`.
    pub what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub why: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    build: &'a str,
    #[serde(flatten)]
    entry: &'a Entry<'a>,
}

/// An audit log.
#[derive(Debug)]
pub(crate) struct Audit {
    pub path: PathBuf,
}

impl Audit {
    /// Appends a line and has it on the disk when this returns. What cannot be written is said in the log: a full disk
    /// must not keep a rollback from happening.
    pub fn note(&self, build: &str, entry: &Entry<'_>) {
        if let Err(error) = self.append(build, entry) {
            tracing::error!(path = %self.path.display(), %error, what = entry.what, swap = entry.swap, "cannot write the audit log");
        }
    }

    fn append(&self, build: &str, entry: &Entry<'_>) -> io::Result<()> {
        let at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let line = serde_json::to_string(&Line { at, build, entry })? + "\n";
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        // One write: lines of two processes do not mix.
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}

/// The last `count` entries about `swap`, or about all, oldest first. Lines that are cut or foreign are passed over.
pub fn history(path: &Path, swap: &str, count: usize) -> Vec<Value> {
    let about = |line: &Value| line["swap"].is_null() || line["swap"] == swap;
    let lines: Vec<Value> =
        tail(path).unwrap_or_default().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut lines: Vec<Value> = lines.into_iter().filter(about).collect();
    lines.split_off(lines.len().saturating_sub(count))
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(HISTORY_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(HISTORY_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
