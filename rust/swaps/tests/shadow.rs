//! What the comparison of reads and writes of FIFOs finds, and when: candidates with one fault each, beside the C, on FIFOs of
//! many sizes. What is compared in which call is in `swaps::compared`.

use softether_sys::{
    FIFO, Free, InsertQueue, Malloc, NewFifoFast, NewQueueFast, QUEUE, ReAlloc, ReleaseFifo, ReleaseQueue,
    SetFifoCurrentReallocMemSize, UINT,
};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use swaps::compared::{self, EDGE, WHOLE_EVERY};
use switch::{Contract, Control, Info, MAX_SWAPS, Setting, Source, Swap, dispatch};

#[path = "differential/support.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "only Mayaqua is to be started")]
mod support;

/// The swap of these tests. One for all, so a test holds [`alone`].
static SWAP: Swap = Swap::new(Info {
    index: MAX_SWAPS - 1,
    name: "fifo",
    symbol: "Fifo",
    file: "tests/shadow.rs",
    group: "test",
    contract: Contract::Cloned,
});

/// Unread bytes: none, few, as many as are compared, one more, and as many as wait under load.
const WAITING: [usize; 7] = [0, 1, 100, EDGE as usize, EDGE as usize + 1, 6_000, 100_000];

/// No read and write is of more bytes here.
const FRAME: usize = 1514;

/// Starts the C, and keeps other tests away from the swap and from the size at which FIFOs shrink.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    support::start();
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A FIFO of the C's that has been in use: `waiting` bytes lie in it from some place on.
struct Used(*mut FIFO);

impl Used {
    fn holding(waiting: usize) -> Self {
        let read = 100;
        let mut bytes: Vec<u8> = (0..read + waiting).map(|at| (at % 251) as u8).collect();
        // SAFETY: a FIFO of ours, and bytes of the sizes that are said.
        unsafe {
            let fifo = NewFifoFast();
            // A block with room behind, so that a frame more does not move it.
            swaps::write_fifo::c_WriteFifo(fifo, ptr::null_mut(), (waiting + read + 2 * FRAME) as UINT);
            (*fifo).size = 0;
            swaps::write_fifo::c_WriteFifo(fifo, bytes.as_mut_ptr().cast(), bytes.len() as UINT);
            swaps::read_fifo::c_ReadFifo(fifo, ptr::null_mut(), read as UINT);
            Self(fifo)
        }
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        // SAFETY: ours, and used no more.
        unsafe { ReleaseFifo(self.0) };
    }
}

thread_local! {
    /// [`Control::turn`] of this thread's last comparison.
    static TURN: Cell<u64> = const { Cell::new(0) };
}

fn note_turn<R: Copy>(control: &Control<'_, R>) {
    TURN.set(control.turn());
}

/// Whether one call in shadow found a difference. The swap is in shadow again afterwards.
fn finds(call: impl FnOnce()) -> bool {
    SWAP.promote();
    SWAP.set(Setting::SHADOW, Source::Api).expect("to be set");
    let before = SWAP.counters();
    call();
    let after = SWAP.counters();
    assert_eq!(after.calls_shadow, before.calls_shadow + 1, "the call was not compared");
    assert_eq!(after.panics, before.panics);
    after.mismatches > before.mismatches
}

/// One `WriteFifo` of `size` bytes (null: of none) in shadow, beside a candidate.
fn write(fifo: &Used, data: Option<&mut [u8]>, size: usize, candidate: impl Fn(&mut FIFO, *mut c_void, UINT)) -> bool {
    let (f, size) = (fifo.0, size as UINT);
    let p = data.map_or(ptr::null_mut(), |data| data.as_mut_ptr().cast());
    finds(|| {
        dispatch::cloned(
            &SWAP,
            // SAFETY: a FIFO of ours, and the data has `size` bytes.
            || unsafe { swaps::write_fifo::c_WriteFifo(f, p, size) },
            || unreachable!("in shadow C serves"),
            |control| {
                note_turn(&control);
                // SAFETY: as above.
                unsafe { compared::write(f, p, size, control, |copy| candidate(copy, p, size)) }
            },
            || 0,
        );
    })
}

/// One `ReadFifo` of at most `size` bytes in shadow, beside a candidate.
fn read(fifo: &Used, size: usize, candidate: impl Fn(&mut FIFO, *mut c_void, UINT) -> UINT) -> bool {
    let mut target = vec![0_u8; size];
    let (f, p, size) = (fifo.0, target.as_mut_ptr().cast(), size as UINT);
    finds(|| {
        dispatch::cloned(
            &SWAP,
            // SAFETY: a FIFO of ours, and the target has room.
            || unsafe { swaps::read_fifo::c_ReadFifo(f, p, size) },
            || unreachable!("in shadow C serves"),
            |control| {
                note_turn(&control);
                // SAFETY: as above.
                unsafe { compared::read(f, p, size, control, |copy, target| candidate(copy, target, size)) }
            },
            || 0,
        );
    })
}

/// The right candidates.
fn right_write(f: &mut FIFO, p: *mut c_void, size: UINT) {
    // SAFETY: the comparison's FIFO, and the data of the call.
    unsafe { swaps::write_fifo::rust(f, p, size) };
}

fn right_read(f: &mut FIFO, p: *mut c_void, size: UINT) -> UINT {
    // SAFETY: the comparison's FIFO and target.
    unsafe { swaps::read_fifo::rust(f, p, size) }
}

/// The unread byte at this place, counted from the first or, if negative, from behind the last.
fn byte(f: &mut FIFO, at: isize) -> &mut u8 {
    let at = if at < 0 { f.size as isize + at } else { at };
    assert!((0..f.size as isize).contains(&at));
    // SAFETY: one of the unread bytes.
    unsafe { &mut *f.p.cast::<u8>().add(f.pos as usize + at as usize) }
}

/// Makes right calls until the next so many are none of those that compare everything anyway.
fn until_the_whole_is_not_due(calls: u64) {
    assert!(calls < WHOLE_EVERY);
    loop {
        assert!(!write(&Used::holding(0), Some(&mut [1]), 1, right_write));
        if WHOLE_EVERY - TURN.get() % WHOLE_EVERY > calls {
            return;
        }
    }
}

#[test]
fn a_wrong_write_is_found_by_the_call_that_makes_it() {
    let _alone = alone();
    type Fault = fn(&mut FIFO, *mut c_void, UINT);
    let faults: [(&str, Fault); 14] = [
        ("nothing done", |_, _, _| {}),
        ("one byte less", |f, p, size| right_write(f, p, size - 1)),
        ("twice", |f, p, size| {
            right_write(f, p, size);
            right_write(f, p, size);
        }),
        ("first byte", |f, p, size| {
            right_write(f, p, size);
            *byte(f, -(size as isize)) ^= 1;
        }),
        ("middle byte", |f, p, size| {
            right_write(f, p, size);
            *byte(f, -(size as isize + 1) / 2) ^= 1;
        }),
        ("last byte", |f, p, size| {
            right_write(f, p, size);
            *byte(f, -1) ^= 1;
        }),
        ("other order", |f, p, size| {
            right_write(f, p, size);
            // SAFETY: the bytes that were appended.
            unsafe { std::slice::from_raw_parts_mut(byte(f, -(size as isize)), size as usize) }.reverse();
        }),
        ("one place too far", |f, p, size| {
            right_write(f, p, size);
            let at = byte(f, -(size as isize)) as *mut u8;
            // SAFETY: the block has room for a frame more.
            unsafe { at.copy_to(at.add(1), size as usize) };
        }),
        ("the byte before", |f, p, size| {
            right_write(f, p, size);
            let at = (-(size as isize) - 1).max(-(f.size as isize));
            *byte(f, at) ^= 1;
        }),
        ("the last of the edge", |f, p, size| {
            right_write(f, p, size);
            let at = (-(size as isize) - EDGE as isize).max(-(f.size as isize));
            *byte(f, at) ^= 1;
        }),
        ("position", |f, p, size| {
            right_write(f, p, size);
            f.pos ^= 1;
        }),
        ("count", |f, p, size| {
            right_write(f, p, size);
            f.total_write_size += 1;
        }),
        ("reads counted", |f, p, size| {
            right_write(f, p, size);
            f.total_read_size += 1;
        }),
        ("block", |f, p, size| {
            right_write(f, p, size);
            // SAFETY: the FIFO's own block.
            f.p = unsafe { ReAlloc(f.p, f.memsize * 3) };
            f.memsize *= 3;
        }),
    ];
    let mut frame: Vec<u8> = (0..FRAME).map(|at| (at % 239) as u8).collect();
    for waiting in WAITING {
        for size in [1 + usize::from(waiting == 0), 2, FRAME] {
            let fifo = Used::holding(waiting);
            until_the_whole_is_not_due(2);
            assert!(!write(&fifo, Some(&mut frame), size, right_write), "a right one, {waiting} {size}");
            for (fault, candidate) in faults {
                // Of one byte there is no other order, and what is behind it is no unread byte.
                if size == 1 && ["other order", "one place too far"].contains(&fault) {
                    continue;
                }
                let fifo = Used::holding(waiting);
                until_the_whole_is_not_due(1);
                assert!(write(&fifo, Some(&mut frame), size, candidate), "{fault}: {waiting} bytes wait, {size} more");
            }
        }
    }
}

#[test]
fn a_wrong_read_is_found_by_the_call_that_makes_it() {
    let _alone = alone();
    type Fault = fn(&mut FIFO, *mut c_void, UINT) -> UINT;
    let faults: [(&str, Fault); 11] = [
        ("nothing done", |_, _, _| 0),
        ("another answer", |f, p, size| right_read(f, p, size) - 1),
        ("one byte less", |f, p, size| {
            let less = size.min(f.size) - 1;
            right_read(f, p, less) + 1
        }),
        ("not copied", |f, _, size| right_read(f, ptr::null_mut(), size)),
        ("last byte", |f, p, size| {
            let read = right_read(f, p, size);
            // SAFETY: the target has as many bytes as were read.
            unsafe { *p.cast::<u8>().add(read as usize - 1) ^= 1 };
            read
        }),
        ("other order", |f, p, size| {
            let read = right_read(f, p, size);
            // SAFETY: as above.
            let bytes = unsafe { std::slice::from_raw_parts_mut(p.cast::<u8>(), read as usize) };
            bytes.reverse();
            read
        }),
        ("the next byte", |f, p, size| {
            let read = right_read(f, p, size);
            spoil_if_any(f, 0);
            read
        }),
        ("the last of the edge", |f, p, size| {
            let read = right_read(f, p, size);
            let at = (EDGE as isize - 1).min(f.size as isize - 1);
            spoil_if_any(f, at);
            read
        }),
        ("position", |f, p, size| {
            let read = right_read(f, p, size);
            f.pos += 1;
            read
        }),
        ("count", |f, p, size| {
            let read = right_read(f, p, size);
            f.total_read_size -= 1;
            read
        }),
        ("shrunk", |f, p, size| {
            let read = right_read(f, p, size);
            f.memsize /= 2;
            read
        }),
    ];
    for waiting in WAITING.into_iter().filter(|waiting| *waiting > 1) {
        for size in [2, FRAME] {
            let fifo = Used::holding(waiting);
            until_the_whole_is_not_due(2);
            assert!(!read(&fifo, size, right_read), "a right one, {waiting} {size}");
            for (fault, candidate) in faults {
                let fifo = Used::holding(waiting);
                until_the_whole_is_not_due(1);
                assert!(read(&fifo, size, candidate), "{fault}: {waiting} bytes wait, at most {size} are read");
            }
        }
    }
}

/// Spoils an unread byte, or the position where there is none.
fn spoil_if_any(f: &mut FIFO, at: isize) {
    if f.size == 0 { f.pos += 1 } else { *byte(f, at) ^= 1 }
}

#[test]
fn damage_far_from_the_call_is_found_within_so_many_calls() {
    let _alone = alone();
    let mut frame = [7_u8; FRAME];
    type Write = fn(&mut FIFO, *mut c_void, UINT);
    let write_and_spoil: Write = |f, p, size| {
        right_write(f, p, size);
        *byte(f, f.size as isize / 2) ^= 1;
    };
    let read_and_spoil = |f: &mut FIFO, p: *mut c_void, size: UINT| {
        let read = right_read(f, p, size);
        *byte(f, f.size as isize / 2) ^= 1;
        read
    };
    let calls_until = |mut is_found: Box<dyn FnMut() -> bool + '_>| (1..=2 * WHOLE_EVERY).find(|_| is_found());

    // Wherever the count stands at the beginning.
    for calls in [1, WHOLE_EVERY / 2, WHOLE_EVERY - 1] {
        until_the_whole_is_not_due(calls);
        let writes = calls_until(Box::new(|| write(&Used::holding(50_000), Some(&mut frame), FRAME, write_and_spoil)));
        assert!(writes.is_some_and(|calls| calls <= WHOLE_EVERY), "{writes:?} writes");
        let reads = calls_until(Box::new(|| read(&Used::holding(50_000), FRAME, read_and_spoil)));
        assert!(reads.is_some_and(|calls| calls <= WHOLE_EVERY), "{reads:?} reads");
    }
    // In pairs of which one is right, such as a length and its frame: the whole is not always the same one's turn.
    for right in [0, 1] {
        let mut turn = 0;
        let pairs = calls_until(Box::new(|| {
            turn += 1;
            let fifo = Used::holding(50_000);
            let is_right = turn % 2 == right;
            write(&fifo, Some(&mut frame), FRAME, if is_right { right_write as Write } else { write_and_spoil })
        }));
        assert!(pairs.is_some(), "not within twice as many calls");
    }
    // A queue's items wait in a FIFO, too.
    // SAFETY: a queue of ours, whose items are numbers that nobody follows.
    unsafe {
        let queue = NewQueueFast();
        let item = |number| ptr::without_provenance_mut::<c_void>(number);
        (1..1_000).for_each(|number| InsertQueue(queue, item(number)));
        let spoil = |q: &mut QUEUE| *byte(&mut *q.fifo, 4_000) ^= 1;
        let inserts = calls_until(Box::new(|| {
            finds(|| {
                dispatch::cloned(
                    &SWAP,
                    || swaps::insert_queue::c_InsertQueue(queue, item(7)),
                    || unreachable!("in shadow C serves"),
                    |control| {
                        compared::insert(queue, control, |copy| {
                            swaps::insert_queue::rust(copy, item(7));
                            spoil(copy);
                        })
                    },
                    || 0,
                );
            })
        }));
        assert!(inserts.is_some_and(|calls| calls <= WHOLE_EVERY), "{inserts:?} insertions");
        let taken = calls_until(Box::new(|| {
            finds(|| {
                dispatch::cloned(
                    &SWAP,
                    || swaps::get_next::c_GetNext(queue),
                    || unreachable!("in shadow C serves"),
                    |control| {
                        compared::next(queue, control, |copy| {
                            let item = swaps::get_next::rust(copy);
                            spoil(copy);
                            item
                        })
                    },
                    || 0,
                );
            })
        }));
        assert!(taken.is_some_and(|calls| calls <= WHOLE_EVERY), "{taken:?} items");
        ReleaseQueue(queue);
    }
}

/// What a candidate may do wrong when it moves the unread bytes to another block. The first `kept` of them waited before.
type WrongMove = fn(&mut FIFO, kept: usize);
const WRONG_MOVES: [(&str, WrongMove); 5] = [
    ("one place too far", |f, kept| {
        let first = byte(f, 0) as *mut u8;
        // SAFETY: the bytes that waited, all but the last.
        unsafe { first.copy_to(first.add(1), kept - 1) };
    }),
    ("only the first half", |f, kept| {
        // SAFETY: bytes that waited.
        unsafe { (byte(f, kept as isize / 2) as *mut u8).write_bytes(0xee, kept / 2) };
    }),
    ("all but the last", |f, kept| *byte(f, kept as isize - 1) ^= 1),
    ("all but the first", |f, _| *byte(f, 0) ^= 1),
    ("all but a page", |f, kept| {
        // SAFETY: bytes that waited.
        unsafe { (byte(f, kept as isize / 2) as *mut u8).write_bytes(0xee, 4096) };
    }),
];

#[test]
fn a_wrong_move_of_the_bytes_is_found_by_the_call_that_makes_it() {
    let _alone = alone();
    let mut bytes = vec![3_u8; 400_000];
    for (fault, spoil) in WRONG_MOVES {
        // Growing: more than the block has room for.
        let waiting = 50_000;
        let fifo = Used::holding(waiting);
        until_the_whole_is_not_due(1);
        let found = write(&fifo, Some(&mut bytes), 400_000, |f, p, size| {
            right_write(f, p, size);
            spoil(f, waiting);
        });
        assert!(found, "growing: {fault}");
        // Shrinking: mostly read.
        let fifo = Used::holding(1_000_000);
        // SAFETY: ours; null discards.
        unsafe { swaps::read_fifo::c_ReadFifo(fifo.0, ptr::null_mut(), 3_900) };
        until_the_whole_is_not_due(1);
        // SAFETY: ours.
        let before = unsafe { (*fifo.0).memsize };
        let found = read(&fifo, FRAME, |f, p, size| {
            let read = right_read(f, p, size);
            spoil(f, f.size as usize);
            read
        });
        // SAFETY: ours.
        assert!(unsafe { (*fifo.0).memsize } < before, "the FIFO did not shrink");
        assert!(found, "shrinking: {fault}");
    }
}

#[test]
fn a_call_that_moves_the_bytes_is_compared_whole() {
    let _alone = alone();
    // Growing: more than the block has room for.
    let mut bytes = vec![3_u8; 400_000];
    let fifo = Used::holding(50_000);
    until_the_whole_is_not_due(1);
    let found = write(&fifo, Some(&mut bytes), 400_000, |f, p, size| {
        right_write(f, p, size);
        *byte(f, 20_000) ^= 1;
    });
    assert!(found, "a byte that growing damaged");
    // Shrinking: mostly read.
    let fifo = Used::holding(1_000_000);
    // SAFETY: ours; null discards.
    unsafe { swaps::read_fifo::c_ReadFifo(fifo.0, ptr::null_mut(), 3_900) };
    until_the_whole_is_not_due(1);
    // SAFETY: ours.
    let before = unsafe { (*fifo.0).memsize };
    let found = read(&fifo, FRAME, |f, p, size| {
        let read = right_read(f, p, size);
        *byte(f, f.size as isize / 2) ^= 1;
        read
    });
    // SAFETY: ours.
    assert!(unsafe { (*fifo.0).memsize } < before, "the FIFO did not shrink");
    assert!(found, "a byte that shrinking damaged");
}

#[test]
fn a_right_candidate_is_never_accused() {
    use rand::Rng;
    let _alone = alone();
    let mut random = support::random();
    let mut bytes = vec![0_u8; 60_000];
    // Also where C shrinks at a size that the plan does not know of. 0 is the usual size again.
    for realloc_size in [5_000, 0] {
        // SAFETY: a number.
        unsafe { SetFifoCurrentReallocMemSize(realloc_size) };
        let fifo = Used::holding(0);
        for step in 0..20_000 {
            let size =
                if random.random_bool(0.05) { random.random_range(0..60_000) } else { random.random_range(0..1600) };
            random.fill(&mut bytes[..size.min(64)]);
            // SAFETY: ours.
            let waiting = unsafe { (*fifo.0).size } as usize;
            let found = if random.random_bool(if waiting < 300_000 { 0.55 } else { 0.3 }) {
                let data = (size == 0 || random.random_bool(0.9)).then_some(&mut bytes[..]);
                write(&fifo, data, size, right_write)
            } else {
                read(&fifo, size, right_read)
            };
            assert!(!found, "step {step}: {:?}", SWAP.records().last());
        }
    }
    // It may also do with its block what it likes, if what is in it is the same.
    let fifo = Used::holding(20_000);
    let another_block = |f: &mut FIFO, p: *mut c_void, size: UINT| {
        // SAFETY: the block is the FIFO's, and the new one has its size. What is no unread byte is copied, too: it is memory
        // that the C gave.
        unsafe {
            let block = Malloc(f.memsize);
            block.cast::<u8>().copy_from_nonoverlapping(f.p.cast(), f.memsize as usize);
            Free(f.p);
            f.p = block;
        }
        right_write(f, p, size);
    };
    assert!(!write(&fifo, Some(&mut bytes), FRAME, another_block));
}
