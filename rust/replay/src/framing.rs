//! A record of framing: queues and bytes in, bytes and frames out.
//!
//! 1. Two connections are made, one for C and one for Rust, with as many sockets as the record has.
//! 2. Up: the blocks of one call are queued in both, the call is made, and what the peers can read is compared: C with
//!    Rust on each socket; C with the record in its order, whichever socket was the least delayed one when it was made.
//! 3. Down: the bytes of one call are written by the peers, the call is made, and the frames and their sizes on the wire
//!    are compared.
//!
//! Both sides draw keep-alives from the same `rand`; against the record they are left out, since its own were others.

use crate::connection::Connection;
use crate::{Difference, ReplayError, Report};
use softether_sys::{BLOCK, CANCEL, CONNECTION, InsertQueue, Malloc, TCPSOCK, UINT64};
use std::ptr;
use swaps::record::Event;
use swaps::{connection_receive, connection_send};

/// Bytes that a socket pair takes without blocking.
const WRITE_SIZE_MAX: usize = 60_000;

type Send = unsafe fn(*mut CONNECTION, UINT64);
type Receive = unsafe fn(*mut CONNECTION, *mut CANCEL, *mut CANCEL);

/// One side and its connection.
struct Side {
    connection: Connection,
    send: Send,
    receive: Receive,
}

/// Replays the events of a record.
///
/// # Errors
/// [`ReplayError::Empty`]
pub fn replay(events: &[Event<'_>]) -> Result<Report, ReplayError> {
    let Some((&Event::Session { use_compress, use_qos }, events)) = events.split_first() else {
        return Err(ReplayError::Empty);
    };
    let sockets = 1 + events.iter().filter_map(socket_of).max().map_or(0, usize::from);
    // SAFETY: as for the function itself.
    let c_send: Send = |c, now| unsafe { connection_send::c_ConnectionSend(c, now) };
    // SAFETY: as above.
    let c_receive: Receive = |c, c1, c2| unsafe { connection_receive::c_ConnectionReceive(c, c1, c2) };
    let mut sides = [(c_send, c_receive), (connection_send::rust as Send, connection_receive::rust as Receive)]
        .map(|(send, receive)| Side::new(sockets, use_compress, use_qos, send, receive));
    let mut report = Report::default();
    for call in events.split_inclusive(|event| matches!(event, Event::SendEnds | Event::ReceiveEnds)) {
        report.calls += 1;
        let is_up = matches!(call.last(), Some(Event::SendEnds));
        let difference =
            if is_up { send(&mut sides, call, &mut report) } else { receive(&mut sides, call, &mut report) };
        if difference.is_some() {
            report.difference = difference;
            break;
        }
    }
    Ok(report)
}

fn socket_of(event: &Event<'_>) -> Option<u8> {
    match event {
        Event::Written { socket, .. } | Event::Read { socket, .. } => Some(*socket),
        _ => None,
    }
}

/// One call of `ConnectionSend` on both sides.
fn send(sides: &mut [Side; 2], call: &[Event<'_>], report: &mut Report) -> Option<Difference> {
    let mut recorded = Vec::new();
    for event in call {
        match *event {
            Event::Queued { has_priority, is_compressed, size_of_data, body } => {
                report.up.0 += 1;
                report.up.1 += u64::from(size_of_data);
                for side in sides.iter_mut() {
                    side.queue(has_priority, is_compressed, size_of_data, body);
                }
            }
            Event::Written { bytes, .. } => recorded.extend_from_slice(bytes),
            _ => (),
        }
    }
    let (function, number) = ("ConnectionSend", report.calls);
    let [c, rust] = sides.each_mut().map(|side| side.send(number));
    let joined = |sent: &[Vec<u8>]| sent.concat();
    let batches: Vec<u8> = c.iter().flat_map(|bytes| without_keep_alives(bytes)).collect();
    difference(&joined(&c), &joined(&rust), "c and rust")
        .or_else(|| (c != rust).then_some(("c and rust", (0, 0), 0)))
        .or_else(|| difference(&batches, &recorded, "c and the record"))
        .map(|(between, sizes, offset)| Difference { call: number, function, between, sizes, offset })
}

/// One call of `ConnectionReceive` on both sides.
fn receive(sides: &mut [Side; 2], call: &[Event<'_>], report: &mut Report) -> Option<Difference> {
    let mut recorded = Vec::new();
    for event in call {
        if let Event::Delivered { size_of_data, frame } = event {
            report.down.0 += 1;
            report.down.1 += frame.len() as u64;
            put_frame(&mut recorded, frame, *size_of_data);
        }
    }
    let [c, rust] = sides.each_mut().map(|side| side.receive(call));
    difference(&c, &rust, "c and rust").or_else(|| difference(&c, &recorded, "c and the record")).map(
        |(between, sizes, offset)| Difference {
            call: report.calls,
            function: "ConnectionReceive",
            between,
            sizes,
            offset,
        },
    )
}

fn difference(one: &[u8], other: &[u8], between: &'static str) -> Option<(&'static str, (usize, usize), usize)> {
    if one == other {
        return None;
    }
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    Some((between, (one.len(), other.len()), differs.unwrap_or(one.len().min(other.len()))))
}

/// A frame in a form in which many can be compared at once.
fn put_frame(out: &mut Vec<u8>, frame: &[u8], size_of_data: u32) {
    out.extend_from_slice(&size_of_data.to_be_bytes());
    out.extend_from_slice(&frame.len().to_be_bytes());
    out.extend_from_slice(frame);
}

/// What a socket was sent without its keep-alives; batches are whole, since both sides send whole ones.
fn without_keep_alives(mut bytes: &[u8]) -> Vec<u8> {
    let mut batches = Vec::new();
    let word = |bytes: &[u8]| bytes.first_chunk().map(|word| u32::from_be_bytes(*word));
    while let Some(count) = word(bytes) {
        let is_keep_alive = count == u32::MAX;
        let mut end = 4;
        for _ in 0..if is_keep_alive { 1 } else { count } {
            let Some(size) = bytes.get(end..).and_then(word) else { break };
            end += 4 + size as usize;
        }
        let (part, rest) = bytes.split_at(end.min(bytes.len()));
        if !is_keep_alive {
            batches.extend_from_slice(part);
        }
        bytes = rest;
    }
    batches
}

impl Side {
    fn new(sockets: usize, use_compress: bool, use_qos: bool, send: Send, receive: Receive) -> Self {
        let connection = Connection::new(sockets);
        // SAFETY: the session is ours.
        unsafe {
            (*connection.s).UseCompress = use_compress.into();
            (*connection.s).QoS = use_qos.into();
        }
        Self { connection, send, receive }
    }

    /// Queues a block as it was, compressed or not.
    fn queue(&mut self, has_priority: bool, is_compressed: bool, size_of_data: u32, body: &[u8]) {
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let c = self.connection.c;
        // SAFETY: the block is new, owns its copy of the bytes, and is given to the queue.
        unsafe {
            let data = Malloc(size);
            data.cast::<u8>().copy_from_nonoverlapping(body.as_ptr(), body.len());
            let block: *mut BLOCK = softether_sys::NewBlock(data, size, 0);
            ((*block).Compressed, (*block).SizeofData) = (is_compressed.into(), size_of_data);
            (*c).CurrentSendQueueSize += size;
            InsertQueue(if has_priority { (*c).SendBlocks2 } else { (*c).SendBlocks }, block.cast());
        }
    }

    /// Calls `ConnectionSend` at the given time, and reads what came on each socket.
    fn send(&mut self, number: u64) -> Vec<Vec<u8>> {
        unsafe extern "C" {
            safe fn srand(seed: std::ffi::c_uint);
        }
        srand(1);
        let mut read = vec![Vec::new(); self.connection.sockets.len()];
        // SAFETY: the connection is ours. The second call sends what the kernel did not take at first.
        unsafe {
            (self.send)(self.connection.c, number);
            loop {
                let mut is_more = false;
                for (socket, read) in read.iter_mut().enumerate() {
                    let bytes = self.connection.read(socket);
                    is_more |= !bytes.is_empty();
                    read.extend(bytes);
                    let ts: *mut TCPSOCK = self.connection.sockets[socket];
                    (*ts).LateCount = 0;
                }
                if !is_more {
                    return read;
                }
                (self.send)(self.connection.c, number);
            }
        }
    }

    /// Lets the peers write what was read in a call, calls `ConnectionReceive`, and takes the frames out.
    fn receive(&mut self, call: &[Event<'_>]) -> Vec<u8> {
        let mut frames = Vec::new();
        let mut unread = 0;
        for event in call {
            if let Event::Read { socket, bytes } = event {
                for piece in bytes.chunks(WRITE_SIZE_MAX) {
                    if unread + piece.len() > WRITE_SIZE_MAX {
                        self.receive_now(&mut frames);
                        unread = 0;
                    }
                    self.connection.write(usize::from(*socket), piece);
                    unread += piece.len();
                }
            }
        }
        self.receive_now(&mut frames);
        frames
    }

    fn receive_now(&mut self, frames: &mut Vec<u8>) {
        // SAFETY: the connection is ours, and no cancel object is given.
        unsafe { (self.receive)(self.connection.c, ptr::null_mut(), ptr::null_mut()) };
        self.connection.drain(|frame, size_of_data| put_frame(frames, frame, size_of_data));
    }
}
