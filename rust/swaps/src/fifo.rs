//! The swaps on FIFO that make, free and look at one (C: Mayaqua/Memory.c); those that write and read are files of their
//! own, in the group framing.
//!
//! Ownership: a FIFO is its maker's, or counted by its REF. The caller holds its lock where several threads use it.

use crate::family::{Outcome, Random, Structure, Trace, family};
use crate::memory::{self, fifo, ks_inc, malloc};
use mayaqua::fifo::FIFO_INIT_MEM_SIZE;
use softether_sys::{
    BUF, DeleteLock, FIFO, KS_FREEFIFO_COUNT, KS_NEWFIFO_COUNT, MemToBuf, NewBuf, NewLock, NewRef, ReadFifo, Release,
    UCHAR, UINT, WriteFifo, bool_,
};
use std::ffi::c_void;
use std::ptr;
use switch::{Difference, Kind, Shape, Verdict, compare_results};

family! {
    sequence: sequence;

    /// Makes a FIFO with a lock (C: `NewFifo`, Mayaqua/Memory.c).
    makes new_fifo = NewFifo() -> *mut FIFO {
        new(false)
    }

    /// Makes a FIFO without a lock (C: `NewFifoFast`, Mayaqua/Memory.c).
    makes new_fifo_fast = NewFifoFast() -> *mut FIFO {
        new(true)
    }

    /// Makes a FIFO, `fast` without a lock (C: `NewFifoEx`, Mayaqua/Memory.c).
    makes new_fifo_ex = NewFifoEx(fast: bool_) -> *mut FIFO {
        new(fast != 0)
    }

    /// Makes a FIFO, `fast` without a lock (C: `NewFifoEx2`, Mayaqua/Memory.c). None is ever fixed, as in the C.
    makes new_fifo_ex2 = NewFifoEx2(fast: bool_, _fixed: bool_) -> *mut FIFO {
        new(fast != 0)
    }

    /// Frees a FIFO that nobody refers to any more (C: `ReleaseFifo`, Mayaqua/Memory.c).
    effect(()) release_fifo = ReleaseFifo(f: *mut FIFO) {
        // SAFETY: the caller's.
        unsafe { release(f) };
    }

    /// Frees a FIFO (C: `CleanupFifo`, Mayaqua/Memory.c).
    effect(()) cleanup_fifo = CleanupFifo(f: *mut FIFO) {
        // SAFETY: the caller's.
        unsafe { cleanup(f) };
    }

    /// Number of unread bytes (C: `FifoSize`, Mayaqua/Memory.c).
    reads(0) fifo_size = FifoSize(f: Fifo) -> UINT {
        f.0.size
    }

    /// Where the unread bytes begin (C: `FifoPtr`, Mayaqua/Memory.c).
    pure fifo_ptr = FifoPtr(f: *mut FIFO) -> *mut UCHAR {
        // SAFETY: the caller's. A FIFO without a block has `pos` 0; wrapping_add then keeps null.
        unsafe { f.as_ref() }.map_or(ptr::null_mut(), |f| f.p.cast::<UCHAR>().wrapping_add(f.pos as usize))
    }

    /// Takes all bytes, as a buffer (C: `ReadFifoAll`, Mayaqua/Memory.c). Null gives an empty one.
    // SAFETY: a buffer may be made at any time.
    changes(unsafe { NewBuf() }) read_fifo_all = ReadFifoAll(f: Fifo) -> *mut BUF {
        // SAFETY: the unread bytes are in the FIFO's block; the FIFO is whole.
        unsafe {
            let bytes = fifo::unread(&raw const f.0);
            let all = MemToBuf(bytes.as_ptr().cast_mut().cast(), f.0.size);
            ReadFifo(&raw mut f.0, ptr::null_mut(), f.0.size);
            all
        }
    }
}

/// A FIFO.
#[repr(transparent)]
pub struct Fifo(FIFO);

fn new(fast: bool) -> *mut FIFO {
    let f = malloc(size_of::<FIFO>() as u32).cast::<FIFO>();
    // SAFETY: a lock and a reference count may be made at any time.
    let (lock, reference) = if fast { (ptr::null_mut(), ptr::null_mut()) } else { unsafe { (NewLock(), NewRef()) } };
    let members = FIFO {
        ref_: reference,
        lock,
        p: malloc(FIFO_INIT_MEM_SIZE),
        pos: 0,
        size: 0,
        memsize: FIFO_INIT_MEM_SIZE,
        total_read_size: 0,
        total_write_size: 0,
        fixed: 0,
    };
    // SAFETY: new memory of the size and, being Mayaqua's, the alignment of a FIFO.
    unsafe { f.write(members) };
    ks_inc(KS_NEWFIFO_COUNT);
    f
}

/// # Safety
/// `f` is null or a FIFO that its caller refers to no more.
pub unsafe fn release(f: *mut FIFO) {
    // SAFETY: the caller's.
    unsafe {
        if !f.is_null() && ((*f).ref_.is_null() || Release((*f).ref_) == 0) {
            cleanup(f);
        }
    }
}

/// # Safety
/// `f` is null or a FIFO that is used no more.
unsafe fn cleanup(f: *mut FIFO) {
    if f.is_null() {
        return;
    }
    // SAFETY: the caller's; `DeleteLock` ignores null.
    unsafe {
        DeleteLock((*f).lock);
        memory::free((*f).p);
        memory::free(f.cast());
    }
    ks_inc(KS_FREEFIFO_COUNT);
}

impl Structure for Fifo {
    type C = FIFO;
    type Copy = fifo::Copy;

    unsafe fn of<'a>(c: *mut FIFO) -> Option<&'a mut Self> {
        // SAFETY: the caller's; the view is a FIFO.
        unsafe { c.cast::<Self>().as_mut() }
    }

    fn copy(&self) -> fifo::Copy {
        // SAFETY: whoever has the view has the FIFO to itself.
        unsafe { fifo::Copy::of(&self.0) }
    }

    fn pointer(copy: &mut fifo::Copy) -> *mut FIFO {
        copy.as_mut()
    }

    fn compare(&self, rust: &Self) -> Verdict {
        // SAFETY: both are whole.
        unsafe { fifo::compare(&self.0, &rust.0) }
    }

    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) {
        self.0.total_read_size ^= 1;
    }
}

impl Outcome for *mut FIFO {
    unsafe fn compare(control: *mut FIFO, candidate: *mut FIFO) -> Verdict {
        // SAFETY: the caller's; whoever called the function has not got the control's yet.
        unsafe {
            let verdict = match (Fifo::of(control), Fifo::of(candidate)) {
                (Some(control), Some(candidate)) => {
                    let has = |f: &FIFO| (!f.lock.is_null(), !f.ref_.is_null());
                    match has(&control.0) == has(&candidate.0) {
                        true => control.compare(candidate),
                        false => Err(Difference::new(Kind::State, Shape::Word("lock"), Shape::Word("another lock"))),
                    }
                }
                _ => compare_results(&control.is_null(), &candidate.is_null()),
            };
            release(candidate);
            verdict
        }
    }

    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) -> bool {
        // SAFETY: it was made just now, for us.
        unsafe { Fifo::of(*self) }.map(Structure::spoil).is_some()
    }
}

impl Outcome for *mut UCHAR {
    unsafe fn compare(control: *mut UCHAR, candidate: *mut UCHAR) -> Verdict {
        compare_results(&control, &candidate)
    }

    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) -> bool {
        *self = self.wrapping_add(1);
        true
    }
}

/// Calls the functions in random order on FIFOs of its own.
pub fn sequence(api: &Api, random: &mut Random, trace: &mut Trace) {
    /// What a FIFO is and holds.
    fn seen(f: *const FIFO) -> impl std::hash::Hash {
        // SAFETY: a FIFO of the sequence.
        unsafe {
            let bytes = if f.is_null() { Vec::new() } else { fifo::unread(f).to_vec() };
            f.as_ref()
                .map(|f| (f.pos, f.size, f.memsize, f.total_read_size, f.total_write_size, f.lock.is_null(), bytes))
        }
    }
    // SAFETY: the FIFOs are ours and freed once; bytes have the sizes that are said; null is allowed.
    unsafe {
        let mut f = (api.new_fifo)();
        trace.note("new_fifo", seen(f));
        while trace.is_open() {
            let at = if random.below(32) == 0 { ptr::null_mut() } else { f };
            let is_fast = random.below(2);
            let made = match random.step(64) {
                0 => Some(("new_fifo", (api.new_fifo)())),
                1 => Some(("new_fifo_fast", (api.new_fifo_fast)())),
                2 => Some(("new_fifo_ex", (api.new_fifo_ex)(is_fast))),
                3 => Some(("new_fifo_ex2", (api.new_fifo_ex2)(is_fast, random.below(2)))),
                4..30 => {
                    let size = random.below(300);
                    let mut bytes = random.bytes(size);
                    WriteFifo(f, bytes.as_mut_ptr().cast::<c_void>(), memory::index(bytes.len()));
                    None
                }
                30..40 => {
                    ReadFifo(f, ptr::null_mut(), random.below(1000));
                    None
                }
                40..48 => {
                    let offset = (api.fifo_ptr)(at).addr().wrapping_sub((*f).p.addr());
                    trace.note("fifo_ptr", (at.is_null(), if at.is_null() { 0 } else { offset }));
                    None
                }
                48..60 => {
                    trace.note("fifo_size", (api.fifo_size)(at));
                    None
                }
                60 => {
                    let all = (api.read_fifo_all)(at);
                    trace.note("read_fifo_all", (memory::view((*all).Buf, (*all).Size), (*all).Current, seen(f)));
                    softether_sys::FreeBuf(all);
                    None
                }
                61 => {
                    let counted = (api.new_fifo)();
                    softether_sys::AddRef((*counted).ref_);
                    (api.release_fifo)(counted);
                    trace.note("release_fifo", seen(counted));
                    (api.release_fifo)(counted);
                    None
                }
                _ => {
                    (api.cleanup_fifo)((api.new_fifo_fast)());
                    (api.cleanup_fifo)(ptr::null_mut());
                    trace.note("cleanup_fifo", ());
                    None
                }
            };
            if let Some((name, made)) = made {
                trace.note(name, seen(made));
                (api.release_fifo)(std::mem::replace(&mut f, made));
            }
        }
        (api.release_fifo)(f);
        (api.release_fifo)(ptr::null_mut());
    }
}
