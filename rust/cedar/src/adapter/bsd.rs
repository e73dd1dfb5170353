//! The card on macOS (a pair of `feth` interfaces and BPF) and FreeBSD (`/dev/tap`), through the crate `tun-rs`: one frame
//! per system call, no offloads. Addresses are set by whoever makes the card. Only compiled so far, see docs/ADAPTER.md.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use super::{Device, Error, Offloads, WriteError};

/// A card that is up. Dropping it removes it.
pub struct Card(SyncDevice);

impl Card {
    /// Makes the card `name` with a MAC address and an MTU (at most 1500), and sets it up.
    ///
    /// # Errors
    /// What the operating system says; permission among others.
    pub fn open(name: &str, mac: [u8; 6], mtu: u16) -> io::Result<Card> {
        let device = DeviceBuilder::new().name(name).layer(Layer::L2).mac_addr(mac).mtu(mtu).build_sync()?;
        device.set_nonblocking(true)?;
        Ok(Card(device))
    }
}

impl Device for Card {
    fn offloads(&self) -> Offloads {
        Offloads::default()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        loop {
            let error = match self.0.recv(buffer) {
                Ok(0) => return Ok(None),
                Ok(len) => return Ok(Some(len)),
                Err(error) => error,
            };
            match errno(&error) {
                Errno::INTR => {}
                Errno::AGAIN => return Ok(None),
                Errno::NXIO | Errno::NODEV => return Err(Error::Gone),
                errno => return Err(Error::Read { errno: errno.raw_os_error() }),
            }
        }
    }

    fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        loop {
            let Err(error) = self.0.send_vectored(parts) else { return Ok(()) };
            match errno(&error) {
                Errno::INTR => {}
                Errno::AGAIN | Errno::NOBUFS => return Err(WriteError::Full),
                Errno::NETDOWN | Errno::IO => return Err(WriteError::Down),
                Errno::NOMEM => return Err(WriteError::NoMemory),
                Errno::NXIO | Errno::NODEV => return Err(WriteError::Gone),
                _ => return Err(WriteError::Refused),
            }
        }
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

/// What the operating system said; EIO for what did not come from it.
fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
