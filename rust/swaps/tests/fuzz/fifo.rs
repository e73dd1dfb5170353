//! FIFO and QUEUE: the same calls on two of each, one for C and one for Rust. After each call the bytes, the items and
//! every counter must be the same.

use super::Choices;
use super::support::start;
use softether_sys::{FIFO, NewFifo, NewQueue, QUEUE, ReleaseFifo, ReleaseQueue};
use std::{ptr, slice};
use swaps::{get_fifo_pointer, get_next, insert_queue, read_fifo, write_fifo};

/// Bytes of one write, so that a FIFO grows over several steps of its block.
const WRITE_SIZE_MAX: usize = 100_000;
const CALLS_MAX: usize = 256;

/// One input on both sides.
pub fn run(input: &[u8]) {
    start();
    let mut choices = Choices::new(input);
    let mut source = vec![0_u8; WRITE_SIZE_MAX];
    // SAFETY: new ones, released below.
    let (fifos, queues) = unsafe { ([NewFifo(), NewFifo()], [NewQueue(), NewQueue()]) };
    for _ in 0..CALLS_MAX {
        if choices.is_empty() {
            break;
        }
        // SAFETY: FIFOs and queues are ours, and the source and the targets have the bytes that are asked for.
        unsafe {
            match choices.byte() % 6 {
                0 | 1 => {
                    let size =
                        if choices.byte() < 240 { choices.size(3200) } else { choices.u32() as usize % WRITE_SIZE_MAX };
                    let fill = choices.byte();
                    source[..size].iter_mut().zip(0_u8..=250).for_each(|(byte, at)| *byte = at ^ fill);
                    write_fifo::c_WriteFifo(fifos[0], source.as_mut_ptr().cast(), size as u32);
                    write_fifo::rust(fifos[1], source.as_mut_ptr().cast(), size as u32);
                }
                2 => same_read(fifos, choices.below(WRITE_SIZE_MAX), choices.byte().is_multiple_of(2)),
                3 => {
                    let offset = |fifo: *mut FIFO, at: *mut u8| at.addr() - (*fifo).p.addr();
                    let c = offset(fifos[0], get_fifo_pointer::c_GetFifoPointer(fifos[0]));
                    assert_eq!(c, offset(fifos[1], get_fifo_pointer::rust(fifos[1])));
                }
                4 => {
                    let item = ptr::without_provenance_mut(usize::from(choices.byte()));
                    insert_queue::c_InsertQueue(queues[0], item);
                    insert_queue::rust(queues[1], item);
                }
                _ => assert_eq!(get_next::c_GetNext(queues[0]).addr(), get_next::rust(queues[1]).addr()),
            }
            assert_eq!(state(fifos[0]), state(fifos[1]));
            let queue = |queue: *mut QUEUE| ((*queue).num_item, state((*queue).fifo));
            assert_eq!(queue(queues[0]), queue(queues[1]));
        }
    }
    // SAFETY: the last use of each.
    unsafe {
        fifos.into_iter().for_each(|fifo| ReleaseFifo(fifo));
        queues.into_iter().for_each(|queue| ReleaseQueue(queue));
    }
}

/// Reads the same size from both, into memory or into nothing.
///
/// # Safety
/// The FIFOs are whole and nobody else uses them.
unsafe fn same_read(fifos: [*mut FIFO; 2], size: usize, keep: bool) {
    let mut targets = [vec![0_u8; size], vec![0_u8; size]];
    let [c, rust] = &mut targets;
    let target = |bytes: &mut Vec<u8>| if keep { bytes.as_mut_ptr().cast() } else { ptr::null_mut() };
    // SAFETY: the caller's; both targets have `size` bytes.
    let read = unsafe {
        [read_fifo::c_ReadFifo(fifos[0], target(c), size as u32), read_fifo::rust(fifos[1], target(rust), size as u32)]
    };
    assert_eq!((read[0], &targets[0]), (read[1], &targets[1]));
}

/// All counters of a FIFO and its unread bytes.
///
/// # Safety
/// The FIFO is whole.
unsafe fn state<'a>(fifo: *const FIFO) -> (u32, u32, u32, u64, u64, &'a [u8]) {
    // SAFETY: the caller's.
    unsafe {
        let f = &*fifo;
        let unread = slice::from_raw_parts(f.p.cast::<u8>().add(f.pos as usize), f.size as usize);
        (f.pos, f.size, f.memsize, f.total_read_size, f.total_write_size, unread)
    }
}
