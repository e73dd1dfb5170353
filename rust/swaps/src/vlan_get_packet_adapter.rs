//! `VLanGetPacketAdapter`: the table of the five functions through which a session reads and writes frames.
//!
//! 1. `init` takes the session's adapter from the client's interface.
//! 2. `get_cancel` gives the descriptors that wake the session: the card's, and one that says that frames of the
//!    last packet are still to be fetched.
//! 3. `get_next_packet` hands out one frame in Mayaqua memory; the card is read only when the last packet is used up.
//! 4. `put_packet` stages a frame, and writes what is staged when the session says that its turn is over.
//! 5. `free` gives the adapter back; the interface stays.
//!
//! Ownership: `Param` is a boxed [`SessionAdapter`] from `init` to `free`. Frames handed out are the session's to free;
//! frames put are freed here. A session calls from one thread. No C locks are held or taken.

use crate::{VLAN_GET_PACKET_ADAPTER, interface, memory};
use cedar::adapter::linux::Tap;
use cedar::adapter::{Adapter, Error};
use rustix::event::{EventfdFlags, eventfd};
use softether_sys::{
    CANCEL, INFINITE, MAX_PACKET_SIZE, NewCancel, NewPacketAdapter, PACKET_ADAPTER, SESSION,
    UINT, UnixDeletePipe, bool_,
};
use std::ffi::c_void;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use switch::guard;

switch::swap! {
    /// Makes the packet adapter of a client session (C: `VLanGetPacketAdapter`, Cedar/VLanUnix.c). The session frees it.
    pub unsafe extern "C" fn VLanGetPacketAdapter() -> *mut PACKET_ADAPTER;
    swap: crate::VLAN_GET_PACKET_ADAPTER,
    signature: softether_sys::VLanGetPacketAdapter,
    c: c_VLanGetPacketAdapter,
    contract: effect(ptr::null_mut()),
    rust: rust,
    self_test: self_test,
}

/// The Rust side.
///
/// # Safety
/// None. `unsafe` is the macro's form.
pub unsafe fn rust() -> *mut PACKET_ADAPTER {
    // SAFETY: NewPacketAdapter takes any five functions of these types.
    unsafe { NewPacketAdapter(Some(init), Some(get_cancel), Some(get_next_packet), Some(put_packet), Some(free)) }
}

/// Whether a packet adapter is one of [`rust`]'s. The client puts functions of its own before
/// some of the five, but not before `GetCancel`.
///
/// # Safety
/// `adapter` is a packet adapter.
pub unsafe fn is_own(adapter: *const PACKET_ADAPTER) -> bool {
    let own = get_cancel as unsafe extern "C" fn(_) -> _;
    // SAFETY: the caller's.
    unsafe { (*adapter).GetCancel }.is_some_and(|function| function as usize == own as usize)
}

/// What a session's `Param` points to.
struct SessionAdapter {
    tap: Tap,
    /// Readable while the session stopped fetching before the card's last packet was used up.
    more: OwnedFd,
    is_more: bool,
    /// Frames handed out since the card last had none.
    frames_in_turn: u32,
}

/// A client's session fetches so many frames a turn; then it sends, and waits for its descriptors
/// (C: `MAX_SEND_SOCKET_QUEUE_NUM`, Cedar/Cedar.h, a macro that bindgen cannot evaluate).
const TURN_FRAMES_MAX: u32 = 128;

impl SessionAdapter {
    fn new() -> Option<Self> {
        let more = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
        let more = more.inspect_err(|error| tracing::error!(%error, "no event descriptor for the packet adapter")).ok()?;
        Some(Self { tap: interface::session_adapter()?, more, is_more: false, frames_in_turn: 0 })
    }

    /// The next frame, copied to Mayaqua memory for the session.
    fn next_packet(&mut self) -> Result<Option<(*mut c_void, u32)>, Error> {
        self.set_more(false);
        let Some(frame) = self.tap.next_frame()? else {
            self.frames_in_turn = 0;
            return Ok(None);
        };
        let packet = (memory::malloc_copy(frame), memory::index(frame.len()));
        self.frames_in_turn += 1;
        if self.frames_in_turn == TURN_FRAMES_MAX {
            self.frames_in_turn = 0;
            self.set_more(true);
        }
        Ok(Some(packet))
    }

    fn set_more(&mut self, is_more: bool) {
        if is_more == self.is_more {
            return;
        }
        // An event descriptor of our own, written once and read once: neither call can fail or block.
        let _ = if is_more {
            rustix::io::write(&self.more, &1_u64.to_ne_bytes())
        } else {
            rustix::io::read(&self.more, &mut [0; 8])
        };
        self.is_more = is_more;
    }
}

/// The adapter of a session between `init` and `free`.
///
/// # Safety
/// `s` is null or a session with this file's packet adapter, and nobody else uses its adapter meanwhile.
unsafe fn adapter<'a>(s: *mut SESSION) -> Option<&'a mut SessionAdapter> {
    // SAFETY: the caller's; Param is null or what `init` left there.
    unsafe { s.as_ref().and_then(|s| (*s.PacketAdapter).Param.cast::<SessionAdapter>().as_mut()) }
}

/// The TAP of a session between `init` and `free`.
///
/// # Safety
/// `s` is a session with this file's packet adapter, and nobody else uses its adapter while the result lives.
#[cfg(fused_path)]
pub(crate) unsafe fn tap<'a>(s: *mut SESSION) -> Option<&'a mut Tap> {
    // SAFETY: the caller's.
    unsafe { adapter(s) }.map(|adapter| &mut adapter.tap)
}

/// C: `VLanPaInit`.
unsafe extern "C" fn init(s: *mut SESSION) -> bool_ {
    let made = guard(&VLAN_GET_PACKET_ADAPTER, SessionAdapter::new).flatten();
    let (Some(adapter), false) = (made, s.is_null()) else { return 0 };
    // SAFETY: Cedar calls with a session that has this packet adapter.
    unsafe { (*(*s).PacketAdapter).Param = Box::into_raw(Box::new(adapter)).cast() };
    1
}

/// C: `VLanPaGetCancel`. The cancel object does not own the descriptors: `SpecialFlag` says so, and that they are not
/// to be drained.
unsafe extern "C" fn get_cancel(s: *mut SESSION) -> *mut CANCEL {
    // SAFETY: Cedar's session.
    let Some(adapter) = (unsafe { adapter(s) }) else { return ptr::null_mut() };
    let Some(card) = adapter.tap.readiness() else { return ptr::null_mut() };
    // SAFETY: a new cancel object, whose own pipe is replaced.
    unsafe {
        let cancel = NewCancel();
        UnixDeletePipe((*cancel).pipe_read, (*cancel).pipe_write);
        (*cancel).SpecialFlag = 1;
        (*cancel).pipe_read = card.as_raw_fd();
        (*cancel).pipe_write = -1;
        (*cancel).pipe_special_read2 = adapter.more.as_raw_fd();
        cancel
    }
}

/// C: `VLanPaGetNextPacket`. 0 = none now, `INFINITE` = the card is gone.
unsafe extern "C" fn get_next_packet(s: *mut SESSION, data: *mut *mut c_void) -> UINT {
    // SAFETY: Cedar's session.
    let (Some(adapter), false) = (unsafe { adapter(s) }, data.is_null()) else { return INFINITE };
    let (packet, size) = match guard(&VLAN_GET_PACKET_ADAPTER, || adapter.next_packet()) {
        Some(Ok(Some(packet))) => packet,
        Some(Ok(None)) => (ptr::null_mut(), 0),
        Some(Err(error)) => {
            tracing::error!(%error, "the packet adapter ends the session");
            return INFINITE;
        }
        None => return INFINITE,
    };
    // SAFETY: the session's place for the result.
    unsafe { *data = packet };
    size
}

/// C: `VLanPaPutPacket`. A frame that is too long ends the session, as in the C, and stays the caller's. What the card
/// refuses is counted by the adapter and lost, as on a wire; only a card that is gone ends the session.
unsafe extern "C" fn put_packet(s: *mut SESSION, data: *mut c_void, size: UINT) -> bool_ {
    // SAFETY: Cedar's session.
    let Some(adapter) = (unsafe { adapter(s) }) else { return 0 };
    if size > MAX_PACKET_SIZE {
        return 0;
    }
    // SAFETY: the session gives `size` bytes away.
    let frame = unsafe { memory::view(data, size) };
    let put = guard(&VLAN_GET_PACKET_ADAPTER, || {
        if frame.is_empty() { adapter.tap.flush() } else { adapter.tap.put_frame(frame) }
    });
    match put {
        Some(Ok(())) => {
            // SAFETY: the session gave it away, and it is copied or written by now.
            unsafe { memory::free(data) };
            1
        }
        Some(Err(error)) => {
            tracing::error!(%error, "the packet adapter ends the session");
            0
        }
        None => 0,
    }
}

/// C: `VLanPaFree`.
unsafe extern "C" fn free(s: *mut SESSION) {
    // SAFETY: Cedar's session; Param is null or what `init` boxed, and is forgotten here.
    unsafe {
        if let Some(adapter) = adapter(s) {
            (*(*s).PacketAdapter).Param = ptr::null_mut();
            drop(Box::from_raw(adapter));
        }
    }
}

/// The table is whole and is not the C's.
fn self_test() -> Result<(), String> {
    // SAFETY: both tables are new, and freed once.
    unsafe {
        let (c, rust) = (c_VLanGetPacketAdapter(), rust());
        let addresses = |table: *mut PACKET_ADAPTER| {
            let t = &*table;
            [
                t.Init.map_or(0, |f| f as usize),
                t.GetCancel.map_or(0, |f| f as usize),
                t.GetNextPacket.map_or(0, |f| f as usize),
                t.PutPacket.map_or(0, |f| f as usize),
                t.Free.map_or(0, |f| f as usize),
            ]
        };
        let differ = addresses(c).iter().zip(addresses(rust)).all(|(&c, rust)| c != 0 && rust != 0 && c != rust);
        softether_sys::FreePacketAdapter(c);
        softether_sys::FreePacketAdapter(rust);
        if differ { Ok(()) } else { Err("a function is missing or the C's".to_owned()) }
    }
}
