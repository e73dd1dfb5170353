//! `InsertReceivedBlockToQueue` on both sides.

use crate::support::Trace;
use crate::support::connection::Connection;
use softether_sys::{BLOCK, CONNECTION, CONNECTION_UDP, Malloc, NewBlock, UINT};
use std::ptr;

both_sides! { insert_received_block_to_queue:
    fn InsertReceivedBlockToQueue c_InsertReceivedBlockToQueue(c: *mut CONNECTION, block: *mut BLOCK, no_lock: UINT) }

fn block(size: UINT) -> *mut BLOCK {
    // SAFETY: the memory is given to the block.
    unsafe {
        let data = Malloc(size);
        data.cast::<u8>().write_bytes(0x5a, size as usize);
        NewBlock(data, size, 0)
    }
}

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    let mut connection = Connection::new(0);
    // SAFETY: nulls are ignored, and every block is given away once.
    unsafe {
        function(ptr::null_mut(), ptr::null_mut(), 1);
        function(connection.c, ptr::null_mut(), 1);
        for no_lock in [0, 1] {
            // The last of them find the queue full, and count as received nevertheless.
            for place in 0..1030 {
                let received = block(place + 1);
                (*received).SizeofData = 3;
                function(connection.c, received, no_lock);
            }
            trace.push(format!("{} {}", (*connection.s).TotalRecvSize, (*connection.s).TotalRecvSizeReal));
            let mut sizes = Vec::new();
            connection.drain(|frame, _| sizes.push(frame.len()));
            assert_eq!(sizes, (1..=1024).collect::<Vec<_>>());
            // Other transports count by themselves.
            (*connection.c).Protocol = CONNECTION_UDP;
            function(connection.c, block(7), no_lock);
            connection.drain(|frame, _| assert_eq!(frame.len(), 7));
            trace.push(format!("{} {}", (*connection.s).TotalRecvSize, (*connection.s).TotalRecvSizeReal));
            (*connection.c).Protocol = softether_sys::CONNECTION_TCP;
        }
    }
    trace
}

/// Makes a full block, inserts it and takes it out: the function cannot be called without.
pub fn work(function: Function) -> impl FnMut() {
    let mut connection = Connection::new(0);
    move || {
        // SAFETY: the block is given away; nobody else uses the queue.
        unsafe { function(connection.c, block(1514), 1) };
        connection.drain(|_, _| ());
    }
}
