//! Linux, the BSDs and macOS.

use super::{OsInfo, Platform};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A system of the Unix kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unix;

impl Platform for Unix {
    fn machine_name(&self) -> io::Result<String> {
        let uname = rustix::system::uname();
        let name = uname.nodename().to_str().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if name.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(name.to_owned()) }
    }

    fn os_info(&self) -> OsInfo {
        let uname = rustix::system::uname();
        let [name, release, machine] = [uname.sysname(), uname.release(), uname.machine()];
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        OsInfo { name: text(name), release: text(release), machine: text(machine) }
    }

    fn create_secret_file(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }
}
