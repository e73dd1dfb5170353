//! One connection's configuration as the Zig client needs it: values for SoftEther's structs, secrets straight into the
//! caller's memory, and what an error number means for it.

use crate::command::Command;
use crate::error::{Status, boundary, failed, guarded};
use crate::{text, verify};
use config::cedar_error::{self, Subject};
use config::config::{Auth, Proof};
use config::exit::ExitCode;
use config::secret::{SecretOrigin, SecretSource};
use config::{Config, ConfigError, Environment, cli};
use std::ffi::{CString, c_char, c_void};
use std::sync::{Mutex, PoisonError};

/// A configuration that was read and checked.
pub struct Connection {
    source: cli::Connection,
    pub(crate) config: Config,
    settings: Settings,
    /// What the pointers of `settings` point to.
    _texts: Vec<CString>,
    said: Mutex<Said>,
}

/// What was said of the server's certificate last, for the explanation of the C's error about it.
#[derive(Default)]
struct Said {
    /// Why it was refused.
    refusal: Option<String>,
    /// It was accepted.
    is_accepted: bool,
    /// How often in a row the C has taken an accepted certificate for a refused one.
    misread: u32,
}

impl Said {
    /// What an error means. `ClientCheckServerCert` (Cedar/Protocol.c) waits for its thread's `UserSelected` and then reads
    /// `Ok`, which the compiler may have the thread store in the other order: then "yes" is read as "no". So an error of
    /// the certificate after "yes" is worth another attempt, but not for ever: a redirection to another server, whose
    /// certificate is not asked about here, ends in the same error.
    fn explain(&mut self, code: ExitCode, sentence: String) -> (ExitCode, String) {
        const MISREAD_MAX: u32 = 3;
        let Self { refusal, is_accepted, misread } = self;
        let was_accepted = std::mem::take(is_accepted);
        if code != ExitCode::Certificate {
            *misread = 0;
            return (code, sentence);
        }
        match refusal.take() {
            Some(refusal) => (code, refusal),
            None if was_accepted && *misread < MISREAD_MAX => {
                *misread += 1;
                (ExitCode::Lost, "the answer about the server's certificate was misread".to_owned())
            }
            None => (code, sentence),
        }
    }
}

/// How the user logs in. The numbers are CLIENT_AUTHTYPE_* of Cedar/Cedar.h.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKind {
    /// No proof.
    Anonymous = 0,
    /// A hash of password and challenge.
    Password = 1,
    /// The password itself, inside TLS.
    Plain = 2,
    /// A certificate and its key.
    Certificate = 3,
}

/// A configuration's values for SoftEther's CLIENT_OPTION and CLIENT_AUTH, and for the client itself. The strings belong
/// to the connection.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The instance's name.
    pub name: *const c_char,
    /// The server's host name or address.
    pub host: *const c_char,
    /// Host and port, as a person writes them.
    pub server: *const c_char,
    /// The hub.
    pub hub: *const c_char,
    /// The user.
    pub user: *const c_char,
    /// The interface's name.
    pub interface: *const c_char,
    /// The modes of `[swaps]`, for `cutover_init`.
    pub swaps: *const c_char,
    /// The server's TCP port.
    pub port: u16,
    /// How the user logs in.
    pub auth: AuthKind,
    /// Whether the secret comes from standard input, which can be read once.
    pub secret_once: bool,
    /// TCP connections, 1 to 32.
    pub connections: u32,
    /// Each TCP connection only sends or only receives.
    pub half_duplex: bool,
    /// The data phase is encrypted.
    pub encrypt: bool,
    /// Frames are compressed.
    pub compress: bool,
    /// Frames may go by UDP.
    pub udp_acceleration: bool,
    /// Urgent packets have a TCP connection of their own.
    pub qos: bool,
    /// Whether to connect again.
    pub reconnect: bool,
    /// The wait before the first new attempt, in milliseconds.
    pub reconnect_ms_min: u32,
    /// The longest wait, in milliseconds.
    pub reconnect_ms_max: u32,
}

/// What differs between two configurations.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing but the modes of swaps, if at all.
    Nothing = 0,
    /// Something that a new session brings about.
    Session = 1,
    /// The interface: only a new start brings that about.
    Interface = 2,
}

impl Connection {
    fn load(source: &cli::Connection) -> Result<Connection, ConfigError> {
        let config = Config::load(&source.target, &source.overrides, &Environment::of_process())?;
        let Config { name, host, port, hub, auth, transport, reconnect, interface, swaps, .. } = &config;
        let server = address(host, *port);
        let texts = [name, host, &server, hub, &auth.user, &interface.name, swaps].map(|text| text::to_c(text));
        let [name, host, server, hub, user, interface, swaps] = texts.each_ref().map(|text| text.as_ptr());
        let milliseconds = |duration: std::time::Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        let settings = Settings {
            name,
            host,
            server,
            hub,
            user,
            interface,
            swaps,
            port: *port,
            auth: match &auth.proof {
                Proof::Anonymous => AuthKind::Anonymous,
                Proof::Password(_) => AuthKind::Password,
                Proof::Plain(_) => AuthKind::Plain,
                Proof::Certificate { .. } => AuthKind::Certificate,
            },
            secret_once: secret(auth).is_some_and(|source| source.origin == SecretOrigin::Stdin),
            connections: transport.connections.into(),
            half_duplex: transport.half_duplex,
            encrypt: transport.encrypt,
            compress: transport.compress,
            udp_acceleration: transport.udp_acceleration,
            qos: transport.qos,
            reconnect: reconnect.enabled,
            reconnect_ms_min: milliseconds(reconnect.interval),
            reconnect_ms_max: milliseconds(reconnect.max),
        };
        let source = source.clone();
        Ok(Connection { source, config, settings, _texts: texts.into(), said: Mutex::default() })
    }

    /// The server as `host:port`, with brackets around an IPv6 address.
    pub(crate) fn server(&self) -> String {
        address(&self.config.host, self.config.port)
    }

    fn into_raw(loaded: Result<Connection, ConfigError>) -> *mut Connection {
        match loaded {
            Ok(connection) => {
                connection.config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                Box::into_raw(Box::new(connection))
            }
            Err(error) => {
                failed(Status::Invalid, error);
                std::ptr::null_mut()
            }
        }
    }
}

fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn secret(auth: &Auth) -> Option<&SecretSource> {
    match &auth.proof {
        Proof::Password(source) | Proof::Plain(source) | Proof::Certificate { key: source, .. } => Some(source),
        Proof::Anonymous => None,
    }
}

/// Reads and checks the configuration of `cutover up`. Null if it is wrong: `cutover_last_error` says where, and the exit
/// code is 12. To be given back by `cutover_connection_free`.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_connection_open(command: &Command) -> *mut Connection {
    boundary(std::ptr::null_mut(), || {
        crate::log::start();
        match &command.0 {
            cli::Command::Up(source) => Connection::into_raw(Connection::load(source)),
            _ => std::ptr::null_mut(),
        }
    })
}

/// Reads the same configuration anew, as [`cutover_connection_open`] does.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_connection_reopen(connection: &Connection) -> *mut Connection {
    boundary(std::ptr::null_mut(), || Connection::into_raw(Connection::load(&connection.source)))
}

/// Gives a connection back. Null is ignored.
///
/// # Safety
/// `connection` is null or from one of the two functions above, and used no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_connection_free(connection: *mut Connection) {
    if !connection.is_null() {
        // SAFETY: the caller's.
        drop(unsafe { Box::from_raw(connection) });
    }
}

/// The connection's values, valid as long as it is.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_connection_settings(connection: &Connection) -> *const Settings {
    &raw const connection.settings
}

/// What a change from one configuration to the other takes.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_connection_compare(from: &Connection, to: &Connection) -> Change {
    let comparable = |connection: &Connection| {
        let swaps = String::new();
        Config { swaps, warnings: Vec::new(), ..connection.config.clone() }
    };
    if from.config.interface != to.config.interface {
        Change::Interface
    } else if comparable(from) != comparable(to) {
        Change::Session
    } else {
        Change::Nothing
    }
}

/// Reads the password into `buffer`, NUL-terminated. The caller zeroes it after use.
///
/// # Errors
/// `Invalid` if the source cannot be read or breaks its rules, and if the connection has no password.
///
/// # Safety
/// `buffer` points to `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_connection_password(
    connection: &Connection,
    buffer: *mut c_char,
    capacity: usize,
) -> Status {
    guarded(|| {
        let (Proof::Password(source) | Proof::Plain(source)) = &connection.config.auth.proof else {
            return Err(failed(Status::Invalid, "this connection has no password"));
        };
        let secret = source.read_password().map_err(|error| failed(Status::Invalid, error))?;
        // SAFETY: the caller's.
        unsafe { copy_out(secret.expose(), buffer, capacity) }
    })
}

/// Reads the user's private key (PEM) into `buffer`, NUL-terminated. The caller zeroes it after use.
///
/// # Errors
/// As for a password.
///
/// # Safety
/// `buffer` points to `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_connection_key(
    connection: &Connection,
    buffer: *mut c_char,
    capacity: usize,
) -> Status {
    guarded(|| {
        let Proof::Certificate { key, .. } = &connection.config.auth.proof else {
            return Err(failed(Status::Invalid, "this connection has no private key"));
        };
        let secret = key.read_key().map_err(|error| failed(Status::Invalid, error))?;
        // SAFETY: the caller's.
        unsafe { copy_out(secret.expose(), buffer, capacity) }
    })
}

/// The user's certificate (PEM): its bytes, and how many in `length`. They belong to the connection; null if it has none.
///
/// # Safety
/// `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_connection_certificate(connection: &Connection, length: *mut usize) -> *const u8 {
    let Proof::Certificate { certificate, .. } = &connection.config.auth.proof else { return std::ptr::null() };
    // SAFETY: the caller's.
    unsafe { length.write(certificate.bytes.len()) };
    certificate.bytes.as_ptr()
}

/// Copies a secret with a NUL behind it.
///
/// # Safety
/// `buffer` points to `capacity` bytes.
unsafe fn copy_out(secret: &[u8], buffer: *mut c_char, capacity: usize) -> Result<(), Status> {
    if buffer.is_null() || secret.len() >= capacity {
        return Err(failed(Status::Invalid, "the buffer is too small for the secret"));
    }
    // SAFETY: the length was just compared, and a new secret overlaps nothing.
    unsafe {
        std::ptr::copy_nonoverlapping(secret.as_ptr(), buffer.cast(), secret.len());
        buffer.add(secret.len()).write(0);
    }
    Ok(())
}

/// Decides whether the server at the other end of a TLS connection is the one that `[tls]` asks for.
///
/// # Errors
/// `NotPermitted` if not; the reason also becomes what [`cutover_connection_explain`] says of the C's error for it.
///
/// # Safety
/// `ssl` is null or OpenSSL's SSL of an established connection that nobody else uses meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_connection_verify(connection: &Connection, ssl: *mut c_void) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        let verdict = unsafe { verify::verify(&connection.config, ssl.cast()) };
        let refusal = verdict.err().map(|reason| format!("{}: {reason}", connection.server()));
        let mut said = connection.said.lock().unwrap_or_else(PoisonError::into_inner);
        (said.is_accepted, said.refusal) = (refusal.is_none(), refusal.clone());
        refusal.map_or(Ok(()), |text| Err(failed(Status::NotPermitted, text)))
    })
}

/// What one of SoftEther's error numbers (ERR_* of Cedar/Cedar.h) means for this connection: the exit code, with the
/// sentence as `cutover_last_error`. Codes from 20 on are worth another attempt.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_connection_explain(connection: &Connection, error: u32) -> u8 {
    boundary(ExitCode::Internal, || {
        let config = &connection.config;
        let server = connection.server();
        let subject =
            Subject { server: &server, hub: &config.hub, user: &config.auth.user, interface: &config.interface.name };
        let (code, sentence) = cedar_error::explain(error, subject);
        let (code, text) = connection.said.lock().unwrap_or_else(PoisonError::into_inner).explain(code, sentence);
        failed(Status::Io, text);
        code
    })
    .number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_was_accepted_is_worth_another_attempt() {
        let explain = |said: &mut Said, code| said.explain(code, "as the C says".to_owned());
        let accepted = |said: &mut Said| {
            said.is_accepted = true;
            explain(said, ExitCode::Certificate).0
        };
        let mut said = Said { refusal: Some("not the pin".to_owned()), ..Said::default() };
        assert_eq!(explain(&mut said, ExitCode::Certificate), (ExitCode::Certificate, "not the pin".to_owned()));
        assert_eq!(explain(&mut said, ExitCode::Certificate).0, ExitCode::Certificate, "nobody was asked");
        assert_eq!([(); 4].map(|()| accepted(&mut said)), {
            use ExitCode::{Certificate, Lost};
            [Lost, Lost, Lost, Certificate]
        });
        assert_eq!(explain(&mut said, ExitCode::Busy), (ExitCode::Busy, "as the C says".to_owned()));
        assert_eq!(accepted(&mut said), ExitCode::Lost, "others between count anew");
    }
}
