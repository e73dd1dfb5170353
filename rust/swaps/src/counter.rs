//! The swaps on COUNTER, a number with a lock, and REF, a COUNTER of those who hold an object (C: Mayaqua/Object.c).
//!
//! Both belong to several threads at once, so that no copy of one could stand for it in shadow mode: all but the makers are
//! effects. Each takes the counter's own lock, as the C does, so that both sides may run beside each other. A REF frees itself
//! with its last reference, and the object it counts is then its caller's to free.

use crate::family::{Outcome, Random, Trace, family};
use crate::memory::{self, is_tracking, ks_add, ks_dec, ks_inc, malloc};
use softether_sys::{
    COUNTER, DeleteLock, KS_ADDREF_COUNT, KS_CURRENT_COUNT, KS_CURRENT_REF_COUNT, KS_CURRENT_REFED_COUNT, KS_DEC_COUNT,
    KS_DELETE_COUNTER_COUNT, KS_FREEREF_COUNT, KS_INC_COUNT, KS_NEW_COUNTER_COUNT, KS_NEWREF_COUNT, KS_RELEASE_COUNT,
    LockInner, NewLock, REF, UINT, UnlockInner,
};
use std::ptr;
use switch::{Verdict, compare_results};

family! {
    sequence: sequence;

    /// Makes a counter at 0 (C: `NewCounter`, Mayaqua/Object.c).
    makes new_counter = NewCounter() -> *mut COUNTER {
        new_counter_at(0)
    }

    /// Frees a counter (C: `DeleteCounter`, Mayaqua/Object.c).
    effect(()) delete_counter = DeleteCounter(c: *mut COUNTER) {
        // SAFETY: the caller's.
        unsafe { free_counter(c) };
    }

    /// What is counted (C: `Count`, Mayaqua/Object.c). Null counts 0.
    effect(0) count = Count(c: *mut COUNTER) -> UINT {
        // SAFETY: the caller's.
        unsafe { with(c, |count| count) }.unwrap_or(0)
    }

    /// Counts one more, and gives how many that makes (C: `Inc`, Mayaqua/Object.c).
    effect(0) inc = Inc(c: *mut COUNTER) -> UINT {
        // SAFETY: the caller's.
        unsafe { increase(c) }
    }

    /// Counts one less, but not below 0, and gives how many that leaves (C: `Dec`, Mayaqua/Object.c).
    effect(0) dec = Dec(c: *mut COUNTER) -> UINT {
        // SAFETY: the caller's.
        unsafe { decrease(c) }
    }

    /// Makes a reference count of one (C: `NewRef`, Mayaqua/Object.c).
    makes new_ref = NewRef() -> *mut REF {
        let reference = malloc(size_of::<REF>() as u32).cast::<REF>();
        // SAFETY: new memory of the size and, being Mayaqua's, the alignment of a REF.
        unsafe { reference.write(REF { c: new_counter_at(1) }) };
        ks_inc(KS_INC_COUNT);
        ks_inc(KS_CURRENT_COUNT);
        ks_inc(KS_NEWREF_COUNT);
        ks_inc(KS_CURRENT_REF_COUNT);
        ks_inc(KS_ADDREF_COUNT);
        ks_inc(KS_CURRENT_REFED_COUNT);
        reference
    }

    /// One more holds it (C: `AddRef`, Mayaqua/Object.c).
    effect(0) add_ref = AddRef(reference: *mut REF) -> UINT {
        // SAFETY: the caller's.
        let Some(reference) = (unsafe { reference.as_ref() }) else { return 0 };
        // SAFETY: the counter is the reference's.
        let count = unsafe { increase(reference.c) };
        ks_inc(KS_ADDREF_COUNT);
        ks_inc(KS_CURRENT_REFED_COUNT);
        count
    }

    /// One less holds it; the last frees it, and is told so by 0 (C: `Release`, Mayaqua/Object.c). After a panic it is held
    /// for good: what is lost is better than what is freed twice.
    effect(1) release = Release(reference: *mut REF) -> UINT {
        if reference.is_null() {
            return 0;
        }
        ks_inc(KS_RELEASE_COUNT);
        ks_dec(KS_CURRENT_REFED_COUNT);
        // SAFETY: the caller's.
        unsafe {
            let count = decrease((*reference).c);
            if count == 0 {
                ks_dec(KS_CURRENT_REF_COUNT);
                ks_inc(KS_FREEREF_COUNT);
                free_counter((*reference).c);
                memory::free(reference.cast());
            }
            count
        }
    }
}

fn new_counter_at(count: u32) -> *mut COUNTER {
    let c = malloc(size_of::<COUNTER>() as u32).cast::<COUNTER>();
    // SAFETY: new memory of the size and, being Mayaqua's, the alignment of a COUNTER; a lock may be made at any time.
    unsafe { c.write(COUNTER { lock: NewLock(), c: count, Ready: 1 }) };
    ks_inc(KS_NEW_COUNTER_COUNT);
    c
}

/// # Safety
/// `c` is null or a counter that is used no more.
unsafe fn free_counter(c: *mut COUNTER) {
    if c.is_null() {
        return;
    }
    // SAFETY: the caller's.
    unsafe {
        if is_tracking() {
            ks_inc(KS_DELETE_COUNTER_COUNT);
            ks_add(KS_CURRENT_COUNT, u64::from((*c).c).wrapping_neg());
        }
        DeleteLock((*c).lock);
        memory::free(c.cast());
    }
}

/// Changes a counter under its lock, and gives what it counts then; `None` without one, or before it is ready.
///
/// # Safety
/// `c` is null or a counter, and this thread does not hold its lock.
unsafe fn with(c: *mut COUNTER, change: impl FnOnce(u32) -> u32) -> Option<u32> {
    // SAFETY: the caller's; the lock is what makes the number this thread's. `change` cannot panic.
    unsafe {
        if c.is_null() || (*c).Ready == 0 {
            return None;
        }
        LockInner((*c).lock);
        let count = change((*c).c);
        (*c).c = count;
        UnlockInner((*c).lock);
        Some(count)
    }
}

/// # Safety
/// As for [`with`].
unsafe fn increase(c: *mut COUNTER) -> u32 {
    // SAFETY: the caller's.
    let Some(count) = (unsafe { with(c, |count| count.wrapping_add(1)) }) else { return 0 };
    ks_inc(KS_INC_COUNT);
    ks_inc(KS_CURRENT_COUNT);
    count
}

/// # Safety
/// As for [`with`].
unsafe fn decrease(c: *mut COUNTER) -> u32 {
    // SAFETY: the caller's.
    let Some(count) = (unsafe { with(c, |count| count.saturating_sub(1)) }) else { return 0 };
    ks_inc(KS_DEC_COUNT);
    ks_dec(KS_CURRENT_COUNT);
    count
}

macro_rules! made {
    ($ty:ty, $seen:expr, $free:expr) => {
        impl Outcome for *mut $ty {
            unsafe fn compare(control: *mut $ty, candidate: *mut $ty) -> Verdict {
                let seen: unsafe fn(*mut $ty) -> u32 = $seen;
                let free: unsafe fn(*mut $ty) = $free;
                // SAFETY: the caller's; both were made just now.
                unsafe {
                    let verdict = compare_results(&seen(control), &seen(candidate));
                    free(candidate);
                    verdict
                }
            }

            #[cfg(feature = "planted-faults")]
            fn spoil(&mut self) -> bool {
                false
            }
        }
    };
}
made!(
    COUNTER,
    // SAFETY: a counter that was made just now.
    |c| unsafe { (*c).c },
    // SAFETY: as above.
    |c| unsafe { free_counter(c) }
);
made!(
    REF,
    // SAFETY: a reference count that was made just now.
    |reference| unsafe { (*(*reference).c).c },
    // SAFETY: as above.
    |reference| unsafe {
        free_counter((*reference).c);
        memory::free(reference.cast());
    }
);

/// Calls the functions in random order on counters of its own.
pub fn sequence(api: &Api, random: &mut Random, trace: &mut Trace) {
    // SAFETY: the counters are ours and freed once; null is allowed.
    unsafe {
        let mut c = (api.new_counter)();
        let mut reference = (api.new_ref)();
        let mut held = 1;
        let seen = |c: *mut COUNTER| ((*c).c, (*c).Ready, (*c).lock.is_null());
        trace.note("new_ref", seen((*reference).c));
        while trace.is_open() {
            let at = if random.below(32) == 0 { ptr::null_mut() } else { c };
            match random.step(16) {
                0..5 => trace.note("inc", ((api.inc)(at), seen(c))),
                5..9 => trace.note("dec", ((api.dec)(at), seen(c))),
                9 => trace.note("count", ((api.count)(at), seen(c))),
                10 => {
                    // Not ready yet: it does not count.
                    (*c).Ready = 0;
                    trace.note("count", ((api.inc)(c), (api.dec)(c), (api.count)(c), seen(c)));
                    (*c).Ready = 1;
                }
                11 => {
                    (api.delete_counter)(c);
                    (api.delete_counter)(ptr::null_mut());
                    trace.note("delete_counter", ());
                    c = (api.new_counter)();
                    trace.note("new_counter", seen(c));
                }
                12..14 => {
                    trace.note("add_ref", ((api.add_ref)(reference), (api.add_ref)(ptr::null_mut())));
                    held += 1;
                }
                _ => {
                    let left = (api.release)(reference);
                    trace.note("release", (left, (api.release)(ptr::null_mut())));
                    held -= 1;
                    if held == 0 {
                        reference = (api.new_ref)();
                        trace.note("new_ref", seen((*reference).c));
                        held = 1;
                    }
                }
            }
        }
        (api.delete_counter)(c);
        for _ in 0..held {
            (api.release)(reference);
        }
    }
}
