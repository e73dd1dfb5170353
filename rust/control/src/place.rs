//! Where control sockets are, and who may be there: `NAME.sock` and its lock in a folder of mode
//! 0700. The folder is `$CUTOVER_RUNTIME_DIR`, else `/run/cutover` for root and
//! `$XDG_RUNTIME_DIR/cutover` for everyone else.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

/// The longest path that fits `sockaddr_un`, without the NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The folders in which to look for sockets; the first is the one to make new ones in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folders: Vec<PathBuf>,
}

impl Place {
    /// The folders of this process's user and environment.
    pub fn of_process() -> Place {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(folder) = variable("CUTOVER_RUNTIME_DIR") {
            return Place::in_folder(folder);
        }
        let system = PathBuf::from("/run/cutover");
        let own = variable("XDG_RUNTIME_DIR").map(|folder| folder.join("cutover"));
        let folders =
            if rustix::process::geteuid().is_root() { vec![system] } else { own.into_iter().chain([system]).collect() };
        Place { folders }
    }

    /// One folder and no other: for tests and for several worlds on one machine.
    pub fn in_folder(folder: PathBuf) -> Place {
        Place { folders: vec![folder] }
    }

    /// The folder in which this user's instances make their files.
    pub fn folder(&self) -> Option<&Path> {
        self.folders.first().map(PathBuf::as_path)
    }

    /// The socket of a running instance, whether or not it is there.
    pub fn socket(&self, name: &str) -> PathBuf {
        let path = |folder: &PathBuf| folder.join(format!("{name}.sock"));
        let existing = self.folders.iter().map(path).find(|path| path.exists());
        existing.unwrap_or_else(|| self.folders.first().map(path).unwrap_or_default())
    }

    /// The names of the instances that run, sorted.
    pub fn instances(&self) -> Vec<String> {
        let entries = self.folders.iter().filter_map(|folder| fs::read_dir(folder).ok());
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.ok()?.path().file_name()?.to_str()?.strip_suffix(".sock").map(str::to_owned))
            .filter(|name| std::os::unix::net::UnixStream::connect(self.socket(name)).is_ok())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Takes the name for this process: makes the folder, locks `NAME.lock`, and removes the socket
    /// that a dead instance may have left. The lock ends with the process, however that ends.
    pub(crate) fn claim(&self, name: &str) -> Result<Claim, ClaimError> {
        let Some(folder) = self.folders.first() else {
            return Err(ClaimError::NoFolder);
        };
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| ClaimError::Io { path, source }
        };
        make_private_folder(folder)?;
        let socket = folder.join(format!("{name}.sock"));
        if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(ClaimError::PathTooLong { path: socket });
        }
        let lock_path = folder.join(format!("{name}.lock"));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = rustix::fs::open(&lock_path, flags, Mode::from(0o600)).map_err(io::Error::from);
        let lock = File::from(lock.map_err(failed(&lock_path))?);
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(ClaimError::Taken { name: name.to_owned() }),
            Err(errno) => return Err(failed(&lock_path)(errno.into())),
        }
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&socket)(error)),
            _ => Ok(Claim { socket, _lock: lock }),
        }
    }
}

/// A name that is this process's until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    pub socket: PathBuf,
    _lock: File,
}

impl Drop for Claim {
    /// Removes the socket while the lock is still held. The lock's file stays: removing it would
    /// let two processes lock two files of one name.
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.socket)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.socket.display(), %error, "cannot remove the control socket");
        }
    }
}

/// Why a name cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// A running process has it.
    #[error("a client named {name} is already running; end it, or copy the configuration to another file name")]
    Taken {
        /// The instance's name.
        name: String,
    },
    /// The user has no runtime folder.
    #[error("there is no folder for the control socket; set XDG_RUNTIME_DIR or CUTOVER_RUNTIME_DIR")]
    NoFolder,
    /// Somebody else could put a socket there.
    #[error("{} belongs to user id {owner}, not to you; remove it or set CUTOVER_RUNTIME_DIR", path.display())]
    ForeignFolder {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The path does not fit a socket address.
    #[error("{} is longer than the 107 bytes of a socket's path; set CUTOVER_RUNTIME_DIR to a shorter one", path.display())]
    PathTooLong {
        /// The socket's path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot use {}: {source}; check its permissions, or set CUTOVER_RUNTIME_DIR", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes `folder` with mode 0700, or makes sure that an existing one is the user's own and tightens
/// its mode.
///
/// # Errors
/// It is somebody else's, or the system refuses.
pub fn make_private_folder(folder: &Path) -> Result<(), ClaimError> {
    let failed = |source: io::Error| ClaimError::Io { path: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    let opened = File::from(opened);
    let metadata = opened.metadata().map_err(failed)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(ClaimError::ForeignFolder { path: folder.to_owned(), owner: metadata.uid() });
    }
    if metadata.mode() & 0o077 != 0 {
        rustix::fs::fchmod(&opened, Mode::from(0o700)).map_err(|errno| failed(errno.into()))?;
    }
    Ok(())
}
