//! How a TLS connection that OpenSSL has made passes into the hands of `cedar::tls`, with its keys and record numbers.
//!
//! 1. [`record`] puts two callbacks on the context of a connection that is to be made (`NewSSLCtx`).
//! 2. While OpenSSL shakes hands, logs in and so on, a [`Recorder`] on the connection keeps the traffic secrets of
//!    TLS 1.3 and counts the records of each direction since its key was set.
//! 3. [`take_over`] reads the plaintext that OpenSSL has left, and makes [`Keys`] of all that. From then on the object
//!    must not be used: the C frees it when it closes the connection, and says nothing to the peer before.
//!
//! What the recorder is not sure of it refuses ([`Refused`]): then the connection stays with OpenSSL.
//!
//! Secrets are in zeroed memory: the recorder's, which goes with the connection's object. The object itself holds them,
//! too, as long as it lives; so it does in the C.

pub mod openssl;

use cedar::tls::{Keys, PLAINTEXT_MAX, Side, Suite};
use openssl_sys as ossl;
use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::ptr;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Longest traffic secret, in bytes.
const SECRET_MAX: usize = 48;

/// OpenSSL's numbers for what its message callback shows, and for versions (`openssl/ssl3.h`, `tls1.h`).
const RT_HEADER: c_int = 256;
const RT_HANDSHAKE: c_int = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;
const KEY_UPDATE: u8 = 24;
const TLS1_2: c_int = 0x0303;
const TLS1_3: c_int = 0x0304;

type MessageCallback = unsafe extern "C" fn(c_int, c_int, c_int, *const c_void, usize, *mut ossl::SSL, *mut c_void);

unsafe extern "C" {
    fn SSL_CTX_set_msg_callback(context: *mut ossl::SSL_CTX, callback: MessageCallback);
    fn SSL_has_pending(ssl: *const ossl::SSL) -> c_int;
    fn SSL_set_quiet_shutdown(ssl: *mut ossl::SSL, mode: c_int);
    fn SSL_get_shutdown(ssl: *const ossl::SSL) -> c_int;
    fn SSL_get_server_random(ssl: *const ossl::SSL, out: *mut u8, len: usize) -> usize;
}

/// Why a connection stays with OpenSSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was made while the swap was on C.
    #[error("the connection was made with NewSSLCtx on c")]
    NotRecorded,
    /// Its keys changed since, or cannot be followed.
    #[error("the connection's keys changed during the login")]
    KeysChanged,
    /// Its version or cipher suite is not one of `cedar::tls`.
    #[error("the cipher suite has no record layer in Rust")]
    Suite,
    /// OpenSSL holds part of a record, or has seen the end.
    #[error("OpenSSL holds part of a record")]
    Busy,
}

/// What was seen of one connection.
#[derive(Default)]
struct Recorder {
    client: Secret,
    server: Secret,
    sent: Direction,
    received: Direction,
    has_key_update: bool,
}

#[derive(Default)]
struct Direction {
    /// Records since the key was set.
    records: u64,
    /// ChangeCipherSpec records: more than one in TLS 1.2 means that the keys were negotiated anew.
    changes: u32,
}

/// A traffic secret of TLS 1.3; empty until it is known.
struct Secret {
    bytes: Zeroizing<[u8; SECRET_MAX]>,
    len: usize,
}

impl Default for Secret {
    fn default() -> Self {
        Self { bytes: Zeroizing::new([0; SECRET_MAX]), len: 0 }
    }
}

impl Secret {
    fn set(&mut self, digits: &[u8]) -> Option<()> {
        self.len = 0;
        let (pairs, odd) = digits.as_chunks::<2>();
        if !odd.is_empty() || pairs.len() > SECRET_MAX {
            return None;
        }
        for (place, pair) in self.bytes.iter_mut().zip(pairs) {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *place = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        self.len = pairs.len();
        Some(())
    }

    fn expose(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Puts the callbacks on a context.
///
/// # Safety
/// `context` is an OpenSSL context that nobody else uses yet.
pub(crate) unsafe fn record(context: *mut ossl::SSL_CTX) {
    if place().is_none() {
        return;
    }
    // SAFETY: the caller's; both callbacks are of the types that OpenSSL documents.
    unsafe {
        ossl::SSL_CTX_set_keylog_callback(context, Some(key_logged));
        SSL_CTX_set_msg_callback(context, message_seen);
    }
}

/// The place of the recorder among a connection's extra data.
fn place() -> Option<c_int> {
    static PLACE: OnceLock<c_int> = OnceLock::new();
    // SAFETY: asks for a new index; the callback frees what is stored there.
    let place =
        *PLACE.get_or_init(|| unsafe { ossl::SSL_get_ex_new_index(0, ptr::null_mut(), None, None, Some(forget)) });
    (place >= 0).then_some(place)
}

/// Frees a recorder with its connection's object.
unsafe extern "C" fn forget(
    _: *mut c_void,
    recorder: *mut c_void,
    _: *mut ossl::CRYPTO_EX_DATA,
    _: c_int,
    _: c_long,
    _: *mut c_void,
) {
    if !recorder.is_null() {
        // SAFETY: what is stored there is a boxed recorder, and the object is about to go.
        drop(unsafe { Box::from_raw(recorder.cast::<Recorder>()) });
    }
}

/// A connection's recorder, made if it has none.
///
/// # Safety
/// `ssl` is alive, and used by this thread only.
unsafe fn recorder<'a>(ssl: *mut ossl::SSL, make: bool) -> Option<&'a mut Recorder> {
    let place = place()?;
    // SAFETY: the caller's; the place holds null or a boxed recorder.
    unsafe {
        let known = ossl::SSL_get_ex_data(ssl, place).cast::<Recorder>();
        if !known.is_null() || !make {
            return known.as_mut();
        }
        let made = Box::into_raw(Box::<Recorder>::default());
        if ossl::SSL_set_ex_data(ssl, place, made.cast()) != 1 {
            drop(Box::from_raw(made));
            return None;
        }
        made.as_mut()
    }
}

/// OpenSSL has set a key: of TLS 1.3 the secret behind it is told at that very moment.
unsafe extern "C" fn key_logged(ssl: *const ossl::SSL, line: *const c_char) {
    // SAFETY: OpenSSL calls on the connection's thread with a string.
    let (Some(recorder), line) = (unsafe { (recorder(ssl.cast_mut(), true), CStr::from_ptr(line)) }) else { return };
    let mut words = line.to_bytes().split(|&byte| byte == b' ');
    let (label, digits) = (words.next(), words.nth(1));
    let (secret, direction) = match label {
        Some(b"CLIENT_TRAFFIC_SECRET_0") => (&mut recorder.client, &mut recorder.sent),
        Some(b"SERVER_TRAFFIC_SECRET_0") => (&mut recorder.server, &mut recorder.received),
        _ => return,
    };
    direction.records = 0;
    if secret.set(digits.unwrap_or_default()).is_none() {
        recorder.has_key_update = true;
    }
}

/// OpenSSL has sealed or is about to open a record, or has seen a message.
unsafe extern "C" fn message_seen(
    is_sent: c_int,
    _: c_int,
    content: c_int,
    bytes: *const c_void,
    len: usize,
    ssl: *mut ossl::SSL,
    _: *mut c_void,
) {
    if len == 0 || bytes.is_null() || (content != RT_HEADER && content != RT_HANDSHAKE) {
        return;
    }
    // SAFETY: OpenSSL calls on the connection's thread; there is a first byte.
    let (Some(recorder), kind) = (unsafe { (recorder(ssl, true), bytes.cast::<u8>().read()) }) else { return };
    if content == RT_HANDSHAKE {
        recorder.has_key_update |= kind == KEY_UPDATE;
        return;
    }
    let direction = if is_sent == 0 { &mut recorder.received } else { &mut recorder.sent };
    if kind == CHANGE_CIPHER_SPEC {
        (direction.records, direction.changes) = (0, direction.changes.saturating_add(1));
    } else {
        direction.records += 1;
    }
}

/// Takes a connection out of OpenSSL's hands, with the plaintext that it had read already.
///
/// # Errors
/// [`Refused`]: it stays where it is, and nothing was read.
///
/// # Safety
/// `ssl` is the object of an established client connection that only this thread uses, and after success nobody does.
pub unsafe fn take_over(ssl: *mut ossl::SSL) -> Result<(Keys, Vec<u8>), Refused> {
    // SAFETY: the caller's, for all that follows.
    unsafe {
        let recorder = recorder(ssl, false).ok_or(Refused::NotRecorded)?;
        let is_open = SSL_get_shutdown(ssl) == 0 && ossl::SSL_is_init_finished(ssl) == 1;
        let pending = usize::try_from(ossl::SSL_pending(ssl)).map_err(|_| Refused::Busy)?;
        if !is_open || pending > PLAINTEXT_MAX || (pending == 0 && SSL_has_pending(ssl) != 0) {
            return Err(Refused::Busy);
        }
        let cipher = ossl::SSL_get_current_cipher(ssl);
        if cipher.is_null() {
            return Err(Refused::Suite);
        }
        let suite = Suite::from_iana(ossl::SSL_CIPHER_get_protocol_id(cipher)).ok_or(Refused::Suite)?;
        let version = ossl::SSL_version(ssl);
        let keys = match version {
            TLS1_3 => tls13_keys(recorder, suite)?,
            TLS1_2 => tls12_keys(ssl, recorder, suite)?,
            _ => return Err(Refused::Suite),
        };
        // All of it is one record's, which is open already: nothing is received.
        let mut plaintext = vec![0; pending];
        if pending != 0 {
            let size = c_int::try_from(pending).map_err(|_| Refused::Busy)?;
            if ossl::SSL_read(ssl, plaintext.as_mut_ptr().cast(), size) != size {
                return Err(Refused::Busy);
            }
        }
        SSL_set_quiet_shutdown(ssl, 1);
        Ok((keys, plaintext))
    }
}

fn tls13_keys(recorder: &Recorder, suite: Suite) -> Result<Keys, Refused> {
    if recorder.has_key_update {
        return Err(Refused::KeysChanged);
    }
    let counts = [recorder.sent.records, recorder.received.records];
    Keys::tls13(suite, Side::Client, [recorder.client.expose(), recorder.server.expose()], counts)
        .map_err(|_| Refused::KeysChanged)
}

/// # Safety
/// As [`take_over`].
unsafe fn tls12_keys(ssl: *mut ossl::SSL, recorder: &Recorder, suite: Suite) -> Result<Keys, Refused> {
    if recorder.sent.changes != 1 || recorder.received.changes != 1 {
        return Err(Refused::KeysChanged);
    }
    let (mut client, mut server) = ([0; 32], [0; 32]);
    let mut master = Zeroizing::new([0; SECRET_MAX]);
    // SAFETY: the caller's; each call writes at most as many bytes as it is told. The session belongs to the object.
    let len = unsafe {
        ossl::SSL_get_client_random(ssl, client.as_mut_ptr(), client.len());
        SSL_get_server_random(ssl, server.as_mut_ptr(), server.len());
        let session = ossl::SSL_get_session(ssl);
        if session.is_null() {
            return Err(Refused::KeysChanged);
        }
        ossl::SSL_SESSION_get_master_key(session, master.as_mut_ptr(), master.len())
    };
    let master = master.get(..len).unwrap_or_default();
    let counts = [recorder.sent.records, recorder.received.records];
    Keys::tls12(suite, Side::Client, master, [&client, &server], counts).map_err(|_| Refused::KeysChanged)
}

#[cfg(all(test, new_ssl_ctx))]
mod tests;
