//! The lab's directory: the only thing of a lab that can outlive it, and only after SIGKILL.
//!
//! A directory is in use while somebody holds the lock on its `lock` file; the kernel drops the lock with the
//! process. Every new lab, and `cutover-lab clean`, removes those that nobody holds.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::LabError;

const PREFIX: &str = "cutover-lab-";
/// A directory without a lock file may be one that is being made this moment; after this time it is not.
const UNLOCKED_GRACE: Duration = Duration::from_secs(60);

/// A lab's own directory, mode 0700, removed on drop.
#[derive(Debug)]
pub struct WorkDir {
    path: PathBuf,
    // Held open for the lock.
    _lock: File,
}

impl WorkDir {
    /// Makes `cutover-lab-<pid>-<n>` in the directory for temporary files and locks it.
    pub(crate) fn create() -> Result<Self, LabError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => break path,
                // A remain of another process with our PID, in use by a lab in another PID namespace.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(LabError::io(format!("create {}", path.display()), error)),
            }
        };
        let lock = take_lock(&path).map_err(|error| LabError::io(format!("lock {}", path.display()), error))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next lab.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Locks first and gives the file its name second, so that a named lock file was always locked by its maker.
fn take_lock(dir: &Path) -> io::Result<File> {
    let unnamed = dir.join("lock.new");
    let file = File::create_new(&unnamed)?;
    file.lock()?;
    fs::rename(unnamed, dir.join("lock"))?;
    Ok(file)
}

/// Removes the directories of labs that are no more; returns them.
pub fn remove_remains() -> Result<Vec<PathBuf>, LabError> {
    let root = std::env::temp_dir();
    let entries = fs::read_dir(&root).map_err(|error| LabError::io(format!("read {}", root.display()), error))?;
    let mut removed = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if is_remain(&path).unwrap_or(false) && fs::remove_dir_all(&path).is_ok() {
            removed.push(path);
        }
    }
    Ok(removed)
}

fn is_remain(path: &Path) -> io::Result<bool> {
    let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    let metadata = fs::symlink_metadata(path)?;
    if !named || !metadata.is_dir() || metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Ok(false);
    }
    match File::open(path.join("lock")) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(metadata.modified()?.elapsed().is_ok_and(|age| age > UNLOCKED_GRACE))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_directory_is_no_remain_and_a_released_one_is() {
        let dir = WorkDir::create().unwrap();
        assert!(!is_remain(dir.path()).unwrap());
        let WorkDir { path, .. } = &dir;
        let copy = path.with_file_name(format!("{PREFIX}test-{}", std::process::id()));
        fs::create_dir(&copy).unwrap();
        assert!(!is_remain(&copy).unwrap(), "a fresh directory may still be in the making");
        drop(take_lock(&copy).unwrap());
        assert!(is_remain(&copy).unwrap());
        fs::remove_dir(&copy).unwrap_err();
        fs::remove_dir_all(&copy).unwrap();
    }

    #[test]
    fn a_foreign_name_is_no_remain() {
        let path = std::env::temp_dir().join(format!("not-ours-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        File::create(path.join("lock")).unwrap();
        assert!(!is_remain(&path).unwrap());
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn dropping_removes_the_directory() {
        let dir = WorkDir::create().unwrap();
        let path = dir.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        drop(dir);
        assert!(!path.exists());
    }
}
