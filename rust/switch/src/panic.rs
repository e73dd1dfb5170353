//! The panic boundary around the Rust side of a swap, and the hook that keeps what it catches out of
//! the logs. What follows from a panic (count, demote) is in `swap.rs`, which result the caller gets in
//! `dispatch.rs`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use crate::{Swap, counters};

#[cfg(panic = "abort")]
compile_error!("the panic boundary needs panic = \"unwind\" in the cargo profile");

thread_local! {
    /// The swap whose Rust side runs on this thread. No destructor: readable at any time.
    static RUNNING: Cell<Option<&'static Swap>> = const { Cell::new(None) };
    /// Where swapped code panicked last on this thread, from the hook.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the Rust side of `swap`. A panic is counted, demotes the swap to C, and gives `None`.
///
/// For functions that C reaches by pointer; those that have a dispatcher are guarded by it.
#[inline(always)]
pub fn guard<R>(swap: &'static Swap, rust: impl FnOnce() -> R) -> Option<R> {
    let outer = RUNNING.replace(Some(swap));
    let outer_index = counters::enter(swap.info().index + 1);
    // Nothing that a panic may have left half changed is looked at again except by the swapped
    // function's own contract: pure has no state, cloned writes back last, effect is not rerun.
    let result = panic::catch_unwind(AssertUnwindSafe(rust));
    counters::enter(outer_index);
    RUNNING.set(outer);
    match result {
        Ok(result) => Some(result),
        Err(payload) => {
            caught(swap, payload);
            None
        }
    }
}

#[cold]
#[inline(never)]
fn caught(swap: &Swap, payload: Box<dyn Any + Send>) {
    // Dropping a payload runs unknown code, which could panic again outside the boundary.
    std::mem::forget(payload);
    swap.panicked(&take_location());
}

/// The swap whose Rust side this thread runs. Allowed in a signal handler.
pub(crate) fn running() -> Option<&'static Swap> {
    RUNNING.get()
}

/// Prints panics of swapped code as swap and location only: their message may quote traffic. Other
/// panics go to the hook that was there before. Further calls do nothing.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| match RUNNING.get() {
            Some(swap) => withhold(swap, info),
            None => previous(info),
        }));
    });
}

/// Reports at once, not at the boundary: a panic that aborts never gets there.
fn withhold(swap: &Swap, info: &PanicHookInfo<'_>) {
    let location = match info.location() {
        Some(place) => format!("{}:{}:{}", place.file(), place.line(), place.column()),
        None => "an unknown place".to_owned(),
    };
    eprintln!("panic in swap {} at {location} (message withheld)", swap.info().name);
    // Fails only in a thread that is ending; the place is then not named again.
    let _ = LOCATION.try_with(|last| last.replace(Some(location)));
}

fn take_location() -> String {
    let location = LOCATION.try_with(RefCell::take).ok().flatten();
    location.unwrap_or_else(|| "an unknown place".to_owned())
}
