//! A packet socket on one interface that carries only frames with our EtherType.

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::{ETHERTYPE, MacAddress};

/// Room for everything that can be on the way.
const RECEIVE_BUFFER_BYTES: usize = 8 << 20;
/// How long [`PacketSocket::receive`] waits.
const RECEIVE_TIMEOUT_MS: i64 = 20;
/// How often a send is tried again while the interface's queue is full.
const SEND_RETRIES_MAX: u32 = 10_000;

/// See the module.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    address: MacAddress,
}

impl PacketSocket {
    /// Opens a socket on an interface of the caller's network namespace. Frames that this host itself sends on the
    /// interface are not received.
    pub fn open(interface: &str) -> io::Result<Self> {
        // Protocol 0: nothing is received before the socket is bound to the interface.
        let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None::<SockProtocol>)?;
        bind(&fd, interface)?;
        setsockopt(&fd, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES)?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::milliseconds(RECEIVE_TIMEOUT_MS))?;
        let address = address_of(interface)?;
        Ok(Self { fd, address })
    }

    /// The interface's address.
    #[must_use]
    pub fn address(&self) -> MacAddress {
        self.address
    }

    /// Sends one frame; waits while the interface's queue is full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        for _ in 0..SEND_RETRIES_MAX {
            match send(self.fd.as_raw_fd(), frame, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => std::thread::yield_now(),
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the interface's queue stays full"))
    }

    /// Receives one frame and returns its true length, which may exceed the buffer's; `None` if none came within 20 ms.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match recv(self.fd.as_raw_fd(), buffer, MsgFlags::MSG_TRUNC) {
            Ok(length) => Ok(Some(length)),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Frames that this socket's buffer had no room for since the last time it was asked.
    pub fn take_dropped(&self) -> io::Result<u32> {
        // SAFETY: tpacket_stats is plain data, for which all zeros is a value.
        let mut counts: libc::tpacket_stats = unsafe { mem::zeroed() };
        let mut length = mem::size_of_val(&counts) as libc::socklen_t;
        // SAFETY: the pointers are those of `counts` and of its length, which outlive the call.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut counts).cast(),
                &raw mut length,
            )
        };
        Errno::result(result)?;
        Ok(counts.tp_drops)
    }
}

fn address_of(interface: &str) -> io::Result<MacAddress> {
    let mut links = getifaddrs()?.filter(|entry| entry.interface_name == interface);
    links
        .find_map(|entry| entry.address?.as_link_addr()?.addr())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{interface} has no MAC address")))
}

fn bind(fd: &OwnedFd, interface: &str) -> io::Result<()> {
    let name = CString::new(interface)?;
    let index = nix::net::if_::if_nametoindex(name.as_c_str())?;
    // SAFETY: sockaddr_ll is plain data, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ETHERTYPE.to_be();
    address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    let length = mem::size_of_val(&address) as libc::socklen_t;
    // SAFETY: the pointer and the length describe `address`, which outlives the call.
    let result = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}
