//! The network interface: made, configured by netlink, kept over reconnects of sessions, removed at the end.
//! Stands for `UnixCreateTapDeviceEx`, `UnixVLanCreate`, `UnixVLanSetState` and `UnixVLanDelete` of `Cedar/VLanUnix.c`,
//! which set no MTU and no address, and report every failure as "not created". No packets here.
//!
//! An [`Interface`] owns the TAP's descriptor; each session takes a [`Tap`] from it and drops it. So a reconnect changes
//! nothing on the interface: addresses and routes stay.
#![forbid(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::netlink::{Change, Link, Netlink};
use super::sys;
use super::tap::{LinkState, LinkStatus, Tap, TapDevice};
use crate::adapter::vnet_hdr::VNET_HDR_LEN;
use crate::adapter::{ETHERNET_HEADER, FRAME_MAX, Offloaded, Offloads};

/// The TUN driver's device file.
pub const TUN_DRIVER: &str = "/dev/net/tun";

/// Smallest MTU of IPv4, in bytes.
pub const MTU_MIN: u16 = 68;

/// Largest MTU whose frames the SoftEther side takes, in bytes.
pub const MTU_MAX: u16 = (FRAME_MAX - ETHERNET_HEADER) as u16; // 1500

/// How often, and how far apart, an interface is opened again before another program must be holding it.
const REOPEN_TRIES: usize = 50;
const REOPEN_PAUSE: Duration = Duration::from_millis(10);

/// First byte of generated MAC addresses, as in the C: locally administered, unicast.
const MAC_PREFIX: u8 = 0x5e;

/// How packets cross between the kernel and the adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// One frame per call, as the C does.
    Plain,
    /// One frame per call; the kernel merges what is written (IFF_NAPI).
    Napi,
    /// Super-packets both ways (IFF_VNET_HDR with TSO, and USO where the kernel has it).
    Offload,
}

/// What an interface is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// Its name, at most 15 bytes; see [`interface_name`] for the C's naming.
    pub name: String,
    /// Its MAC address; by default made of `mac_seed`.
    pub mac: Option<[u8; 6]>,
    /// What the MAC address is made of: the same text gives the same address.
    pub mac_seed: String,
    /// From [`MTU_MIN`] to [`MTU_MAX`].
    pub mtu: u16,
    /// Whether it is set up at once.
    pub up: bool,
    /// Addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Whether it stays when the [`Interface`] is dropped.
    pub persistent: bool,
    /// `None`: offloads if the kernel grants them, otherwise plain.
    pub tier: Option<Tier>,
    /// Device file of the TUN driver.
    pub driver: String,
}

impl InterfaceConfig {
    /// An interface `name` that is up, has an MTU of 1500, a MAC address made of its name, and goes when it is dropped.
    pub fn new(name: &str) -> InterfaceConfig {
        InterfaceConfig {
            name: name.to_owned(),
            mac: None,
            mac_seed: name.to_owned(),
            mtu: MTU_MAX,
            up: true,
            addresses: Vec::new(),
            persistent: false,
            tier: None,
            driver: TUN_DRIVER.to_owned(),
        }
    }
}

/// Why an interface could not be made or changed, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceError {
    /// More than 15 bytes.
    #[error("the interface name {name:?} has more than 15 bytes; choose a shorter one")]
    NameTooLong {
        /// The name asked for.
        name: String,
    },
    /// Empty, `.`, `..`, or with a slash, a colon, a space or a byte that is not printable ASCII.
    #[error("{name:?} cannot be an interface name; use letters, digits, '-', '_' and '.'")]
    NameInvalid {
        /// The name asked for.
        name: String,
    },
    /// Another interface, or another program on the same TAP.
    #[error(
        "the interface name {name} is taken; stop the program that uses it, delete it \
         (`ip link delete {name}`), or choose another name"
    )]
    NameTaken {
        /// The name asked for.
        name: String,
    },
    /// No TUN driver.
    #[error(
        "{path} is missing; load the driver (`modprobe tun`), or in a container pass the device \
         (`--device /dev/net/tun`)"
    )]
    DriverMissing {
        /// The device file looked for.
        path: String,
    },
    /// Not root, and no CAP_NET_ADMIN.
    #[error("not permitted to {action}; run as root or grant the capability (`setcap cap_net_admin+ep PROGRAM`)")]
    NotPermitted {
        /// What was refused.
        action: &'static str,
    },
    /// EMFILE or ENFILE.
    #[error("no file descriptor left to {action}; raise the limit (`ulimit -n`)")]
    OutOfDescriptors {
        /// What was refused.
        action: &'static str,
    },
    /// ENOMEM or ENOBUFS.
    #[error("the kernel has no memory to {action}; free some and try again")]
    OutOfMemory {
        /// What was refused.
        action: &'static str,
    },
    /// A tier was asked for that this kernel does not have.
    #[error("this kernel does not grant the tier {tier:?}; leave the choice to the program or take a lower tier")]
    TierRefused {
        /// The tier asked for.
        tier: Tier,
    },
    /// The MTU would make frames that SoftEther does not carry.
    #[error("an MTU of {mtu} is outside of 68 to 1500; frames of more than 1514 bytes do not cross SoftEther")]
    MtuOutOfRange {
        /// The MTU asked for.
        mtu: u16,
    },
    /// The MAC address is a group address or zero.
    #[error("{mac:02x?} is not the address of one card; the first byte must be even, and not all may be zero")]
    MacInvalid {
        /// The address asked for.
        mac: [u8; 6],
    },
    /// A session still uses the interface.
    #[error("the interface {name} is in use by a session; disconnect it first")]
    InUse {
        /// The interface.
        name: String,
    },
    /// Deleted meanwhile.
    #[error("the interface {name} is gone; it was deleted by another program")]
    Gone {
        /// The interface.
        name: String,
    },
    /// Anything else the operating system says.
    #[error("cannot {action}: {source}")]
    System {
        /// What was refused.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The interface name of a virtual network card, as `GenerateTunName` makes it: `vpn_` and the name in lower case. The C
/// cuts what is too long, so that two cards can meet in one name; here that is an error.
pub fn interface_name(card: &str) -> Result<String, InterfaceError> {
    let name = format!("vpn_{}", card.trim().to_ascii_lowercase());
    check_name(&name)?;
    Ok(name)
}

/// The MAC address made of `seed`: always the same, locally administered, beginning with 5e as the C's do.
pub fn mac_from_seed(seed: &str) -> [u8; 6] {
    let hash = Sha256::new().chain_update(b"cutover interface\0").chain_update(seed).finalize();
    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(hash.iter()) {
        *to = *from;
    }
    mac[0] = MAC_PREFIX;
    mac
}

/// A TAP interface. Dropping it removes it unless it is persistent.
#[derive(Debug)]
pub struct Interface {
    config: InterfaceConfig,
    index: u32,
    tier: Tier,
    offloads: Offloads,
    /// Shared with the adapters; `None` only while the tier is being changed.
    tun: Option<Arc<OwnedFd>>,
    netlink: Netlink,
}

impl Interface {
    /// Makes the interface, or takes over a persistent TAP of that name which no program uses, and configures it.
    pub fn open(config: InterfaceConfig) -> Result<Interface, InterfaceError> {
        check_name(&config.name)?;
        let mac = config.mac.unwrap_or_else(|| mac_from_seed(&config.mac_seed));
        check_mac(mac)?;
        if !(MTU_MIN..=MTU_MAX).contains(&config.mtu) {
            return Err(InterfaceError::MtuOutOfRange { mtu: config.mtu });
        }
        let mut netlink = Netlink::open().map_err(|e| from_io("open a netlink socket", e))?;
        let (tun, tier, offloads) = open_tun(&config, config.tier)?;
        let link = netlink.link_by_name(&config.name).map_err(|e| from_io("find the new interface", e))?;
        let mut interface = Interface { config, index: link.index, tier, offloads, tun: Some(Arc::new(tun)), netlink };
        interface.configure(&link, mac)?;
        Ok(interface)
    }

    fn configure(&mut self, link: &Link, mac: [u8; 6]) -> Result<(), InterfaceError> {
        if self.config.persistent {
            sys::set_persistent(self.fd()?, true).map_err(|e| from_errno("make the interface persistent", e))?;
        }
        if link.mac != Some(mac) {
            self.change("set the MAC address", Change::Mac(mac))?;
        }
        if link.mtu != u32::from(self.config.mtu) {
            self.change("set the MTU", Change::Mtu(u32::from(self.config.mtu)))?;
        }
        for (address, prefix_len) in self.config.addresses.clone() {
            self.add_address(address, prefix_len)?;
        }
        if self.config.up { self.set_up(true) } else { Ok(()) }
    }

    /// The adapter for a session. The interface stays as it is when the adapter is dropped. One at a time: two would share
    /// the frames between them.
    pub fn adapter(&mut self) -> Result<Tap, InterfaceError> {
        self.device().map(Offloaded::new)
    }

    /// The device under an adapter, to put something of one's own between the two.
    pub fn device(&mut self) -> Result<TapDevice, InterfaceError> {
        let tun = self.tun.as_ref().ok_or_else(|| self.gone())?;
        if Arc::strong_count(tun) > 1 {
            return Err(InterfaceError::InUse { name: self.config.name.clone() });
        }
        let tun = Arc::clone(tun);
        let link = self.status()?;
        TapDevice::new(tun, self.offloads, self.index, link).map_err(|e| from_io("watch the interface", e))
    }

    /// Opens the interface in another tier. It stays, with its addresses and routes; only its carrier blinks. No adapter
    /// may be in use.
    pub fn set_tier(&mut self, tier: Option<Tier>) -> Result<(), InterfaceError> {
        // Under its present name: it may have been renamed.
        let name = self.status()?.name;
        self.config.name.clone_from(&name);
        let Some(tun) = self.tun.take() else { return Err(self.gone()) };
        let tun = Arc::try_unwrap(tun).map_err(|tun| {
            self.tun = Some(tun);
            InterfaceError::InUse { name }
        })?;
        let before = Some(self.tier);
        sys::set_persistent(&tun, true).map_err(|e| from_errno("keep the interface", e))?;
        drop(tun);
        let opened = self.reopen(tier);
        // A tier that is refused leaves the interface in the tier it had.
        let (tun, tier, offloads) = match opened {
            Ok(opened) => opened,
            Err(InterfaceError::TierRefused { tier }) => {
                let (tun, tier_before, offloads) = self.reopen(before)?;
                self.settle(tun, tier_before, offloads)?;
                return Err(InterfaceError::TierRefused { tier });
            }
            Err(error) => return Err(error),
        };
        self.settle(tun, tier, offloads)
    }

    /// Opens the interface once more after its descriptor was closed. A child process that another thread is just starting
    /// holds a copy of the descriptor until it runs its program: that passes.
    fn reopen(&self, tier: Option<Tier>) -> Result<(OwnedFd, Tier, Offloads), InterfaceError> {
        for _ in 0..REOPEN_TRIES {
            match open_tun(&self.config, tier) {
                Err(InterfaceError::NameTaken { .. }) => std::thread::sleep(REOPEN_PAUSE),
                opened_or_failed => return opened_or_failed,
            }
        }
        open_tun(&self.config, tier)
    }

    fn settle(&mut self, tun: OwnedFd, tier: Tier, offloads: Offloads) -> Result<(), InterfaceError> {
        (self.tier, self.offloads) = (tier, offloads);
        let kept = sys::set_persistent(&tun, self.config.persistent);
        self.tun = Some(Arc::new(tun));
        kept.map_err(|e| from_errno("make the interface as persistent as it was", e))
    }

    /// Has the interface stay, or go, when its last descriptor is closed, whatever its configuration says.
    pub fn keep(&self, kept: bool) -> Result<(), InterfaceError> {
        sys::set_persistent(self.fd()?, kept).map_err(|e| from_errno("keep the interface", e))
    }

    /// Whether its configuration has it stay.
    pub fn is_persistent(&self) -> bool {
        self.config.persistent
    }

    /// Its name when it was opened or last put into another tier; [`Interface::status`] has the present one.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its index, which stays when it is renamed.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The tier in use.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// What the kernel granted for that tier.
    pub fn offloads(&self) -> Offloads {
        self.offloads
    }

    /// State and present name.
    pub fn status(&mut self) -> Result<LinkStatus, InterfaceError> {
        let link = self.link()?;
        Ok(LinkStatus { state: if link.up { LinkState::Up } else { LinkState::Down }, name: link.name })
    }

    /// The MTU now, in bytes.
    pub fn mtu(&mut self) -> Result<u32, InterfaceError> {
        Ok(self.link()?.mtu)
    }

    /// The MAC address now.
    pub fn mac(&mut self) -> Result<[u8; 6], InterfaceError> {
        let name = self.config.name.clone();
        self.link()?.mac.ok_or(InterfaceError::Gone { name })
    }

    /// Sets it up or down. Down loses the user's routes: a session that ends does not do that.
    pub fn set_up(&mut self, up: bool) -> Result<(), InterfaceError> {
        self.change("set the interface up or down", Change::Up(up))
    }

    /// Adds an address; one that is there already stays.
    pub fn add_address(&mut self, address: IpAddr, prefix_len: u8) -> Result<(), InterfaceError> {
        let added = self.netlink.add_address(self.index, address, prefix_len);
        added.map_err(|e| self.answer_error("add an address", e))
    }

    /// Removes the interface, persistent or not. An adapter still in use finds it gone.
    pub fn delete(mut self) -> Result<(), InterfaceError> {
        let deleted = self.netlink.delete(self.index);
        deleted.map_err(|e| self.answer_error("delete the interface", e))
    }

    /// The descriptor, for those that read and write one packet at a time. It is non-blocking.
    pub fn fd(&self) -> Result<BorrowedFd<'_>, InterfaceError> {
        self.tun.as_ref().map(|tun| tun.as_fd()).ok_or_else(|| self.gone())
    }

    fn link(&mut self) -> Result<Link, InterfaceError> {
        let link = self.netlink.link_by_index(self.index);
        link.map_err(|e| self.answer_error("look at the interface", e))
    }

    fn change(&mut self, action: &'static str, change: Change) -> Result<(), InterfaceError> {
        let changed = self.netlink.change(self.index, change);
        changed.map_err(|e| self.answer_error(action, e))
    }

    fn gone(&self) -> InterfaceError {
        InterfaceError::Gone { name: self.config.name.clone() }
    }

    fn answer_error(&self, action: &'static str, error: io::Error) -> InterfaceError {
        match Errno::from_io_error(&error) {
            Some(Errno::NODEV) => self.gone(),
            _ => from_io(action, error),
        }
    }
}

/// Opens the interface in the tier asked for, or in the best the kernel grants.
fn open_tun(config: &InterfaceConfig, asked: Option<Tier>) -> Result<(OwnedFd, Tier, Offloads), InterfaceError> {
    if let Some(tier) = asked {
        return open_in_tier(config, tier);
    }
    // Not IFF_NAPI: its writes cost more than plain ones, its reads as much (docs/BENCH.md).
    match open_in_tier(config, Tier::Offload) {
        Err(InterfaceError::TierRefused { .. }) => open_in_tier(config, Tier::Plain),
        opened_or_failed => opened_or_failed,
    }
}

/// Opens the driver and attaches it to the interface.
fn open_in_tier(config: &InterfaceConfig, tier: Tier) -> Result<(OwnedFd, Tier, Offloads), InterfaceError> {
    let tun = sys::open_tun(&config.driver).map_err(|errno| match errno {
        Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOTDIR => {
            InterfaceError::DriverMissing { path: config.driver.clone() }
        }
        errno => from_errno("open the TUN driver", errno),
    })?;
    let features = sys::features(&tun).map_err(|errno| match errno {
        Errno::NOTTY => InterfaceError::DriverMissing { path: config.driver.clone() },
        errno => from_errno("ask the TUN driver what it can", errno),
    })?;
    let tier_flag = match tier {
        Tier::Plain => 0,
        Tier::Napi => sys::IFF_NAPI,
        Tier::Offload => sys::IFF_VNET_HDR,
    };
    if features & u32::from(tier_flag) != u32::from(tier_flag) {
        return Err(InterfaceError::TierRefused { tier });
    }
    let flags = sys::IFF_TAP | sys::IFF_NO_PI | tier_flag;
    sys::attach(&tun, &config.name, flags).map_err(|errno| match errno {
        // EBUSY: another program holds this TAP. EINVAL: the name belongs to an interface that is no TAP.
        Errno::BUSY | Errno::INVAL | Errno::EXIST => InterfaceError::NameTaken { name: config.name.clone() },
        errno => from_errno("create the network interface", errno),
    })?;
    let offloads = set_offloads(&tun, tier)?;
    Ok((tun, tier, offloads))
}

/// Says explicitly what the kernel may leave to us: on a persistent interface the settings of the last program are still
/// there.
fn set_offloads(tun: &OwnedFd, tier: Tier) -> Result<Offloads, InterfaceError> {
    const TCP: u32 = sys::TUN_F_CSUM | sys::TUN_F_TSO4 | sys::TUN_F_TSO6 | sys::TUN_F_TSO_ECN;
    const UDP: u32 = sys::TUN_F_USO4 | sys::TUN_F_USO6;
    let refused = |errno| from_errno("set the offloads of the interface", errno);
    if tier != Tier::Offload {
        sys::set_offload(tun, 0).map_err(refused)?;
        return Ok(Offloads::default());
    }
    sys::set_vnet_hdr_size(tun, VNET_HDR_LEN as i32).map_err(refused)?; // 10
    sys::set_vnet_little_endian(tun).map_err(refused)?;
    for (flags, tcp, udp) in [(TCP | UDP, true, true), (TCP, true, false)] {
        match sys::set_offload(tun, flags) {
            Ok(()) => return Ok(Offloads { vnet_hdr: true, tcp, udp }),
            Err(Errno::INVAL) => {}
            Err(errno) => return Err(refused(errno)),
        }
    }
    Err(InterfaceError::TierRefused { tier })
}

fn check_name(name: &str) -> Result<(), InterfaceError> {
    let name = name.to_owned();
    let valid = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':' && b != b'%');
    if name.len() > sys::NAME_MAX {
        return Err(InterfaceError::NameTooLong { name });
    }
    if !valid || matches!(name.as_str(), "" | "." | "..") {
        return Err(InterfaceError::NameInvalid { name });
    }
    Ok(())
}

fn check_mac(mac: [u8; 6]) -> Result<(), InterfaceError> {
    let group = mac[0] & 1 != 0;
    if group || mac == [0; 6] { Err(InterfaceError::MacInvalid { mac }) } else { Ok(()) }
}

fn from_errno(action: &'static str, errno: Errno) -> InterfaceError {
    match errno {
        Errno::PERM | Errno::ACCESS => InterfaceError::NotPermitted { action },
        Errno::MFILE | Errno::NFILE => InterfaceError::OutOfDescriptors { action },
        Errno::NOMEM | Errno::NOBUFS => InterfaceError::OutOfMemory { action },
        errno => InterfaceError::System { action, source: errno.into() },
    }
}

fn from_io(action: &'static str, error: io::Error) -> InterfaceError {
    match Errno::from_io_error(&error) {
        Some(errno) => from_errno(action, errno),
        None => InterfaceError::System { action, source: error },
    }
}
