//! `UdpAccelInitClient`: starts UDP acceleration with what the server's Welcome says. The Rust side does what the C does,
//! by the C, and remembers the server's key of version 2, which the C hands to its cipher and keeps nowhere:
//! [`crate::fused`] needs it to open datagrams. It is kept in locked pages, and wiped once it has been taken.
//!
//! Ownership: the object is the caller's, on the session's thread; so is the memory of the key. No locks.

use cedar::udp_accel::wire::CIPHER_KEY_SIZE_V2;
use secure::Secret;
use softether_sys::{IP, UCHAR, UDP_ACCEL, UINT};
use std::cell::Cell;
use std::ptr;

thread_local! {
    /// The object that this thread's session has started last, and its server's key. A client's session starts it and
    /// runs on one thread.
    static STARTED: Cell<Option<(*const UDP_ACCEL, Secret)>> = const { Cell::new(None) };
}

switch::swap! {
    /// Starts UDP acceleration (C: `UdpAccelInitClient`, Cedar/UdpAccel.c). False: the addresses are of two families, or
    /// something is missing.
    pub unsafe extern "C" fn UdpAccelInitClient(
        a: *mut UDP_ACCEL,
        server_key: *mut UCHAR,
        server_ip: *mut IP,
        server_port: UINT,
        server_cookie: UINT,
        client_cookie: UINT,
        server_ip_2: *mut IP,
    ) -> UINT;
    swap: crate::UDP_ACCEL_INIT_CLIENT,
    signature: softether_sys::UdpAccelInitClient,
    c: c_UdpAccelInitClient,
    // The session goes on without UDP.
    contract: effect(0),
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// As for the C: `a` is null or an object with its version set, `server_key` null or a key of that version, the addresses
/// null or addresses.
pub unsafe fn rust(
    a: *mut UDP_ACCEL,
    server_key: *mut UCHAR,
    server_ip: *mut IP,
    server_port: UINT,
    server_cookie: UINT,
    client_cookie: UINT,
    server_ip_2: *mut IP,
) -> UINT {
    // SAFETY: the caller's; the C said yes, so neither pointer is null, and a key of version 2 has 128 bytes.
    unsafe {
        let started =
            c_UdpAccelInitClient(a, server_key, server_ip, server_port, server_cookie, client_cookie, server_ip_2);
        if started != 0 && (*a).Version > 1 {
            STARTED.set(keep(server_key).map(|key| (a.cast_const(), key)));
        }
        started
    }
}

/// A copy of a key of version 2 in locked pages. Without such pages there is none: the session's datagrams are the C's then.
///
/// # Safety
/// `key` has as many bytes.
unsafe fn keep(key: *const UCHAR) -> Option<Secret> {
    let mut secret = Secret::new(CIPHER_KEY_SIZE_V2)
        .inspect_err(|error| tracing::warn!(%error, "datagrams are left to the C"))
        .ok()?;
    // SAFETY: the caller's; the secret is nobody else's yet.
    unsafe { ptr::copy_nonoverlapping(key, secret.as_mut_slice().as_mut_ptr(), CIPHER_KEY_SIZE_V2) };
    Some(secret)
}

/// The server's key of the object that this thread has started last, once: it is forgotten here.
#[must_use]
pub fn take_server_key(a: *const UDP_ACCEL) -> Option<Secret> {
    STARTED.take().filter(|(started, _)| ptr::eq(*started, a)).map(|(_, key)| key)
}

/// Both sides refuse what the C refuses.
fn self_test() -> Result<(), String> {
    // SAFETY: nothing is there, which both see.
    let refused = unsafe {
        let (a, key, ip) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        [c_UdpAccelInitClient(a, key, ip, 1, 1, 1, ip), rust(a, key, ip, 1, 1, 1, ip)]
    };
    if refused == [0, 0] { Ok(()) } else { Err("it started nothing".to_owned()) }
}
