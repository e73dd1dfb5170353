//! The network interface that the client makes once and every session uses, C or Rust.

use crate::error::{Status, boundary, failed, guarded};
use crate::text;
use cedar::adapter::linux::{InterfaceConfig, InterfaceError};
use softether_sys::{SESSION, bool_};
use std::ffi::c_char;

/// Makes the process's network interface from a configuration: name, address, MTU, MAC, up. It stays over reconnects
/// and goes with `cutover_interface_close` or the process, unless it is persistent.
///
/// # Errors
/// `Busy` (name taken), `NotFound` (no TUN driver), `NotPermitted`, `Invalid`, or `Io`.
pub(crate) fn open(config: InterfaceConfig) -> Status {
    guarded(|| {
        swaps::interface::open(config).map_err(|error| {
            let status = match &error {
                InterfaceError::NameTaken { .. } | InterfaceError::InUse { .. } => Status::Busy,
                InterfaceError::DriverMissing { .. } | InterfaceError::Gone { .. } => Status::NotFound,
                InterfaceError::NotPermitted { .. } => Status::NotPermitted,
                InterfaceError::NameTooLong { .. } | InterfaceError::NameInvalid { .. } => Status::Invalid,
                InterfaceError::MtuOutOfRange { .. } | InterfaceError::MacInvalid { .. } => Status::Invalid,
                _ => Status::Io,
            };
            failed(status, error)
        })
    })
}

/// Makes a network interface that is up, for programs without a configuration file. `address` is `ADDRESS/PREFIX`, or null.
///
/// # Errors
/// As for the one of a configuration.
///
/// # Safety
/// `name` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_interface_open(name: *const c_char) -> Status {
    boundary(Status::Panicked, || {
        // SAFETY: the caller's.
        match unsafe { text::from_c(name, "name") } {
            Ok(name) => open(InterfaceConfig::new(name)),
            Err(status) => status,
        }
    })
}

/// Drops the interface. To be called once no session runs.
#[unsafe(no_mangle)]
pub extern "C" fn cutover_interface_close() {
    boundary((), swaps::interface::close);
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
