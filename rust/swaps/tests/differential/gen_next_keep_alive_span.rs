//! `GenNextKeepAliveSpan` on both sides. It is random, so the trace is what must hold of every result.

use crate::support::connection::Connection;
use crate::support::Trace;
use softether_sys::{CONNECTION, INFINITE, UINT};
use std::hint::black_box;
use std::ptr;

both_sides! { gen_next_keep_alive_span: fn GenNextKeepAliveSpan c_GenNextKeepAliveSpan(c: *mut CONNECTION) -> UINT }

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    let connection = Connection::new(0);
    // SAFETY: null is allowed; the session is ours.
    unsafe {
        assert_eq!(function(ptr::null_mut()), INFINITE);
        for timeout in [2, 3, 4, 5, 9, 10, 1000, 20_000, 300_000, u32::MAX] {
            (*connection.s).Timeout = timeout;
            let spans: Vec<UINT> = (0..2000).map(|_| function(connection.c)).collect();
            let (least, most) = (timeout / 5, (timeout / 2).saturating_sub(1).max(timeout / 5));
            assert!(spans.iter().all(|span| (least..=most).contains(span)), "timeout {timeout}: {spans:?}");
            // Two fifths of the numbers are below the least span, and become it.
            let at_least = spans.iter().filter(|&&span| span == least).count();
            let spread = timeout >= 1000;
            assert!(!spread || (600..1000).contains(&at_least), "timeout {timeout}: {at_least} of 2000 at the least");
            trace.push(format!("timeout {timeout}: {} to {most}", spans.iter().min().expect("2000 spans")));
        }
    }
    trace
}

/// One span.
pub fn work(function: Function) -> impl FnMut() {
    let connection = Connection::new(0);
    move || {
        // SAFETY: the connection is ours.
        black_box(unsafe { function(connection.c) });
    }
}
