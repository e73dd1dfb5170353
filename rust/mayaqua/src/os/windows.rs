//! Windows, by std alone; see the head of this module for what that is worth.

use super::{OsInfo, Platform};
use std::env;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// A Windows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Windows;

impl Platform for Windows {
    /// What every process finds in its environment.
    fn machine_name(&self) -> io::Result<String> {
        env::var("COMPUTERNAME").map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))
    }

    /// std does not know the release.
    fn os_info(&self) -> OsInfo {
        let name = env::var("OS").unwrap_or_else(|_| "Windows".to_owned());
        OsInfo { name, release: String::new(), machine: env::consts::ARCH.to_owned() }
    }

    /// A file takes the rights of its folder, which for a user's own folders are the user's.
    fn create_secret_file(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }
}
