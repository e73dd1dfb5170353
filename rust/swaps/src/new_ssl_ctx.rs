//! `NewSSLCtx`: makes the OpenSSL context of a TLS connection. The Rust side adds the two callbacks through which
//! [`crate::tls`] learns, on connections that this end opens, what its record layer needs to take over later. Nothing
//! else changes: the handshake, the certificates and the login stay OpenSSL's.
//!
//! Ownership: the context is the caller's to free. No locks are held or taken.

use crate::tls;
use softether_sys::{FreeSSLCtx, bool_, ssl_ctx_st};

switch::swap! {
    /// Makes an OpenSSL context (C: `NewSSLCtx`, Mayaqua/Network.c). `server_mode`: for connections that are accepted.
    pub unsafe extern "C" fn NewSSLCtx(server_mode: bool_) -> *mut ssl_ctx_st;
    swap: crate::NEW_SSL_CTX,
    signature: softether_sys::NewSSLCtx,
    c: c_NewSSLCtx,
    // A context without the callbacks: such a connection stays with OpenSSL.
    // SAFETY: any mode.
    contract: effect(unsafe { c_NewSSLCtx(server_mode) }),
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// None beyond the C's.
pub unsafe fn rust(server_mode: bool_) -> *mut ssl_ctx_st {
    // SAFETY: any mode; the new context is nobody else's yet.
    unsafe {
        let context = c_NewSSLCtx(server_mode);
        if server_mode == 0 && !context.is_null() {
            tls::record(context.cast());
        }
        context
    }
}

/// Both sides make a context.
fn self_test() -> Result<(), String> {
    // SAFETY: both contexts are new, and freed once.
    unsafe {
        let contexts = [c_NewSSLCtx(0), rust(0), rust(1)];
        let is_one_missing = contexts.iter().any(|context| context.is_null());
        contexts.into_iter().for_each(|context| FreeSSLCtx(context));
        if is_one_missing { Err("no context".to_owned()) } else { Ok(()) }
    }
}
