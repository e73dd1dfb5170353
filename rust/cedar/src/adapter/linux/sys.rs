//! The system calls of the TAP device: /dev/net/tun and its ioctls (`linux/if_tun.h`), through rustix. The only
//! `unsafe` of the Linux adapter. What to do with errors is decided elsewhere.

use std::os::fd::OwnedFd;

use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{Getter, IntegerSetter, Opcode, Setter, Updater, ioctl, opcode};

/// Longest interface name, without the terminating zero (IFNAMSIZ − 1).
pub(super) const NAME_MAX: usize = 15;

pub(super) const IFF_TAP: u16 = 0x0002;
pub(super) const IFF_NAPI: u16 = 0x0010;
pub(super) const IFF_NO_PI: u16 = 0x1000;
pub(super) const IFF_VNET_HDR: u16 = 0x4000;

pub(super) const TUN_F_CSUM: u32 = 0x01;
pub(super) const TUN_F_TSO4: u32 = 0x02;
pub(super) const TUN_F_TSO6: u32 = 0x04;
pub(super) const TUN_F_TSO_ECN: u32 = 0x08;
pub(super) const TUN_F_USO4: u32 = 0x20;
pub(super) const TUN_F_USO6: u32 = 0x40;

const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);
const TUNSETPERSIST: Opcode = opcode::write::<i32>(b'T', 203);
const TUNGETFEATURES: Opcode = opcode::read::<u32>(b'T', 207);
const TUNSETOFFLOAD: Opcode = opcode::write::<u32>(b'T', 208);
const TUNGETIFF: Opcode = opcode::read::<u32>(b'T', 210);
const TUNSETVNETHDRSZ: Opcode = opcode::write::<i32>(b'T', 216);
const TUNSETVNETLE: Opcode = opcode::write::<i32>(b'T', 220);

/// `struct ifreq` as far as the TUN driver uses it: name and flags.
#[repr(C)]
struct IfReq {
    name: [u8; NAME_MAX + 1],
    flags: u16,
    rest: [u8; 22],
}

const _: () = assert!(size_of::<IfReq>() == 40);

impl IfReq {
    fn new(name: &str, flags: u16) -> IfReq {
        let mut request = IfReq { name: [0; NAME_MAX + 1], flags, rest: [0; 22] };
        for (to, from) in request.name.iter_mut().take(NAME_MAX).zip(name.bytes()) {
            *to = from;
        }
        request
    }

    fn name(&self) -> String {
        let len = self.name.iter().position(|&byte| byte == 0).unwrap_or(self.name.len());
        String::from_utf8_lossy(self.name.get(..len).unwrap_or_default()).into_owned()
    }
}

/// Opens the TUN driver, non-blocking.
pub(super) fn open_tun(path: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
}

/// The interface flags (IFF_…) the driver knows.
pub(super) fn features(tun: impl AsFd) -> Result<u32, Errno> {
    // SAFETY: TUNGETFEATURES stores one unsigned int.
    unsafe { ioctl(tun, Getter::<TUNGETFEATURES, u32>::new()) }
}

/// Attaches `tun` to the interface `name`, made if it is not there, and returns the name it has.
pub(super) fn attach(tun: impl AsFd, name: &str, flags: u16) -> Result<String, Errno> {
    let mut request = IfReq::new(name, flags);
    // SAFETY: TUNSETIFF reads and writes one struct ifreq, which is 40 bytes; its opcode says int for historical reasons.
    unsafe { ioctl(tun, Updater::<TUNSETIFF, IfReq>::new(&mut request))? };
    Ok(request.name())
}

/// The name of the interface `tun` is attached to, wherever it is now. EBADFD when there is none.
pub(super) fn attached_name(tun: impl AsFd) -> Result<String, Errno> {
    let mut request = IfReq::new("", 0);
    // SAFETY: TUNGETIFF writes one struct ifreq, which is 40 bytes.
    unsafe { ioctl(tun, Updater::<TUNGETIFF, IfReq>::new(&mut request))? };
    Ok(request.name())
}

/// Whether the interface stays when the last descriptor is closed.
pub(super) fn set_persistent(tun: impl AsFd, persistent: bool) -> Result<(), Errno> {
    // SAFETY: TUNSETPERSIST takes its argument by value.
    unsafe { ioctl(tun, IntegerSetter::<TUNSETPERSIST>::new_usize(usize::from(persistent))) }
}

/// Which packets the kernel may leave to us (TUN_F_…).
pub(super) fn set_offload(tun: impl AsFd, flags: u32) -> Result<(), Errno> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value.
    unsafe { ioctl(tun, IntegerSetter::<TUNSETOFFLOAD>::new_usize(flags as usize)) }
}

/// Size of the vnet header in bytes.
pub(super) fn set_vnet_hdr_size(tun: impl AsFd, size: i32) -> Result<(), Errno> {
    // SAFETY: TUNSETVNETHDRSZ reads one int.
    unsafe { ioctl(tun, Setter::<TUNSETVNETHDRSZ, i32>::new(size)) }
}

/// Makes the vnet header little-endian.
pub(super) fn set_vnet_little_endian(tun: impl AsFd) -> Result<(), Errno> {
    // SAFETY: TUNSETVNETLE reads one int.
    unsafe { ioctl(tun, Setter::<TUNSETVNETLE, i32>::new(1)) }
}
