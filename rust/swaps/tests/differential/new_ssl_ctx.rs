//! `NewSSLCtx` on both sides: a context with the same options, for each end. What the Rust side adds, the callbacks that
//! its record layer needs, is tested beside them in `swaps::tls`, and end to end.

use crate::support::Trace;
use softether_sys::{FreeSSLCtx, bool_, ssl_ctx_st};
use std::hint::black_box;

both_sides! { new_ssl_ctx: fn NewSSLCtx c_NewSSLCtx(server_mode: bool_) -> *mut ssl_ctx_st }

fn body(function: Function) -> Trace {
    [0, 1, 2, bool_::MAX]
        .map(|server_mode| {
            // SAFETY: any mode; the context is asked, and freed once.
            unsafe {
                let context = function(server_mode);
                assert!(!context.is_null());
                let options = openssl_sys::SSL_CTX_get_options(context.cast());
                let verify = openssl_sys::SSL_CTX_get_verify_mode(context.cast());
                FreeSSLCtx(context);
                format!("server {server_mode}: options {options:#x}, verify {verify}")
            }
        })
        .into()
}

/// Makes and frees a context.
pub fn work(function: Function) -> impl FnMut() {
    move || {
        // SAFETY: the context is freed once.
        unsafe { FreeSSLCtx(black_box(function(black_box(0)))) };
    }
}
