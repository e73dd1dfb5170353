//! What one queue's blocks become: datagrams, packets of a tube, or one batch in a socket's transmit FIFO.

use super::Turn;
use crate::memory::connection::vpn_gp;
use crate::memory::{self, block, drops, fifo, queue};
use crate::record;
use cedar::framing::wire::{
    CONNECTION_BULK_COMPRESS_SIGNATURE, MAX_SEND_SOCKET_QUEUE_SIZE, MIN_SEND_SOCKET_QUEUE_SIZE, WORD_SIZE,
};
use cedar::framing::{Batch, DropReason, PushError, Statistics};
use softether_sys::{
    BLOCK, GP_MAX_SEND_SOCKET_QUEUE_SIZE, GP_MIN_SEND_SOCKET_QUEUE_SIZE, QUEUE, TCP_PAIR_HEADER, TCPSOCK, TUBE,
    TubeFlush, TubeSendEx, UdpAccelIsSendReady, UdpAccelSendBlock,
};

impl Turn {
    /// Sends all blocks of a queue, by the fastest way that the session has now. They are thrown away if the socket
    /// that they would go to holds too much already.
    ///
    /// # Safety
    /// As [`Turn::run`]; the queue holds blocks and is this thread's, both sockets can send.
    pub unsafe fn send_queue(&self, queue: *mut QUEUE, ts: *mut TCPSOCK, normal: *mut TCPSOCK) {
        // SAFETY: the caller's.
        unsafe {
            let s = self.s;
            if (*queue).num_item == 0 {
                return;
            }
            let bulk = (*(*normal).Sock).BulkSendTube;
            if (*(*ts).SendFifo).size >= quota((*s).MaxConnection) {
                drops::count(DropReason::SendQueueFull, u64::from((*queue).num_item));
                self.drain(queue, |_| ());
            } else if self.has_udp_acceleration() && UdpAccelIsSendReady((*s).UdpAccel, 1) != 0 {
                self.send_by_udp_acceleration(queue);
            } else if (*s).IsRUDPSession != 0 && (*s).EnableBulkOnRUDP != 0 && !bulk.is_null() {
                self.send_by_bulk(queue, bulk);
            } else {
                self.send_by_tcp(queue, ts);
            }
        }
    }

    /// Takes every block out of the queue, shows it, and frees it.
    ///
    /// # Safety
    /// As [`Turn::send_queue`].
    unsafe fn drain(&self, queue: *mut QUEUE, mut see: impl FnMut(*mut BLOCK)) {
        // SAFETY: the caller's.
        unsafe {
            loop {
                let next: *mut BLOCK = queue::pop(queue);
                if next.is_null() {
                    return;
                }
                see(next);
                let queued = (*self.c).CurrentSendQueueSize;
                (*self.c).CurrentSendQueueSize = queued.wrapping_sub((*next).Size);
                block::free(next);
            }
        }
    }

    /// One datagram per block.
    ///
    /// # Safety
    /// As [`Turn::send_queue`], in a session with UDP acceleration.
    unsafe fn send_by_udp_acceleration(&self, queue: *mut QUEUE) {
        // SAFETY: the caller's. TotalSendSize gets the compressed size here, as by the C.
        unsafe {
            self.drain(queue, |block| {
                UdpAccelSendBlock((*self.s).UdpAccel, block);
                self.count((*block).Size, (*block).Size);
            });
        }
    }

    /// One packet of R-UDP's bulk tube per block; a signature in front tells a compressed one.
    ///
    /// # Safety
    /// As [`Turn::send_queue`]; `tube` is the bulk tube of a socket of the session.
    unsafe fn send_by_bulk(&self, queue: *mut QUEUE, tube: *mut TUBE) {
        // SAFETY: the caller's; the tube copies what it is given.
        unsafe {
            let mut header = TCP_PAIR_HEADER { EnableHMac: (*self.s).EnableHMacOnBulkOfRUDP };
            let mut send = |bytes: *mut u8, size| {
                TubeSendEx(tube, bytes.cast(), size, (&raw mut header).cast(), 1);
            };
            self.drain(queue, |block| {
                let b = &*block;
                if b.Compressed == 0 {
                    send(b.Buf, b.Size);
                    self.count(b.Size, b.Size);
                } else {
                    let body = memory::view(b.Buf.cast(), b.Size);
                    let mut packet = [&CONNECTION_BULK_COMPRESS_SIGNATURE.to_be_bytes()[..], body].concat();
                    send(packet.as_mut_ptr(), memory::index(packet.len()));
                    self.count(b.SizeofData, b.Size);
                }
            });
            TubeFlush(tube);
        }
    }

    /// One batch with all blocks, built behind what the socket's FIFO holds. A block is freed right behind its copy, as the
    /// C does, while the heap's words at both of its ends are in the nearest cache.
    ///
    /// # Safety
    /// As [`Turn::send_queue`].
    unsafe fn send_by_tcp(&self, queue: *mut QUEUE, ts: *mut TCPSOCK) {
        // SAFETY: the caller's; nothing else touches the FIFO until the batch is in it.
        unsafe {
            record::with(self.c, |recorder| recorder.queued(queue, queue == (*self.c).SendBlocks2));
            let sizes = queue::items(queue).map(|b: *mut BLOCK| WORD_SIZE + (*b).Size as usize);
            let room = fifo::room(&mut *(*ts).SendFifo, memory::index(WORD_SIZE + sizes.sum::<usize>()));
            let mut statistics = Statistics::default();
            let mut batch = Batch::new(room, &mut statistics);
            self.drain(queue, |block| {
                let b = &*block;
                match batch.push_block(memory::view(b.Buf.cast(), b.Size), b.SizeofData as usize) {
                    Ok(()) => (),
                    Err(PushError::Oversize | PushError::Full) => drops::count(DropReason::Oversize, 1),
                }
            });
            let size = batch.finish();
            record::with(self.c, |recorder| recorder.written(self.c, ts, &room[..size]));
            fifo::commit(&mut *(*ts).SendFifo, memory::index(size));
            (*self.s).TotalSendSize += statistics.total_size();
            (*self.s).TotalSendSizeReal += statistics.total_size_real();
            // With UDP acceleration keep-alives go on: they carry the port.
            let is_udp_near = self.has_udp_acceleration() && UdpAccelIsSendReady((*self.s).UdpAccel, 0) != 0;
            if size != 0 && !is_udp_near {
                self.postpone_keep_alive(ts);
            }
        }
    }

    /// # Safety
    /// As [`Turn::run`].
    unsafe fn has_udp_acceleration(&self) -> bool {
        // SAFETY: the caller's.
        unsafe { (*self.s).UseUdpAcceleration != 0 && !(*self.s).UdpAccel.is_null() }
    }

    /// # Safety
    /// As [`Turn::run`].
    unsafe fn count(&self, size: u32, size_real: u32) {
        // SAFETY: the caller's.
        unsafe {
            (*self.s).TotalSendSize += u64::from(size);
            (*self.s).TotalSendSizeReal += u64::from(size_real);
        }
    }
}

/// Bytes in a socket's FIFO from which on nothing more is queued (C: `size_quota`). 0 connections count as 1.
fn quota(max_connection: u32) -> u32 {
    let all = vpn_gp(GP_MAX_SEND_SOCKET_QUEUE_SIZE, MAX_SEND_SOCKET_QUEUE_SIZE);
    let each = vpn_gp(GP_MIN_SEND_SOCKET_QUEUE_SIZE, MIN_SEND_SOCKET_QUEUE_SIZE);
    (all / max_connection.max(1)).max(each)
}
