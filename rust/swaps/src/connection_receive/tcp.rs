//! A TCP socket's bytes, from the kernel to frames.
//!
//! 1. The socket is read into the connection's buffer, as often as the kernel has something and the limits allow.
//! 2. A part that the last read had cut stands in the receive FIFO: its missing bytes are put behind it, no more, and
//!    it is decoded there.
//! 3. All other parts are decoded in the buffer. What is cut at its end goes to the FIFO.
//! 4. `Mode` and its companions say afterwards what the FIFO waits for, as the C says it.

use super::Turn;
use crate::memory::connection::{self, vpn_gp};
use crate::memory::{self, block, drops, fifo};
use crate::record;
use cedar::framing::wire::{MAX_BUFFERING_PACKET_SIZE, WORD_SIZE};
use cedar::framing::{Decompressor, Event, KeepAlive, Position, ProtocolError, SliceDecoder};
use softether_sys::{
    CedarAddFifoBudget, CedarGetFifoBudgetBalance, Disconnect, GP_MAX_BUFFERING_PACKET_SIZE, RECV_BUF_SIZE, ReadFifo,
    SOCK_LATER, TCPSOCK, TcpSockRecv, Tick64, WriteRecvFifo,
};
use std::cell::RefCell;
use std::ptr;

unsafe extern "C" {
    /// Empties this thread's queue of OpenSSL's errors. The C asks why nothing was read without having emptied it, and
    /// takes what another connection left there for the end of this one (docs/FAULTS.md).
    safe fn ERR_clear_error();
}

thread_local! {
    static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
}

impl Turn {
    /// Receives all that has come on one socket. A socket that has lost its connection, or was silent for the
    /// session's timeout, is removed.
    ///
    /// # Safety
    /// As [`Turn::deliver`]; `ts` is a socket of the connection, and used no more.
    pub unsafe fn receive_by_tcp(&mut self, ts: *mut TCPSOCK) {
        // SAFETY: the caller's.
        unsafe {
            if (*ts).WantSize == 0 {
                (*ts).WantSize = WORD_SIZE as u32;
            }
            self.now = Tick64();
            // What comes in this call does not count yet: it was decoded after the question, in the C.
            let mut last_comm_time = (*ts).LastCommTime;
            let mut held = (*(*ts).RecvFifo).size;
            let mut delivered = 0;
            loop {
                let balance = CedarGetFifoBudgetBalance((*self.c).Cedar);
                let size = if held < balance {
                    let room = (balance - held).min(RECV_BUF_SIZE);
                    ERR_clear_error();
                    TcpSockRecv(self.s, ts, (*self.c).RecvBuf.cast(), room)
                } else {
                    self.heard(ts);
                    last_comm_time = last_comm_time.max(self.now);
                    SOCK_LATER
                };
                match size {
                    0 => return self.give_up(ts),
                    SOCK_LATER => {
                        let is_silent = self.now.saturating_sub(last_comm_time) >= u64::from((*self.s).Timeout);
                        let is_dead = self.now > last_comm_time && is_silent;
                        if is_dead && connection::receives(&*ts, (*self.s).ServerMode != 0) {
                            return self.give_up(ts);
                        }
                        break;
                    }
                    received => {
                        let balance = CedarGetFifoBudgetBalance((*self.c).Cedar);
                        let limit = vpn_gp(GP_MAX_BUFFERING_PACKET_SIZE, MAX_BUFFERING_PACKET_SIZE).min(balance);
                        CedarAddFifoBudget((*self.c).Cedar, received.cast_signed());
                        self.fifo_bytes_reported += received;
                        held += received;
                        (*self.s).LastCommTime = (*self.s).LastCommTime.max(self.now);
                        (*ts).LastRecvTime = (*ts).LastRecvTime.max(self.now);
                        let bytes = memory::view((*self.c).RecvBuf.cast(), received);
                        record::with(self.c, |recorder| recorder.read(self.c, ts, bytes));
                        if self.take(ts, bytes, &mut delivered).is_err() || held >= limit {
                            break;
                        }
                    }
                }
            }
            self.fifo_bytes += held;
        }
    }

    /// Decodes what has come on a socket. After an error the socket is disconnected and nothing behind the error is
    /// looked at; the next call removes it.
    ///
    /// # Safety
    /// As [`Turn::receive_by_tcp`]; `bytes` are not the FIFO's.
    unsafe fn take(&self, ts: *mut TCPSOCK, bytes: &[u8], delivered: &mut u32) -> Result<(), ProtocolError> {
        // SAFETY: the caller's; the FIFO changes only while nothing of it is looked at.
        unsafe {
            let mut decoder = SliceDecoder::resume(position(&*ts), (*self.s).UseCompress != 0);
            let mut input = bytes;
            let result = self.complete(ts, &mut decoder, &mut input, delivered);
            let result = result.and_then(|()| self.decode(ts, &mut decoder, &mut input, delivered));
            let overhead = decoder.statistics().overhead_bytes;
            (*self.s).TotalRecvSize += overhead;
            (*self.s).TotalRecvSizeReal += overhead;
            set_position(&mut *ts, decoder.position());
            if is_in_keep_alive(&*ts) {
                self.heard(ts);
            }
            match result {
                Ok(()) => WriteRecvFifo(self.s, ts, input.as_ptr().cast_mut().cast(), memory::index(input.len())),
                Err(error) => {
                    tracing::warn!(%error, "the peer broke the protocol; its connection ends");
                    Disconnect((*ts).Sock);
                    ReadFifo((*ts).RecvFifo, ptr::null_mut(), u32::MAX);
                }
            }
            result
        }
    }

    /// Completes the part that stands in the FIFO from `input`, and decodes it. Afterwards the FIFO or `input` is empty.
    ///
    /// # Safety
    /// As [`Turn::take`].
    unsafe fn complete(
        &self,
        ts: *mut TCPSOCK,
        decoder: &mut SliceDecoder,
        input: &mut &[u8],
        delivered: &mut u32,
    ) -> Result<(), ProtocolError> {
        // SAFETY: the caller's; what is decoded stays in its place until it is discarded.
        unsafe {
            let cut = (*ts).RecvFifo;
            while (*cut).size != 0 && !input.is_empty() {
                let missing = decoder.position().want_size.saturating_sub((*cut).size) as usize;
                let (head, rest) = input.split_at(missing.min(input.len()));
                WriteRecvFifo(self.s, ts, head.as_ptr().cast_mut().cast(), memory::index(head.len()));
                *input = rest;
                let mut part = fifo::unread(cut);
                let size = part.len();
                self.decode(ts, decoder, &mut part, delivered)?;
                ReadFifo(cut, ptr::null_mut(), memory::index(size - part.len()));
            }
            Ok(())
        }
    }

    /// Decodes `input` and delivers its frames; `input` is moved behind what was taken.
    ///
    /// # Safety
    /// As [`Turn::take`].
    unsafe fn decode(
        &self,
        ts: *mut TCPSOCK,
        decoder: &mut SliceDecoder,
        input: &mut &[u8],
        delivered: &mut u32,
    ) -> Result<(), ProtocolError> {
        // SAFETY: the caller's.
        unsafe {
            while let Some(event) = decoder.decode(input)? {
                match event {
                    Event::Frame(body) if (*self.s).UseCompress != 0 => self.deliver_expanded(body, delivered),
                    Event::Frame(frame) => self.deliver(block::holding(frame, memory::index(frame.len())), delivered),
                    Event::KeepAlive(keep_alive) => self.note_port(keep_alive),
                    Event::Dropped { reason, .. } => drops::count(reason, 1),
                }
                self.heard(ts);
            }
            Ok(())
        }
    }

    /// Delivers the frame that a zlib stream expands to, or counts why there is none.
    ///
    /// # Safety
    /// As [`Turn::deliver`].
    pub(super) unsafe fn deliver_expanded(&self, stream: &[u8], delivered: &mut u32) {
        DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor.expand(stream) {
            // SAFETY: the caller's.
            Ok(frame) => unsafe { self.deliver(block::holding(frame, memory::index(stream.len())), delivered) },
            Err(reason) => drops::count(reason, 1),
        });
    }

    /// The peer's UDP port, as NAT-T servers see it, if the keep-alive says one.
    ///
    /// # Safety
    /// As [`Turn::deliver`].
    unsafe fn note_port(&self, keep_alive: KeepAlive<'_>) {
        // SAFETY: the caller's.
        unsafe {
            let udp = (*self.s).UdpAccel;
            if let Some(port) = keep_alive.nat_t_port()
                && (*self.s).UseUdpAcceleration != 0
                && !udp.is_null()
                && (*udp).YourPortByNatTServer != u32::from(port.get())
            {
                (*udp).YourPortByNatTServer = port.get().into();
                (*udp).YourPortByNatTServerChanged = 1;
            }
        }
    }

    /// Notes that the peer is alive.
    ///
    /// # Safety
    /// As [`Turn::receive_by_tcp`].
    unsafe fn heard(&self, ts: *mut TCPSOCK) {
        // SAFETY: the caller's.
        unsafe {
            (*self.s).LastCommTime = (*self.s).LastCommTime.max(self.now);
            (*ts).LastCommTime = (*ts).LastCommTime.max(self.now);
        }
    }

    /// Removes a socket that has lost its connection.
    ///
    /// # Safety
    /// As [`Turn::receive_by_tcp`].
    unsafe fn give_up(&self, ts: *mut TCPSOCK) {
        // SAFETY: the caller's.
        unsafe {
            (*self.s).LastTryAddConnectTime = Tick64();
            (*self.s).NumDisconnected += 1;
            connection::remove_socket(self.c, ts);
        }
    }
}

/// What the socket's FIFO waits for.
fn position(ts: &TCPSOCK) -> Position {
    let blocks = ts.NextBlockNum.saturating_sub(ts.CurrentPacketNum);
    Position { mode: ts.Mode, want_size: ts.WantSize, blocks }
}

/// Whether the size of a keep-alive has come, which is a sign of life, too.
fn is_in_keep_alive(ts: &TCPSOCK) -> bool {
    ts.Mode == 4
}

fn set_position(ts: &mut TCPSOCK, position: Position) {
    ts.Mode = position.mode;
    ts.WantSize = position.want_size;
    ts.NextBlockSize = position.want_size;
    ts.NextBlockNum = position.blocks;
    ts.CurrentPacketNum = 0;
}
