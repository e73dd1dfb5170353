//! A connection with its session and sockets, as the C makes them, on socket pairs whose other ends the test holds.

use softether_sys::*;
use std::ffi::c_void;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::AtomicPtr;
use std::{ptr, slice};

/// A client's connection. Its session has no thread: the test calls what the thread would.
pub struct Connection {
    /// What the swapped functions get.
    pub c: *mut CONNECTION,
    /// Its session, half of whose members are zero.
    pub s: *mut SESSION,
    /// The sockets in the order of the C's list; those that the C has freed are not to be followed.
    pub sockets: Vec<*mut TCPSOCK>,
    /// The server's ends.
    pub peers: Vec<UnixStream>,
    buffer: Vec<u8>,
}

fn zeroed<T>() -> *mut T {
    // SAFETY: the C's own way to make its objects: all members may be zero.
    unsafe { ZeroMalloc(size_of::<T>() as UINT).cast() }
}

impl Connection {
    /// A connection with so many sockets, each in both directions, without compression and encryption.
    pub fn new(sockets: usize) -> Self {
        // SAFETY: the objects are made as Session.c and Protocol.c make them, and belong to each other.
        unsafe {
            // A wait for nothing ends after a millisecond.
            vpn_global_parameters[GP_SELECT_TIME as usize] = 1;
            let s: *mut SESSION = zeroed();
            (*s).Cedar = spare_cedar();
            (*s).ClientOption = zeroed();
            (*s).Timeout = 20_000;
            (*s).MaxConnection = sockets.max(1) as UINT;
            let c = NewClientConnection(s);
            (*s).Connection = c;
            let mut connection = Self { c, s, sockets: Vec::new(), peers: Vec::new(), buffer: vec![0; 1 << 16] };
            for _ in 0..sockets {
                connection.add_socket();
            }
            connection
        }
    }

    fn add_socket(&mut self) {
        let (own, peer) = UnixStream::pair().expect("a socket pair");
        peer.set_nonblocking(true).expect("a socket that does not block");
        // SAFETY: as in StartTunnelingMode of Connection.c; the descriptor is the SOCK's.
        unsafe {
            let sock = NewSock();
            (*sock).Type = SOCK_TCP;
            (*sock).socket = own.into_raw_fd();
            (*sock).Connected = 1;
            UnixInitAsyncSocket(sock);
            let ts = NewTcpSock(sock);
            ReleaseSock(sock);
            Insert((*(*self.c).Tcp).TcpSockList, ts.cast());
            Inc((*self.c).CurrentNumConnection);
            self.sockets.push(ts);
        }
        self.peers.push(peer);
    }

    /// What the peer of a socket sends.
    pub fn write(&mut self, socket: usize, bytes: &[u8]) {
        self.peers[socket].write_all(bytes).expect("the kernel takes what one turn sends");
    }

    /// What the peer of a socket can read now.
    pub fn read(&mut self, socket: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.read_to(socket, |piece| bytes.extend_from_slice(piece));
        bytes
    }

    /// The same, shown piece by piece.
    pub fn read_to(&mut self, socket: usize, mut see: impl FnMut(&[u8])) {
        loop {
            match self.peers[socket].read(&mut self.buffer) {
                Ok(0) => return,
                Ok(size) => see(&self.buffer[..size]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Queues a frame for sending, as SessionMain does.
    pub fn queue(&mut self, frame: &[u8], priority: bool) {
        // SAFETY: the copy is given to the block, and the block to the queue.
        unsafe {
            let data = Malloc(frame.len() as UINT);
            data.cast::<u8>().copy_from_nonoverlapping(frame.as_ptr(), frame.len());
            let block = NewBlock(data, frame.len() as UINT, (*self.s).UseCompress as i32);
            (*self.c).CurrentSendQueueSize += (*block).Size;
            InsertQueue(if priority { (*self.c).SendBlocks2 } else { (*self.c).SendBlocks }, block.cast());
        }
    }

    /// Takes the received blocks out of their queue and shows them: frame, size on the wire.
    pub fn drain(&mut self, mut see: impl FnMut(&[u8], UINT)) {
        // SAFETY: the queue holds whole blocks, which are freed once.
        unsafe {
            loop {
                let block = GetNext((*self.c).ReceivedBlocks).cast::<BLOCK>();
                if block.is_null() {
                    return;
                }
                see(slice::from_raw_parts((*block).Buf, (*block).Size as usize), (*block).SizeofData);
                FreeBlock(block);
            }
        }
    }

    /// The number of sockets that the connection still has, which its counter must say, too.
    pub fn socket_count(&self) -> UINT {
        // SAFETY: the connection lives.
        unsafe {
            let count = (*(*(*self.c).Tcp).TcpSockList).num_item;
            assert_eq!(Count((*self.c).CurrentNumConnection), count + 1, "the first counts before it is a socket");
            count
        }
    }

    /// What a socket's receiving side waits for: mode, size, blocks to come, bytes that are there.
    pub fn receiving(&self, socket: usize) -> String {
        // SAFETY: the caller asks for sockets that live.
        unsafe {
            let ts = &*self.sockets[socket];
            let blocks = if matches!(ts.Mode, 1 | 2) { ts.NextBlockNum - ts.CurrentPacketNum } else { 0 };
            format!("mode {} wants {} of {blocks}: {:02x?}", ts.Mode, ts.WantSize, unread(ts.RecvFifo))
        }
    }

    /// The budgets and what the connection has told them.
    pub fn budgets(&self) -> String {
        // SAFETY: both live.
        unsafe {
            let (c, cedar) = (&*self.c, &*(*self.c).Cedar);
            let told = (c.LastRecvFifoTotalSize, c.LastRecvBlocksNum, c.LastTcpQueueSize);
            let sums = (cedar.FifoBudget, cedar.QueueBudget, cedar.CurrentTcpQueueSize);
            format!("budgets {sums:?} told {told:?}")
        }
    }
}

/// A FIFO's unread bytes.
///
/// # Safety
/// The FIFO is whole.
unsafe fn unread<'a>(fifo: *const FIFO) -> &'a [u8] {
    // SAFETY: the caller's.
    unsafe { slice::from_raw_parts((*fifo).p.cast::<u8>().add((*fifo).pos as usize), (*fifo).size as usize) }
}

/// CEDARs that no connection uses: making one takes milliseconds. Each connection has its own, so that tests beside this
/// one do not change its budgets.
static SPARE_CEDARS: Mutex<Vec<AtomicPtr<CEDAR>>> = Mutex::new(Vec::new());

/// A CEDAR with its budgets unused.
fn spare_cedar() -> *mut CEDAR {
    let spare = SPARE_CEDARS.lock().expect("no panic with the lock held").pop();
    // SAFETY: a server's key and certificate may be missing.
    spare.map_or_else(|| unsafe { NewCedar(ptr::null_mut(), ptr::null_mut()) }, AtomicPtr::into_inner)
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the last reference to each but the CEDAR, which goes to the next connection.
        unsafe {
            ReleaseConnection(self.c);
            let cedar = (*self.s).Cedar;
            ((*cedar).FifoBudget, (*cedar).QueueBudget, (*cedar).CurrentTcpQueueSize) = (0, 0, 0);
            SPARE_CEDARS.lock().expect("no panic with the lock held").push(AtomicPtr::new(cedar));
            Free((*self.s).ClientOption.cast());
            Free(self.s.cast::<c_void>());
        }
    }
}

/// Frames come from a fixed pool of random bytes, so that making and comparing them costs little.
pub struct Pool(Vec<u8>);

impl Pool {
    /// A pool; half of it compresses well.
    pub fn new(random: &mut impl rand::Rng) -> Self {
        let mut bytes: Vec<u8> = (0..1 << 16).map(|_| random.random()).collect();
        bytes[1 << 15..].iter_mut().for_each(|byte| *byte &= 3);
        Self(bytes)
    }

    /// A frame of `size` bytes.
    pub fn frame(&self, random: &mut impl rand::Rng, size: usize) -> &[u8] {
        let start = random.random_range(0..self.0.len() - size);
        &self.0[start..][..size]
    }
}

/// The number of random frames in a test: a million, or `CUTOVER_TEST_FRAMES`.
pub fn frames() -> usize {
    std::env::var("CUTOVER_TEST_FRAMES").ok().and_then(|frames| frames.parse().ok()).unwrap_or(1_000_000)
}

/// Every so many turns a trace keeps what was seen, so that the traces of a long run fit in memory.
pub fn turns_per_entry() -> usize {
    (frames() / 1_000_000).max(1)
}
