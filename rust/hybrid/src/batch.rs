//! The packet adapter for programs in C and Zig that move frames themselves: many frames per call, in the caller's memory.
//! The session loop does not come through here; its adapter is the swap `vlan_get_packet_adapter`.
//!
//! 1. `cutover_adapter_open` takes the adapter of the process's interface; a session and a program exclude each other.
//! 2. `cutover_adapter_readiness` gives a descriptor to wait on.
//! 3. `cutover_get_packet_batch` fills the caller's bytes with frames and says where each stands.
//! 4. `cutover_put_packet_batch` writes frames straight from the caller's bytes, merged where the kernel takes that.
//! 5. `cutover_adapter_close` gives the adapter back; the interface stays.
//!
//! Ownership: bytes and spans are the caller's throughout, the adapter is the caller's from open to close. All memory is
//! allocated in step 1. An adapter is used by one thread at a time.

use crate::error::{Status, boundary, failed, guarded};
use crate::interface::status_of;
use cedar::adapter::linux::Tap;
use cedar::adapter::{
    Adapter as _, BATCH_FRAMES_MAX, DropReason, Error, FRAME_MAX_TAGGED, Frames, Span as CedarSpan, stats::Drops,
};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::slice;

/// Most frames that one call moves.
pub const CUTOVER_BATCH_FRAMES_MAX: usize = 1024;

/// Longest frame that `cutover_get_packet_batch` gives, in bytes: with one VLAN tag. The least room it takes.
pub const CUTOVER_FRAME_SIZE_MAX: usize = 1518;

const _: () = assert!(CUTOVER_BATCH_FRAMES_MAX == BATCH_FRAMES_MAX && CUTOVER_FRAME_SIZE_MAX == FRAME_MAX_TAGGED);

/// The packet adapter of the process's interface.
pub struct Adapter {
    tap: Tap,
    /// Where the frames of the batch being put stand; room for the largest.
    spans: Vec<CedarSpan>,
}

/// Where one frame stands in a batch's bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of its first byte.
    pub start: u32,
    /// Its length in bytes.
    pub length: u32,
}

/// Frames dropped, by reason.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounts {
    /// Shorter than an Ethernet header.
    pub runt: u64,
    /// Longer than the other side may be given.
    pub oversize: u64,
    /// Headers that contradict themselves.
    pub malformed: u64,
    /// A kind of super-packet that was not asked for.
    pub unknown_offload: u64,
    /// The receiving side had no room.
    pub full: u64,
    /// The interface was set down.
    pub down: u64,
    /// The kernel had no memory.
    pub no_memory: u64,
    /// The kernel refused the frame.
    pub refused: u64,
}

/// What crossed an adapter since it was opened. "Received" is from the interface, "sent" is to it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdapterStats {
    /// Frames handed out.
    pub frames_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Frames that the kernel took.
    pub frames_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// System calls that read, those that found nothing included.
    pub reads: u64,
    /// System calls that wrote.
    pub writes: u64,
    /// Frames lost on the way from the interface.
    pub receive_drops: DropCounts,
    /// Frames lost on the way to the interface.
    pub send_drops: DropCounts,
}

/// Takes the adapter of the process's interface, to be given back by `cutover_adapter_close`.
///
/// # Errors
/// `NotFound` without an interface (`cutover_interface_open` makes it), `Busy` while a session or another adapter uses it,
/// `Invalid` for null, otherwise as for `cutover_interface_open`. `adapter` is null then.
///
/// # Safety
/// `adapter` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_adapter_open(adapter: *mut *mut Adapter) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        let out = unsafe { out(adapter, "adapter") }?;
        out.write(std::ptr::null_mut());
        let taken = swaps::interface::adapter().map_err(|error| failed(status_of(&error), error))?;
        let tap = taken.ok_or_else(|| failed(Status::NotFound, "there is no network interface; open it first"))?;
        out.write(Box::into_raw(Box::new(Adapter { tap, spans: Vec::with_capacity(BATCH_FRAMES_MAX) })));
        Ok(())
    })
}

/// Gives an adapter back. Null is ignored. The interface and its addresses stay.
///
/// # Safety
/// `adapter` is null or from `cutover_adapter_open`, and used no more; its descriptor neither.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_adapter_close(adapter: *mut Adapter) {
    boundary((), || {
        if !adapter.is_null() {
            // SAFETY: the caller's.
            drop(unsafe { Box::from_raw(adapter) });
        }
    });
}

/// The descriptor that is readable (`POLLIN`, or `POLLERR`) while `cutover_get_packet_batch` has something to give or to
/// say. It belongs to the adapter: it is neither to be read nor to be closed.
///
/// # Errors
/// `Invalid` for null.
///
/// # Safety
/// `adapter` is null or from `cutover_adapter_open`; `descriptor` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_adapter_readiness(adapter: *const Adapter, descriptor: *mut c_int) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        let (adapter, descriptor) = unsafe { (given(adapter.as_ref(), "adapter")?, out(descriptor, "descriptor")?) };
        let readable = adapter.tap.readiness();
        let readable = readable.ok_or_else(|| failed(Status::Unsupported, "the adapter has no descriptor"))?;
        descriptor.write(readable.as_raw_fd());
        Ok(())
    })
}

/// Takes the frames that wait at the interface, as many as fit, one behind the other, into `bytes`; `spans` says where
/// each stands and `frames` how many there are. None is no error. It stops at `frames_capacity`, at
/// `CUTOVER_BATCH_FRAMES_MAX`, and when fewer than `CUTOVER_FRAME_SIZE_MAX` bytes are left. Frames are whole, have at least
/// 14 bytes and no open checksum.
///
/// # Errors
/// `NotFound`: the interface was deleted. `Io`: it cannot be read. Frames that were taken before that are given first,
/// and the error with the next call. `Invalid`: something is null, `bytes_capacity` is below `CUTOVER_FRAME_SIZE_MAX`, or
/// `frames_capacity` is 0.
///
/// # Safety
/// `adapter` is null or from `cutover_adapter_open`. `bytes` is null or points to `bytes_capacity` bytes, `spans` is null or
/// points to `frames_capacity` spans; both may be written, and they do not overlap. `frames` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_get_packet_batch(
    adapter: *mut Adapter,
    bytes: *mut u8,
    bytes_capacity: usize,
    spans: *mut Span,
    frames_capacity: usize,
    frames: *mut usize,
) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        let (adapter, frames) = unsafe { (given(adapter.as_mut(), "adapter")?, out(frames, "frames")?) };
        frames.write(0);
        if bytes.is_null() || spans.is_null() {
            return Err(failed(Status::Invalid, "bytes or spans is null"));
        }
        if bytes_capacity < FRAME_MAX_TAGGED || frames_capacity == 0 {
            return Err(failed(Status::Invalid, "the room is smaller than CUTOVER_FRAME_SIZE_MAX, or for no frame"));
        }
        // More than this is never filled. A slice may not be longer than isize::MAX either.
        let bytes_capacity = bytes_capacity.min(BATCH_FRAMES_MAX * FRAME_MAX_TAGGED);
        let frames_capacity = frames_capacity.min(BATCH_FRAMES_MAX);
        // SAFETY: the caller's; neither length exceeds what it said.
        let (bytes, spans) = unsafe {
            let bytes = slice::from_raw_parts_mut(bytes.cast::<MaybeUninit<u8>>(), bytes_capacity);
            (bytes, slice::from_raw_parts_mut(spans.cast::<MaybeUninit<Span>>(), frames_capacity))
        };
        frames.write(adapter.get(bytes, spans)?);
        Ok(())
    })
}

/// Writes frames to the interface: those that `spans` cut out of `bytes`, in this order. What the kernel does not take is
/// counted by reason (`cutover_adapter_stats`) and lost, as on a wire.
///
/// # Errors
/// `NotFound`: the interface was deleted. `Invalid`: something is null, there are more than `CUTOVER_BATCH_FRAMES_MAX`
/// frames, or a span is outside of `bytes`; nothing is written then. No frames are no error.
///
/// # Safety
/// `adapter` is null or from `cutover_adapter_open`. `bytes` is null or points to `length` bytes, `spans` is null or points
/// to `frames` spans.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_put_packet_batch(
    adapter: *mut Adapter,
    bytes: *const u8,
    length: usize,
    spans: *const Span,
    frames: usize,
) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        let adapter = given(unsafe { adapter.as_mut() }, "adapter")?;
        if frames == 0 {
            return Ok(());
        }
        if bytes.is_null() || spans.is_null() {
            return Err(failed(Status::Invalid, "bytes or spans is null"));
        }
        // A span reaches no further than 8 GiB; the length of a slice must fit isize.
        if frames > BATCH_FRAMES_MAX || length > isize::MAX as usize {
            return Err(failed(Status::Invalid, "more than CUTOVER_BATCH_FRAMES_MAX frames, or an impossible length"));
        }
        // SAFETY: the caller's.
        let (bytes, spans) = unsafe { (slice::from_raw_parts(bytes, length), slice::from_raw_parts(spans, frames)) };
        adapter.put(bytes, spans)
    })
}

/// What crossed the adapter and what was dropped, since it was opened.
///
/// # Errors
/// `Invalid` for null.
///
/// # Safety
/// `adapter` is null or from `cutover_adapter_open`; `stats` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cutover_adapter_stats(adapter: *const Adapter, stats: *mut AdapterStats) -> Status {
    guarded(|| {
        // SAFETY: the caller's.
        let (adapter, stats) = unsafe { (given(adapter.as_ref(), "adapter")?, out(stats, "stats")?) };
        let counted = adapter.tap.stats();
        stats.write(AdapterStats {
            frames_received: counted.frames_received,
            bytes_received: counted.bytes_received,
            frames_sent: counted.frames_sent,
            bytes_sent: counted.bytes_sent,
            reads: counted.reads,
            writes: counted.writes,
            receive_drops: drop_counts(&counted.receive_drops),
            send_drops: drop_counts(&counted.send_drops),
        });
        Ok(())
    })
}

impl Adapter {
    fn get(&mut self, bytes: &mut [MaybeUninit<u8>], spans: &mut [MaybeUninit<Span>]) -> Result<usize, Status> {
        let mut start = 0;
        for (frames, span) in spans.iter_mut().enumerate() {
            if bytes.len() - start < FRAME_MAX_TAGGED {
                return Ok(frames);
            }
            let frame = match self.tap.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(frames),
                Err(error) if frames == 0 => return Err(failed(status_of_adapter(error), error)),
                // It lasts, and is met again when these frames have been taken.
                Err(_) => return Ok(frames),
            };
            let Some(room) = bytes.get_mut(start..start + frame.len()) else { return Ok(frames) };
            room.write_copy_of_slice(frame);
            span.write(Span { start: word(start), length: word(frame.len()) });
            start += frame.len();
        }
        Ok(spans.len())
    }

    fn put(&mut self, bytes: &[u8], spans: &[Span]) -> Result<(), Status> {
        let is_inside = |span: &Span| u64::from(span.start) + u64::from(span.length) <= bytes.len() as u64;
        if let Some(number) = spans.iter().position(|span| !is_inside(span)) {
            return Err(failed(Status::Invalid, format_args!("frame {number} is outside of the batch's bytes")));
        }
        self.spans.clear();
        self.spans.extend(spans.iter().map(|span| CedarSpan { start: span.start, len: span.length }));
        let sent = self.tap.send(Frames::new(bytes, &self.spans));
        sent.map_err(|error| failed(status_of_adapter(error), error))
    }
}

/// An offset or a length in a batch, which has at most 1024 frames of 1518 bytes.
fn word(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn drop_counts(drops: &Drops) -> DropCounts {
    DropCounts {
        runt: drops.count(DropReason::Runt),
        oversize: drops.count(DropReason::Oversize),
        malformed: drops.count(DropReason::Malformed),
        unknown_offload: drops.count(DropReason::UnknownOffload),
        full: drops.count(DropReason::Full),
        down: drops.count(DropReason::Down),
        no_memory: drops.count(DropReason::NoMemory),
        refused: drops.count(DropReason::Refused),
    }
}

fn status_of_adapter(error: Error) -> Status {
    if error == Error::Gone { Status::NotFound } else { Status::Io }
}

/// An argument that must not be null.
fn given<T>(argument: Option<T>, what: &str) -> Result<T, Status> {
    argument.ok_or_else(|| failed(Status::Invalid, format_args!("{what} is null")))
}

/// A place for a result.
///
/// # Safety
/// `place` is null or may be written during the call.
unsafe fn out<'a, T>(place: *mut T, what: &str) -> Result<&'a mut MaybeUninit<T>, Status> {
    // SAFETY: the caller's.
    given(unsafe { place.cast::<MaybeUninit<T>>().as_mut() }, what)
}
