//! The platform under Mayaqua (C: the table of functions in `Mayaqua/OS.c` over Unix.c and Win32.c) as one trait: what std does
//! not say the same way, or at all, on every system. Threads, locks, time and sockets are std's on all of them.
//!
//! [`Unix`] is compiled and tested on Linux. [`Windows`] uses nothing but std, so that it is compiled with the tests here too;
//! for a Windows target it has not been built, since no such toolchain can be had where this is developed, and no test has run
//! there.

#[cfg(unix)]
mod unix;
#[cfg(any(windows, test))]
mod windows;

#[cfg(unix)]
pub use unix::Unix;
#[cfg(any(windows, test))]
pub use windows::Windows;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, SystemTime};
use std::{fs, thread};

/// Bytes of a thread's stack (C: a number in `UnixInitThread`, Unix.c).
pub const THREAD_STACK_SIZE: usize = 200_000;

/// Most bytes that [`Platform::read_file`] reads (C: `MAX_SIZE`-less `ReadDump`; a limit of this crate's own).
pub const FILE_MAX: usize = 64 * 1024 * 1024;

/// What a system says of itself (C: `OS_INFO`; `GetOsInfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsInfo {
    /// Its name: `Linux`.
    pub name: String,
    /// Its release: `6.1.0`.
    pub release: String,
    /// What it runs on: `x86_64`.
    pub machine: String,
}

/// A system.
pub trait Platform {
    /// The name of the machine in its network (C: `GetMachineName`, `GetMachineNameEx`, `GetMachineNameFromHosts`,
    /// `GetMachineHostName`, Mayaqua/Network.c).
    ///
    /// # Errors
    ///
    /// The system has none, or none in UTF-8.
    fn machine_name(&self) -> io::Result<String>;

    /// What the system says of itself (C: `OSGetOsInfo`, `OsTypeToStr`, `OSGetProductId`, Mayaqua/OS.c).
    fn os_info(&self) -> OsInfo;

    /// A new file that only its owner may read; `AlreadyExists` if there is one.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn create_secret_file(&self, path: &Path) -> io::Result<fs::File>;

    /// Random bytes of the system's generator, fit for keys (C: `Rand`, Mayaqua/Encrypt.c, and `Rand64`, `Rand32`, `Rand16`,
    /// `Rand8`, `Rand1`, `RandBuf`, which are numbers of such bytes).
    ///
    /// # Errors
    ///
    /// The system has no generator, which is no reason to go on without.
    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }

    /// The time of day in milliseconds since 1970 (C: `OSGetSystemTime`); 0 before.
    fn time(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Sleeps (C: `OSSleep`).
    fn sleep(&self, time: Duration) {
        thread::sleep(time);
    }

    /// Starts a thread with the C's stack (C: `OSInitThread`).
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    fn spawn(&self, name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
        Builder::new().name(name.to_owned()).stack_size(THREAD_STACK_SIZE).spawn(work)
    }

    /// The whole of a file of at most [`FILE_MAX`] bytes (C: `ReadDump`).
    ///
    /// # Errors
    ///
    /// What the system says; `FileTooLarge`.
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
        fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        if bytes.len() > FILE_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    /// Replaces a file by another with these bytes, so that after a crash it is the old or the new and never a part; only its
    /// owner may read it (C: `DumpBuf`, which writes over the old).
    ///
    /// # Errors
    ///
    /// What the system says; the old file is as it was then.
    fn replace_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut mark = [0; 8];
        self.random(&mut mark)?;
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{:016x}", u64::from_ne_bytes(mark)));
        let new = path.with_file_name(name);
        let mut file = self.create_secret_file(&new)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        drop(file);
        let replaced = written.and_then(|()| fs::rename(&new, path));
        if replaced.is_err() {
            // What is left of the attempt; the first error is the one to tell.
            let _ = fs::remove_file(&new);
        }
        replaced
    }

    /// The paths in a folder, in order (C: `OSEnumDirEx`).
    ///
    /// # Errors
    ///
    /// What the system says.
    fn list_directory(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    /// Runs a program without input to its end (C: `OSRun`).
    ///
    /// # Errors
    ///
    /// There is no such program, or it may not be run.
    fn run(&self, program: &Path, arguments: &[&str]) -> io::Result<Output> {
        Command::new(program).args(arguments).stdin(Stdio::null()).output()
    }
}

/// The platform of this program (C: `OSInit` and `OSFree`, which choose and leave it; `OSIsSupportedOs`).
#[cfg(unix)]
#[must_use]
pub const fn platform() -> Unix {
    Unix
}

/// The platform of this program (C: `OSInit` and `OSFree`, which choose and leave it).
#[cfg(windows)]
#[must_use]
pub const fn platform() -> Windows {
    Windows
}

#[cfg(test)]
mod tests;
