//! The two system calls for many datagrams, sendmmsg and recvmmsg (neither rustix nor nix has them with a segment size per
//! message and without an allocation per call). The only `unsafe` of `cedar::datagram`. What to do with errors is decided
//! elsewhere.

use libc::{c_int, c_void, cmsghdr, iovec, mmsghdr, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Most messages of one call that sends.
pub(super) const MESSAGES_MAX: usize = 64;

/// Most datagrams of one call that receives: what becomes two or three super-packets of the card.
pub(super) const RECEIVED_MAX: usize = 128;

/// One message: bytes, and the size of the datagrams that the kernel cuts them into, if there are several.
pub(super) type Message<'m> = (&'m [u8], Option<u16>);

/// Bytes of a control message that holds a segment size.
// SAFETY: CMSG_SPACE only computes.
const CONTROL_SIZE: usize = unsafe { libc::CMSG_SPACE(size_of::<u16>() as u32) } as usize;

/// A control message; the alignment is the header's.
#[repr(C)]
#[derive(Clone, Copy)]
union Control {
    header: cmsghdr,
    bytes: [u8; CONTROL_SIZE],
}

/// Sends messages to one address, at most [`MESSAGES_MAX`] of them, and returns how many the kernel took: all but the
/// first that it refused and those behind it. An error is the first one's.
pub(super) fn send_many(socket: BorrowedFd<'_>, messages: &[Message<'_>], to: SocketAddr) -> io::Result<usize> {
    let (mut address, address_size) = to_c(to);
    // SAFETY: all three are plain C data, for which zeros are values.
    let (mut headers, mut vectors, mut controls): (
        [mmsghdr; MESSAGES_MAX],
        [iovec; MESSAGES_MAX],
        [Control; MESSAGES_MAX],
    ) = unsafe { mem::zeroed() };
    let mut count = 0;
    for ((message, header), (vector, control)) in
        messages.iter().zip(&mut headers).zip(vectors.iter_mut().zip(&mut controls))
    {
        let (bytes, segment) = *message;
        // The kernel only reads them.
        *vector = iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let header = &mut header.msg_hdr;
        header.msg_name = (&raw mut address).cast();
        header.msg_namelen = address_size;
        header.msg_iov = vector;
        header.msg_iovlen = 1;
        if let Some(segment) = segment {
            header.msg_control = (&raw mut *control).cast();
            header.msg_controllen = CONTROL_SIZE;
            // SAFETY: the control message has its own room of CMSG_SPACE bytes, aligned, and is the first.
            unsafe {
                let first = libc::CMSG_FIRSTHDR(header);
                (*first).cmsg_level = libc::SOL_UDP;
                (*first).cmsg_type = libc::UDP_SEGMENT;
                (*first).cmsg_len = libc::CMSG_LEN(size_of::<u16>() as u32) as usize;
                libc::CMSG_DATA(first).cast::<u16>().write_unaligned(segment);
            }
        }
        count += 1;
    }
    // SAFETY: the first `count` headers point to arrays, to the address and to the callers' bytes, all of which live and
    // stay where they are until the call returns.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
    number(sent)
}

/// What one receiving call tells the kernel, and it tells back. Kept from call to call: it is 27 KB, and to make it anew
/// would be to zero it.
pub(super) struct Headers {
    messages: [mmsghdr; RECEIVED_MAX],
    vectors: [iovec; RECEIVED_MAX],
    addresses: [sockaddr_storage; RECEIVED_MAX],
}

// SAFETY: its pointers are set before each call, which borrows it and what they point to, and never followed by Rust.
unsafe impl Send for Headers {}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}

impl Headers {
    pub(super) fn new() -> Box<Self> {
        // SAFETY: all of it is plain C data, for which zeros are values.
        unsafe { Box::<Self>::new_zeroed().assume_init() }
    }

    /// Receives datagrams, each into one of `buffers`, and notes its size and source in the place of the same number.
    /// Returns how many came. A datagram that is longer than its buffer is cut; one from a source that is no address is
    /// given size 0.
    pub(super) fn receive_many<const SIZE: usize>(
        &mut self,
        socket: BorrowedFd<'_>,
        buffers: &mut [[u8; SIZE]],
        sources: &mut [(usize, SocketAddr)],
    ) -> io::Result<usize> {
        let Self { messages, vectors, addresses } = self;
        let mut count = 0;
        let room = buffers.iter_mut().zip(sources.iter());
        for ((message, (buffer, _)), (vector, address)) in
            messages.iter_mut().zip(room).zip(vectors.iter_mut().zip(addresses.iter_mut()))
        {
            *vector = iovec { iov_base: buffer.as_mut_ptr().cast::<c_void>(), iov_len: SIZE };
            let header = &mut message.msg_hdr;
            header.msg_name = (&raw mut *address).cast();
            header.msg_namelen = size_of::<sockaddr_storage>() as socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            count += 1;
        }
        // SAFETY: the first `count` headers point to arrays and to the caller's buffers, which are borrowed mutably until
        // the call returns; without a timeout the last argument is null.
        let received = unsafe {
            let flags = libc::MSG_DONTWAIT;
            libc::recvmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, flags, ptr::null_mut())
        };
        let received = number(received)?;
        for ((message, address), place) in messages.iter().zip(addresses.iter()).zip(sources).take(received) {
            // Without a name the one of an earlier call is still there.
            let is_named = message.msg_hdr.msg_namelen != 0;
            *place = match from_c(address).filter(|_| is_named) {
                Some(source) => (usize::try_from(message.msg_len).unwrap_or(SIZE).min(SIZE), source),
                None => (0, place.1),
            };
        }
        Ok(received)
    }
}

fn number(result: c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn to_c(address: SocketAddr) -> (sockaddr_storage, socklen_t) {
    let mut storage = MaybeUninit::<sockaddr_storage>::zeroed();
    let size = match address {
        SocketAddr::V4(v4) => {
            let own = sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is larger and aligned for every family.
            unsafe { storage.as_mut_ptr().cast::<sockaddr_in>().write(own) };
            size_of::<sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let own = sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe { storage.as_mut_ptr().cast::<sockaddr_in6>().write(own) };
            size_of::<sockaddr_in6>()
        }
    };
    // SAFETY: zeros are a value of this C struct, and what was written over them is one of its forms.
    (unsafe { storage.assume_init() }, size as socklen_t)
}

fn from_c(storage: &sockaddr_storage) -> Option<SocketAddr> {
    let address = (&raw const *storage).cast::<sockaddr>();
    match c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the storage is initialised, larger, aligned, and the kernel says which form it has.
            let v4 = unsafe { &*address.cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::from((ip, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*address.cast::<sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddr::from((ip, u16::from_be(v6.sin6_port))))
        }
        _ => None,
    }
}
