//! The network interface that the client makes once and every session uses, C or Rust.

use crate::connection::Connection;
use crate::error::{Status, boundary, failed, guarded};
use cedar::adapter::linux::{InterfaceConfig, InterfaceError};
use config::Config;
use softether_sys::{SESSION, bool_};
use std::fs;

/// Makes the process's network interface as the connection's `[interface]` says: name, addresses, MTU, MAC, up. It stays
/// over reconnects and goes with `cutover_interface_close` or the process, unless it is persistent.
///
/// # Errors
/// `Busy` (name taken), `NotFound` (no TUN driver), `NotPermitted`, `Invalid`, or `Io`; the exit code is 14.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_interface_open(connection: &Connection) -> Status {
    guarded(|| swaps::interface::open(wanted(&connection.config)).map_err(|error| failed(status_of(&error), error)))
}

/// The status that stands for what keeps an interface from serving.
pub(crate) fn status_of(error: &InterfaceError) -> Status {
    match error {
        InterfaceError::NameTaken { .. } | InterfaceError::InUse { .. } => Status::Busy,
        InterfaceError::DriverMissing { .. } | InterfaceError::Gone { .. } => Status::NotFound,
        InterfaceError::NotPermitted { .. } => Status::NotPermitted,
        InterfaceError::NameTooLong { .. } | InterfaceError::NameInvalid { .. } => Status::Invalid,
        InterfaceError::MtuOutOfRange { .. } | InterfaceError::MacInvalid { .. } => Status::Invalid,
        InterfaceError::TierRefused { .. } => Status::Unsupported,
        _ => Status::Io,
    }
}

fn wanted(config: &Config) -> InterfaceConfig {
    let interface = &config.interface;
    InterfaceConfig {
        mac: interface.mac,
        mac_seed: mac_seed(config),
        mtu: interface.mtu,
        addresses: interface.addresses.iter().map(|net| (net.addr(), net.prefix_len())).collect(),
        persistent: interface.persistent,
        ..InterfaceConfig::new(&interface.name)
    }
}

/// What the interface's MAC address is made of: the same for one connection of one machine, so that servers and
/// leases know it again, and another for any other, since two equal ones on a hub would take each other's frames.
fn mac_seed(config: &Config) -> String {
    let machine =
        ["/etc/machine-id", "/proc/sys/kernel/hostname"].into_iter().find_map(|file| fs::read_to_string(file).ok());
    let machine = machine.unwrap_or_default();
    [machine.trim(), &config.host, &config.port.to_string(), &config.hub, &config.auth.user, &config.name].join("\n")
}

/// Drops the interface. To be called once no session runs.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_interface_close() {
    boundary((), swaps::interface::close);
}

/// Has the interface outlive the process, with its addresses and routes, for the one that replaces it: that takes it over
/// when it says `CUTOVER_REPLACED` in its environment.
///
/// # Errors
/// `Io` if the system refuses; the interface goes with the process then.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_interface_keep() -> Status {
    guarded(|| swaps::interface::keep().map_err(|error| failed(status_of(&error), error)))
}

/// Takes the place of `VLanPaInit` in the C's packet adapter, whose own looks for an interface that the C made.
///
/// # Safety
/// Only Cedar calls it, with a session whose packet adapter is the C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_vlan_pa_init(s: *mut SESSION) -> bool_ {
    // SAFETY: the caller's.
    boundary(0, || unsafe { swaps::interface::vlan_pa_init(s) })
}
