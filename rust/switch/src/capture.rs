//! The input of calls that mismatched, kept as files for `cutover-replay`: only once [`capture_to`] has said where.
//!
//! 1. The swap's shadow begins: [`taken`] has the swap write its arguments, and what they point to, into a buffer.
//! 2. Both sides run. If they differ, the buffer goes along with the [`Difference`](crate::Difference).
//! 3. For each mismatch whose record is kept, [`write`] makes a file that only its owner may read:
//!
//! ```text
//!   cutover-record 1 call <newline>
//!   the MismatchRecord as JSON, on one line <newline>
//!   the input, to the end of the file, as the swap wrote it
//! ```
//!
//! The input holds traffic as it is. What an input looks like is the swap's own business.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::mismatch::MismatchRecord;

/// The first line of such a file.
pub const CALL_FIRST_LINE: &[u8] = b"cutover-record 1 call\n";

/// The largest input that is kept, in bytes.
pub const INPUT_SIZE_MAX: usize = 16 << 20;

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Has the input of every call that mismatches from now on written to a file of its own in `folder`. The first call counts.
///
/// # Errors
/// `folder` is no folder, or one was named already; nothing changes then.
pub fn capture_to(folder: &Path) -> io::Result<()> {
    if !std::fs::metadata(folder)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    FOLDER.set(folder.to_owned()).map_err(|_| io::ErrorKind::AlreadyExists.into())
}

/// The input that `save` writes down, if there is a folder for it; `None` also if `save` says that it cannot, or it is too
/// large. Called by `swap!`.
#[doc(hidden)]
pub fn taken(save: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Vec<u8>> {
    FOLDER.get()?;
    let mut input = Vec::new();
    (save(&mut input) && input.len() <= INPUT_SIZE_MAX).then_some(input)
}

/// Keeps the input of one mismatch, and says so in the log. A file that cannot be written is a warning.
pub(crate) fn write(record: &MismatchRecord, input: &[u8]) {
    let Some(folder) = FOLDER.get() else { return };
    let path = folder.join(format!("{}-{}-{}.rec", record.swap, std::process::id(), record.sequence));
    let result = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(|mut file| {
        let mut bytes = CALL_FIRST_LINE.to_vec();
        serde_json::to_writer(&mut bytes, record)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(input);
        file.write_all(&bytes)
    });
    match result {
        Ok(()) => tracing::warn!(swap = record.swap, "the input of the call that differed is in {}", path.display()),
        Err(error) => tracing::warn!(swap = record.swap, %error, "no input is kept at {}", path.display()),
    }
}
