//! The body of the tests of `WriteSendFifo` and `WriteRecvFifo`, which differ in the FIFO only.

use super::connection::Connection;
use super::{Trace, bytes, random, summary};
use rand::Rng;
use softether_sys::{FIFO, ReadFifo, SESSION, TCPSOCK, UINT};
use std::ffi::c_void;
use std::{ptr, slice};

type Function = unsafe fn(*mut SESSION, *mut TCPSOCK, *mut c_void, UINT);
type Which = fn(&TCPSOCK) -> *mut FIFO;

/// Nulls, sizes at which the block grows, and random ones, with reads between them.
pub fn body(function: Function, which: Which) -> Trace {
    let mut trace = Trace::new();
    let mut random = random();
    let connection = Connection::new(1);
    let (s, ts) = (connection.s, connection.sockets[0]);
    let mut model = Vec::new();
    // SAFETY: nulls are ignored; session, socket and FIFO are ours, the source has the bytes it says.
    unsafe {
        let fifo = which(&*ts);
        let mut source = [1_u8; 4];
        function(ptr::null_mut(), ts, source.as_mut_ptr().cast(), 4);
        function(s, ptr::null_mut(), source.as_mut_ptr().cast(), 4);
        function(s, ts, ptr::null_mut(), 4);
        assert_eq!((*fifo).size, 0, "a null is ignored");
        let random_sizes: Vec<usize> = (0..300).map(|_| random.random_range(0..3000)).collect();
        for size in [0, 1, 4095, 1, 12_288, 100_000].into_iter().chain(random_sizes) {
            let mut source = bytes(&mut random, size);
            function(s, ts, source.as_mut_ptr().cast(), size as UINT);
            model.extend_from_slice(&source);
            let taken = random.random_range(0..=model.len() / 2);
            model.drain(..ReadFifo(fifo, ptr::null_mut(), taken as UINT) as usize);
            let f = &*fifo;
            assert_eq!(slice::from_raw_parts(f.p.cast::<u8>().add(f.pos as usize), f.size as usize), model);
            trace.push(format!("{} {} {} {} {}", f.pos, f.size, f.memsize, f.total_write_size, summary(&model)));
        }
    }
    trace
}

/// Appends a full frame, and takes it out again by resetting the FIFO's numbers.
pub fn work(function: Function, which: Which) -> impl FnMut() {
    let connection = Connection::new(1);
    let mut frame = vec![0_u8; 1514];
    move || {
        let ts = connection.sockets[0];
        // SAFETY: the frame's own bytes; nobody else uses the FIFO.
        unsafe {
            function(connection.s, ts, frame.as_mut_ptr().cast(), 1514);
            (*which(&*ts)).size = 0;
        }
    }
}
