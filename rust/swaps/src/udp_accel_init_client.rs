//! `UdpAccelInitClient`: starts UDP acceleration with what the server's Welcome says. The Rust side does what the C does,
//! by the C, and remembers the server's key of version 2, which the C hands to its cipher and keeps nowhere:
//! [`crate::fused`] needs it to open datagrams.
//!
//! Ownership: the object is the caller's, on the session's thread; so is the memory of the key. No locks.

use cedar::udp_accel::KeyV2;
use cedar::udp_accel::wire::CIPHER_KEY_SIZE_V2;
use softether_sys::{IP, UCHAR, UDP_ACCEL, UINT};
use std::cell::Cell;
use std::ptr;

thread_local! {
    /// The object that this thread's session has started last, and its server's key. A client's session starts it and
    /// runs on one thread.
    static STARTED: Cell<Option<(*const UDP_ACCEL, KeyV2)>> = const { Cell::new(None) };
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
            let key = server_key.cast::<[UCHAR; CIPHER_KEY_SIZE_V2]>().read_unaligned();
            STARTED.set(Some((a, key)));
        }
        started
    }
}

/// The server's key of the object that this thread has started last, once: it is forgotten here.
#[must_use]
pub fn take_server_key(a: *const UDP_ACCEL) -> Option<KeyV2> {
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
