//! The TAP: one `read` or `write` per super-frame of 64 KiB against one per full frame.
//!
//! The frames are UDP datagrams between an address on the TAP and a neighbour that does not exist:
//!  1. Reading: a socket sends to the neighbour, by segmentation offload in bursts of 44 frames, and the TAP is read.
//!  2. Writing: the same bursts, from the neighbour, are written to the TAP and end in the queue of a socket, which is
//!     emptied while the clock stands.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use super::memory::checksum;
use super::{Sampled, Step, sample};

const NAME: &str = "calibrate0";
const OWN: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 1);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);
const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const NEIGHBOUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PORT: u16 = 9;

/// struct virtio_net_hdr without the fields that are never used.
const VNET_HEADER: usize = 10;
const HEADERS: usize = 14 + 20 + 8;
const FRAME: usize = 1514;
const SEGMENT: usize = FRAME - HEADERS;
/// Frames of a super-frame: as many as 64 KiB hold.
const SEGMENTS: usize = 44;
/// Calls per reading of the clock; a TAP queues at least 500 packets.
const SUPERS: usize = 16;
const SINGLES: usize = 128;

mod ioctl {
    nix::ioctl_write_ptr_bad!(set_interface, nix::libc::TUNSETIFF, nix::libc::ifreq);
    nix::ioctl_write_int_bad!(set_offload, nix::libc::TUNSETOFFLOAD);
}

/// Runs in the network namespace of a lab.
pub(super) fn measure() -> Vec<Sampled> {
    let steps = [Step::TapReadSuper, Step::TapReadSingle, Step::TapWriteSuper, Step::TapWriteSingle];
    match Card::open() {
        Ok(card) => {
            let (supers, singles) = (SEGMENTS, 1);
            let costs = [
                card.read(supers, SUPERS),
                card.read(singles, SINGLES),
                card.write(supers, SUPERS),
                card.write(singles, SINGLES),
            ];
            steps.into_iter().zip(costs).collect()
        }
        Err(error) => {
            steps.into_iter().map(|step| (step, Err(io::Error::new(error.kind(), error.to_string())))).collect()
        }
    }
}

/// A TAP with offloads and a socket that uses it.
struct Card {
    tap: File,
    socket: UdpSocket,
}

impl Card {
    fn open() -> io::Result<Self> {
        let tap = File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        // SAFETY: ifreq is plain data, for which all zeros is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(NAME.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as libc::c_short;
        // SAFETY: the descriptor is open and the request is a complete ifreq that outlives the call.
        unsafe { ioctl::set_interface(tap.as_raw_fd(), &raw const request) }?;
        let offloads = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_USO4 | libc::TUN_F_USO6;
        // SAFETY: the descriptor is open; the argument is a number.
        unsafe { ioctl::set_offload(tap.as_raw_fd(), offloads as libc::c_int) }
            .map_err(|errno| io::Error::other(format!("the TAP has no UDP segmentation offload ({errno})")))?;
        set_up()?;
        let socket = UdpSocket::bind((OWN, PORT))?;
        socket.connect((NEIGHBOUR, PORT))?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::RcvBufForce, &(16 << 20))?;
        setsockopt(&socket, sockopt::UdpGroSegment, &true)?;
        Ok(Self { tap, socket })
    }

    fn read(&self, segments: usize, calls: usize) -> io::Result<Vec<f64>> {
        let burst = vec![0x5a; SEGMENT * segments];
        setsockopt(&self.socket, sockopt::UdpGsoSegment, &if segments > 1 { SEGMENT as i32 } else { 0 })?;
        self.empty()?;
        let mut buffer = vec![0; 1 << 17];
        let fill = || {
            for _ in 0..calls {
                self.socket.send(&burst)?;
            }
            Ok(())
        };
        sample(fill, || {
            for _ in 0..calls {
                let length = (&self.tap).read(&mut buffer)?;
                if length != VNET_HEADER + HEADERS + burst.len() {
                    return Err(io::Error::other(format!("a read gave {length} bytes")));
                }
            }
            Ok((calls * segments * FRAME) as u64)
        })
    }

    fn write(&self, segments: usize, calls: usize) -> io::Result<Vec<f64>> {
        let packet = packet(segments);
        let arrived = Cell::new(0_usize);
        let mut buffer = vec![0; 1 << 16];
        let samples = sample(
            || {
                loop {
                    match self.socket.recv(&mut buffer) {
                        Ok(length) => arrived.set(arrived.get() + length),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                        Err(error) => return Err(error),
                    }
                }
            },
            || {
                for _ in 0..calls {
                    (&self.tap).write_all(&packet)?;
                }
                Ok((calls * segments * FRAME) as u64)
            },
        )?;
        if arrived.get() < calls * segments * SEGMENT {
            return Err(io::Error::other(format!("of the frames written, {} bytes arrived", arrived.get())));
        }
        Ok(samples)
    }

    /// Drops what the kernel itself has sent (router solicitations, for example).
    fn empty(&self) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 17];
        loop {
            match (&self.tap).read(&mut buffer) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn set_up() -> io::Result<()> {
    let mac = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
    let lines = [
        format!("link set {NAME} address {}", mac(OWN_MAC)),
        format!("address add {OWN}/24 dev {NAME}"),
        format!("link set {NAME} up"),
        format!("neighbour replace {NEIGHBOUR} lladdr {} dev {NAME} nud permanent", mac(NEIGHBOUR_MAC)),
    ];
    for line in lines {
        let output = Command::new("ip").args(line.split(' ')).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(io::Error::other(format!("`ip {line}`: {reason}")));
        }
    }
    Ok(())
}

/// Datagrams from the neighbour as one write: the header for the kernel, then Ethernet, IPv4 and UDP.
fn packet(segments: usize) -> Vec<u8> {
    const NEEDS_CHECKSUM: u8 = 1;
    const GSO_NONE: u8 = 0;
    const GSO_UDP: u8 = 5;
    const UDP: u8 = 17;
    const CHECKSUM_AT: u16 = 14 + 20;
    const CHECKSUM_OFFSET: u16 = 6;
    let payload = SEGMENT * segments;
    // 44 × 1472 + 28 is below 2^16.
    let (udp_length, ip_length) = ((8 + payload) as u16, (28 + payload) as u16);

    let mut ip = [0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, UDP, 0, 0, 10, 79, 0, 2, 10, 79, 0, 1];
    ip[2..4].copy_from_slice(&ip_length.to_be_bytes());
    let sum = checksum(&ip).to_be_bytes();
    ip[10..12].copy_from_slice(&sum);
    let mut pseudo_header = [10, 79, 0, 2, 10, 79, 0, 1, 0, UDP, 0, 0];
    pseudo_header[10..].copy_from_slice(&udp_length.to_be_bytes());
    // The kernel completes the sum, so it wants it as it is, not its complement.
    let partial = !checksum(&pseudo_header);

    let mut packet = vec![NEEDS_CHECKSUM, if segments > 1 { GSO_UDP } else { GSO_NONE }];
    let gso_size = if segments > 1 { SEGMENT as u16 } else { 0 };
    for field in [HEADERS as u16, gso_size, CHECKSUM_AT, CHECKSUM_OFFSET] {
        packet.extend(field.to_ne_bytes());
    }
    packet.extend(OWN_MAC.iter().chain(&NEIGHBOUR_MAC));
    packet.extend([0x08, 0x00]);
    packet.extend(ip);
    for field in [PORT, PORT, udp_length, partial] {
        packet.extend(field.to_be_bytes());
    }
    packet.resize(packet.len() + payload, 0x5a);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_s_lengths_and_checksums_hold() {
        for segments in [1, SEGMENTS] {
            let packet = packet(segments);
            assert_eq!(packet.len(), VNET_HEADER + HEADERS + SEGMENT * segments);
            let ip = &packet[VNET_HEADER + 14..][..20];
            assert_eq!(checksum(ip), 0, "a sum over a right header is zero");
            assert_eq!(usize::from(u16::from_be_bytes([ip[2], ip[3]])), packet.len() - VNET_HEADER - 14);
        }
    }
}
