//! The network interface of the client, from which each session takes its packet adapter, C or Rust.
//!
//! The client makes the interface once and keeps it over reconnects, so addresses and routes stay, whichever side
//! the next session runs on. The C's adapter looks its descriptor up in a list that only the C's own, barer way of
//! making an interface fills; [`vlan_pa_init`] takes that one function's place on both builds.

use crate::memory;
use cedar::adapter::linux::{Interface, InterfaceConfig, InterfaceError, Tap, Tier};
use softether_sys::{SESSION, VLAN, bool_};
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The variable that chooses how packets cross between the kernel and a Rust session: `plain`, `napi` or `offload`.
/// Absent or empty: the best that the kernel grants. For comparisons.
pub const TIER_VARIABLE: &str = "CUTOVER_TAP_TIER";

/// The variable with which a client says to the process that replaces it that the interface was kept for it.
const REPLACED_VARIABLE: &str = "CUTOVER_REPLACED";

static INTERFACE: Mutex<Option<Client>> = Mutex::new(None);

/// The process's interface, and the tier that a person chose.
struct Client {
    interface: Interface,
    tier: Option<Tier>,
}

fn client() -> MutexGuard<'static, Option<Client>> {
    INTERFACE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the process's interface. An interface that was open is dropped first. [`TIER_VARIABLE`] outranks the tier of
/// `config`.
///
/// # Errors
/// What keeps the interface from being made; each says what to do.
pub fn open(config: InterfaceConfig) -> Result<(), InterfaceError> {
    let mut slot = client();
    *slot = None;
    let tier = chosen_tier(std::env::var_os(TIER_VARIABLE).as_deref())?.or(config.tier);
    let interface = Interface::open(InterfaceConfig { tier, ..config })?;
    if std::env::var_os(REPLACED_VARIABLE).is_some() {
        // The process before kept it for this one only.
        interface.keep(interface.is_persistent())?;
    }
    *slot = Some(Client { interface, tier });
    Ok(())
}

fn chosen_tier(value: Option<&OsStr>) -> Result<Option<Tier>, InterfaceError> {
    match value.map_or(Some(""), OsStr::to_str) {
        Some("") => Ok(None),
        Some("plain") => Ok(Some(Tier::Plain)),
        Some("napi") => Ok(Some(Tier::Napi)),
        Some("offload") => Ok(Some(Tier::Offload)),
        _ => {
            let value = value.unwrap_or_default();
            let source = io::Error::other(format!("{TIER_VARIABLE}={value:?} is none of plain, napi and offload"));
            Err(InterfaceError::System { action: "choose the interface's tier", source })
        }
    }
}

/// Has the interface outlive the process.
///
/// # Errors
/// The system refuses.
pub fn keep() -> Result<(), InterfaceError> {
    client().as_ref().map_or(Ok(()), |client| client.interface.keep(true))
}

/// Drops the interface, which removes it unless it is persistent. Called when no session runs.
pub fn close() {
    *client() = None;
}

/// The adapter of a Rust session, or of a program that moves frames itself, in the tier that was chosen or else the best
/// that the kernel grants. `None` without an interface.
///
/// # Errors
/// What keeps the interface from serving: among others that it serves somebody else.
pub fn adapter() -> Result<Option<Tap>, InterfaceError> {
    with_tier(|chosen| chosen, Interface::adapter)
}

/// [`adapter`] for a session, which can only be told that there is none; the reason is in the log.
#[cfg_attr(not(vlan_get_packet_adapter), allow(dead_code, reason = "only that swap takes it"))]
pub(crate) fn session_adapter() -> Option<Tap> {
    logged(adapter())
}

/// The interface's descriptor for a C session: one frame per call, as the C reads and writes.
fn plain_descriptor() -> Option<i32> {
    logged(with_tier(|_| Some(Tier::Plain), |interface| Ok(interface.fd()?.as_raw_fd())))
}

/// Brings the interface to the tier wanted if it is in another one, and asks it for something.
fn with_tier<T>(
    wanted: impl FnOnce(Option<Tier>) -> Option<Tier>,
    ask: impl FnOnce(&mut Interface) -> Result<T, InterfaceError>,
) -> Result<Option<T>, InterfaceError> {
    let mut slot = client();
    let Some(Client { interface, tier }) = slot.as_mut() else { return Ok(None) };
    let tier = wanted(*tier);
    if interface.tier() != tier.unwrap_or(Tier::Offload) {
        interface.set_tier(tier)?;
    }
    ask(interface).map(Some)
}

fn logged<T>(answer: Result<Option<T>, InterfaceError>) -> Option<T> {
    match answer {
        Ok(Some(answer)) => return Some(answer),
        Ok(None) => tracing::error!("the session has no network interface to run on"),
        Err(error) => tracing::error!(%error, "the session cannot use the network interface"),
    }
    None
}

/// Stands in for `VLanPaInit` (Cedar/VLanUnix.c) before the C's other four functions: makes the VLAN they work on,
/// with the client's descriptor. It belongs to the session and is freed by `VLanPaFree`, which leaves the descriptor
/// open.
///
/// # Safety
/// `s` is a session whose packet adapter is the C's, as Cedar calls it.
pub unsafe extern "C" fn vlan_pa_init(s: *mut SESSION) -> bool_ {
    let Some(fd) = plain_descriptor() else { return 0 };
    let vlan = memory::malloc(memory::index(size_of::<VLAN>())).cast::<VLAN>();
    // SAFETY: new memory of a VLAN's size; the session is Cedar's, and its adapter's Param is ours to set. The name is
    // copied because FreeVLan frees it.
    unsafe {
        vlan.write(VLAN {
            Halt: 0,
            InstanceName: softether_sys::CopyStr((*(*s).ClientOption).DeviceName.as_mut_ptr()),
            fd,
        });
        (*(*s).PacketAdapter).Param = vlan.cast();
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_chosen_by_name_or_refused_with_the_names_that_there_are() {
        let chosen = |text: &str| chosen_tier(Some(OsStr::new(text))).map_err(|error| error.to_string());
        assert!(matches!(chosen_tier(None), Ok(None)));
        assert_eq!(chosen(""), Ok(None));
        assert_eq!(chosen("plain"), Ok(Some(Tier::Plain)));
        assert_eq!(chosen("napi"), Ok(Some(Tier::Napi)));
        assert_eq!(chosen("offload"), Ok(Some(Tier::Offload)));
        for wrong in ["Plain", "vnet", "plain "] {
            let error = chosen(wrong).unwrap_err();
            assert!(error.contains(wrong) && error.contains("plain, napi and offload"), "{error}");
        }
    }
}
