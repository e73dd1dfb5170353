//! Secrets: the type that cannot be printed, and the rules for the files they come from.
//! Nothing in this file puts a secret, or a part of one, into an error, a log or a copy that
//! outlives it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::error::{ConfigError, Place};

/// The C keeps passwords in `char[MAX_PASSWORD_LEN + 1]` (Cedar/Cedar.h).
pub const PASSWORD_BYTES_MAX: usize = 255;

/// A private key in PEM is a few KiB at most.
pub const KEY_BYTES_MAX: usize = 64 * 1024;

/// Bytes that are zeroed when dropped and never printed.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes themselves. Every call is a place to look at in a review.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where a secret is read from when it is needed. Reading is repeated at every use, so a changed
/// password takes effect at the next connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    /// The file, credential or stream.
    pub origin: SecretOrigin,
    /// The key that named it, for errors.
    pub place: Place,
}

/// The kinds of source a secret can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretOrigin {
    /// A file: regular, owned by root or by the user, readable by nobody else.
    File(PathBuf),
    /// A file in systemd's credentials directory, which the kernel keeps from others.
    Credential(PathBuf),
    /// Standard input.
    Stdin,
}

impl SecretSource {
    /// Reads a password: one line of 1 to 255 bytes; the line's end is stripped.
    ///
    /// # Errors
    /// The source cannot be read, breaks the rules for its kind, or is not one line.
    pub fn read_password(&self) -> Result<Secret, ConfigError> {
        let mut secret = self.read(PASSWORD_BYTES_MAX + "\r\n".len())?;
        strip_line_end(&mut secret.0);
        let wrong = |problem: &str| {
            ConfigError::new(&self.place, format!("{} {problem}", self.origin), "write the password as its only line")
        };
        match secret.expose() {
            [] => Err(wrong("is empty")),
            bytes if bytes.contains(&b'\n') => Err(wrong("has more than one line")),
            bytes if bytes.contains(&0) => Err(wrong("has a NUL byte in it")),
            bytes if bytes.len() > PASSWORD_BYTES_MAX => Err(wrong("is longer than SoftEther's 255 bytes")),
            _ => Ok(secret),
        }
    }

    /// Reads a private key in PEM.
    ///
    /// # Errors
    /// The source cannot be read, breaks the rules for its kind, or holds no private key.
    pub fn read_key(&self) -> Result<Secret, ConfigError> {
        let secret = self.read(KEY_BYTES_MAX)?;
        if contains(secret.expose(), b"PRIVATE KEY-----") {
            return Ok(secret);
        }
        Err(ConfigError::new(
            &self.place,
            format!("{} holds no private key in PEM", self.origin),
            "name a file that begins with -----BEGIN PRIVATE KEY-----",
        ))
    }

    fn read(&self, bytes_max: usize) -> Result<Secret, ConfigError> {
        match &self.origin {
            SecretOrigin::Stdin => self.read_all(std::io::stdin().lock(), bytes_max),
            SecretOrigin::File(path) => {
                let file = self.open(path)?;
                self.check_privacy(path, &file)?;
                self.read_all(file, bytes_max)
            }
            SecretOrigin::Credential(path) => self.read_all(self.open(path)?, bytes_max),
        }
    }

    /// Opens without blocking, so that a pipe in the file's place is an error and not a hang.
    fn open(&self, path: &Path) -> Result<File, ConfigError> {
        let cannot = |why: &dyn fmt::Display| {
            ConfigError::new(
                &self.place,
                format!("cannot read {}: {why}", path.display()),
                "check the path and that you may read it",
            )
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|e| cannot(&e))?);
        let metadata = file.metadata().map_err(|e| cannot(&e))?;
        if metadata.is_file() {
            return Ok(file);
        }
        Err(cannot(&"it is not a regular file"))
    }

    fn check_privacy(&self, path: &Path, file: &File) -> Result<(), ConfigError> {
        let metadata = file.metadata().map_err(|e| {
            ConfigError::new(&self.place, format!("cannot read {}: {e}", path.display()), "check the file")
        })?;
        let path = path.display();
        let own_uid = rustix::process::geteuid().as_raw();
        if metadata.uid() != 0 && metadata.uid() != own_uid {
            return Err(ConfigError::new(
                &self.place,
                format!("{path} belongs to user id {}, who can change it", metadata.uid()),
                format!("chown it to yourself: chown {own_uid} {path}"),
            ));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(ConfigError::new(
                &self.place,
                format!("{path} has mode {:04o}, so others can get at the secret", metadata.mode() & 0o7777),
                format!("make it private: chmod 600 {path}"),
            ));
        }
        Ok(())
    }

    /// Reads at most `bytes_max` bytes into memory that is zeroed later. The buffer never grows:
    /// growing would leave a copy behind.
    fn read_all(&self, mut source: impl Read, bytes_max: usize) -> Result<Secret, ConfigError> {
        let mut buffer = Zeroizing::new(vec![0; bytes_max + 1]);
        let mut filled = 0;
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            match source.read(space) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    return Err(ConfigError::new(
                        &self.place,
                        format!("cannot read {}: {e}", self.origin),
                        "check that it can be read",
                    ));
                }
            }
        }
        if filled > bytes_max {
            return Err(ConfigError::new(
                &self.place,
                format!("{} is longer than {bytes_max} bytes", self.origin),
                "name the file that holds the secret and nothing else",
            ));
        }
        buffer.truncate(filled);
        Ok(Secret(buffer))
    }
}

impl fmt::Display for SecretOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretOrigin::File(path) | SecretOrigin::Credential(path) => write!(f, "{}", path.display()),
            SecretOrigin::Stdin => f.write_str("standard input"),
        }
    }
}

fn strip_line_end(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn source(path: &Path) -> SecretSource {
        SecretSource {
            origin: SecretOrigin::File(path.to_owned()),
            place: Place::Option("--auth-password-file".into()),
        }
    }

    fn read(content: &[u8], mode: u32) -> Result<Secret, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        source(&path).read_password().map_err(|e| e.to_string())
    }

    #[test]
    fn one_line_end_is_stripped_and_no_more() {
        for (content, password) in [
            (&b"hunter2"[..], &b"hunter2"[..]),
            (b"hunter2\n", b"hunter2"),
            (b"hunter2\r\n", b"hunter2"),
            (b" spaces stay \n", b" spaces stay "),
            (&[b'x'; 255], &[b'x'; 255]),
        ] {
            assert_eq!(read(content, 0o600).unwrap().expose(), password);
        }
    }

    #[test]
    fn what_is_not_one_line_is_refused_without_quoting_it() {
        for (content, why) in [
            (&b""[..], "is empty"),
            (b"\n", "is empty"),
            (b"hunter2\nhunter3\n", "more than one line"),
            (b"hun\0ter2", "NUL"),
            (&[b'h'; 256], "255 bytes"),
            (&[b'h'; 100_000], "257 bytes"),
        ] {
            let error = read(content, 0o600).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("hunter") && !error.contains("hhh"), "{error}");
        }
    }

    #[test]
    fn any_bit_for_group_or_others_is_refused() {
        for mode in [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o777] {
            let error = read(b"hunter2\n", mode).unwrap_err();
            assert!(error.contains("chmod 600"), "{error}");
        }
        for mode in [0o600, 0o400, 0o700] {
            read(b"hunter2\n", mode).unwrap();
        }
    }

    #[test]
    fn a_credential_may_be_group_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vpn");
        fs::write(&path, "hunter2\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        let source = SecretSource { origin: SecretOrigin::Credential(path), place: Place::Name("x".into()) };
        assert_eq!(source.read_password().unwrap().expose(), b"hunter2");
    }

    #[test]
    fn folders_pipes_and_missing_files_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::from(0o600), 0).unwrap();
        for path in [folder.path().to_owned(), pipe, folder.path().join("missing")] {
            let error = source(&path).read_password().unwrap_err();
            assert!(error.to_string().contains("cannot read"), "{error}");
        }
    }

    #[test]
    fn a_strangers_file_is_refused() {
        assert!(rustix::process::geteuid().is_root(), "only root can give a file away: run the tests as root");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "hunter2\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        let error = source(&path).read_password().unwrap_err();
        assert!(error.to_string().contains("chown"), "{error}");
    }

    #[test]
    fn debug_prints_no_secret() {
        let secret = read(b"hunter2", 0o600).unwrap();
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[secret] Some([secret])");
    }

    #[test]
    fn a_key_must_be_pem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        for (content, good) in [
            ("-----BEGIN PRIVATE KEY-----\nAA==\n", true),
            ("-----BEGIN RSA PRIVATE KEY-----\n", true),
            ("hunter2", false),
            ("", false),
        ] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(source(&path).read_key().is_ok(), good, "{content}");
        }
    }
}
