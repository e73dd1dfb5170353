//! The network interface of the client, from which each session takes its packet adapter, C or Rust.
//!
//! The client makes the interface once and keeps it over reconnects, so addresses and routes stay, whichever side
//! the next session runs on. The C's adapter looks its descriptor up in a list that only the C's own, barer way of
//! making an interface fills; [`vlan_pa_init`] takes that one function's place on both builds.

use crate::memory;
use cedar::adapter::linux::{Interface, InterfaceConfig, InterfaceError, Tap, Tier};
use softether_sys::{SESSION, VLAN, bool_};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

static INTERFACE: Mutex<Option<Interface>> = Mutex::new(None);

fn interface() -> MutexGuard<'static, Option<Interface>> {
    INTERFACE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the process's interface. An interface that was open is dropped first.
///
/// # Errors
/// What keeps the interface from being made; each says what to do.
pub fn open(config: InterfaceConfig) -> Result<(), InterfaceError> {
    let mut slot = interface();
    *slot = None;
    *slot = Some(Interface::open(config)?);
    Ok(())
}

/// Drops the interface, which removes it unless it is persistent. Called when no session runs.
pub fn close() {
    *interface() = None;
}

/// The adapter of a Rust session, with the best offloads that the kernel grants. `None` without an interface, or if
/// the operating system refuses; the reason is in the log.
#[cfg_attr(not(vlan_get_packet_adapter), allow(dead_code, reason = "only that swap takes it"))]
pub(crate) fn adapter() -> Option<Tap> {
    with_tier(None, Interface::adapter)
}

/// The interface's descriptor for a C session: one frame per call, as the C reads and writes.
fn plain_descriptor() -> Option<i32> {
    with_tier(Some(Tier::Plain), |interface| Ok(interface.fd()?.as_raw_fd()))
}

/// Brings the interface to `tier` if it is in another one, and asks it for something.
fn with_tier<T>(tier: Option<Tier>, ask: impl FnOnce(&mut Interface) -> Result<T, InterfaceError>) -> Option<T> {
    let mut slot = interface();
    let Some(interface) = slot.as_mut() else {
        tracing::error!("the session has no network interface to run on");
        return None;
    };
    let wanted = tier.unwrap_or(Tier::Offload);
    let fits = interface.tier() == wanted || (tier.is_none() && interface.tier() != Tier::Plain);
    let brought = if fits { Ok(()) } else { interface.set_tier(tier) };
    match brought.and_then(|()| ask(interface)) {
        Ok(answer) => Some(answer),
        Err(error) => {
            tracing::error!(%error, "the session cannot use the network interface");
            None
        }
    }
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
