//! The packet adapter of a session: the function table that Cedar moves frames through, C's or Rust's, with five
//! additions of the client, a beat that says that the session's loop goes round, and a word to the main thread at its end.
//!
//! 1. The C side takes the client's interface, not one that the C made.
//! 2. The session's thread forgets OpenSSL's old errors. The C asks SSL_get_error after every read without clearing the
//!    thread's error queue first, as OpenSSL demands: one connection that ended badly makes every later "nothing to
//!    read yet", on any connection of that thread, look like a failure, and Cedar's threads serve one session after
//!    the other. Without this no session stays up in a process whose server was killed once.
//! 3. `Init` is where a session begins, on either side: what the server's Welcome said is clamped or refused there.
//! 4. A session whose connections are lost as fast as they are made ends, and the client connects anew. Servers of this
//!    version with OpenSSL 3 have the same defect: after one reset they drop every connection of that session, for ever,
//!    and the session lives on without carrying a frame, since each attempt counts as a sign of life.
//! 5. From `Init` to `Free` the session's thread is known to work for it: shares of sessions are drawn by that, and the log
//!    says so.

const std = @import("std");
const c = @import("c");
const cutover = @import("cutover");
const log = @import("log.zig");

extern fn ERR_clear_error() void;

pub const Side = enum { c, rust };

/// The functions behind ours; there is one session at a time.
var inner: struct {
    init: *const c.PA_INIT,
    put: *const c.PA_PUTPACKET,
    next: *const c.PA_GETNEXTPACKET,
    free: *const c.PA_FREE,
} = undefined;

/// Whether the last session was refused because of the server's terms. Read once its thread has ended.
pub var is_refused = false;

/// Whether the session has freed the adapter, which is what it does last before its status says that it is over.
var is_freed = false;

/// Whether the session is about to be over.
pub fn isEnding() bool {
    return @atomicLoad(bool, &is_freed, .acquire);
}

/// A new adapter of the side that the swaps' modes say, for one session; Cedar frees it with the session.
pub fn make() struct { *c.PACKET_ADAPTER, Side } {
    const adapter: *c.PACKET_ADAPTER = c.VLanGetPacketAdapter();
    const side: Side = if (adapter.Init == &c.VLanPaInit) .c else .rust;
    const own_init: *const c.PA_INIT = @ptrCast(&cutover.cutover_vlan_pa_init);
    inner = .{
        .init = if (side == .c) own_init else adapter.Init.?,
        .put = adapter.PutPacket.?,
        .next = adapter.GetNextPacket.?,
        .free = adapter.Free.?,
    };
    adapter.Init = init;
    adapter.PutPacket = put;
    adapter.GetNextPacket = next;
    adapter.Free = free;
    is_refused = false;
    @atomicStore(bool, &is_freed, false, .release);
    return .{ adapter, side };
}

/// Connections that the session has lost within ten seconds: since when, and how many it had lost before.
var losses: struct { since: u64 = 0, before: c.UINT = 0 } = .{};
const losses_window_ms = 10_000;

fn init(session: [*c]c.SESSION) callconv(.c) c.UINT {
    ERR_clear_error();
    cutover.cutover_session_enter(@ptrCast(session));
    if (cutover.cutover_session_hold_terms(@ptrCast(session)) != cutover.CUTOVER_STATUS_OK) {
        std.log.err("{s}", .{log.lastError()});
        is_refused = true;
        cutover.cutover_session_leave();
        return 0;
    }
    losses = .{ .before = session.*.NumDisconnected };
    const is_ready = inner.init(session);
    // Without that there is no `Free`.
    if (is_ready == 0) cutover.cutover_session_leave();
    return is_ready;
}

/// Cedar ends the frames of each round with a call without data, and goes on to the sockets in the next.
fn put(session: [*c]c.SESSION, data: ?*anyopaque, size: c.UINT) callconv(.c) c.UINT {
    if (data == null) ERR_clear_error();
    return inner.put(session, data, size);
}

/// A round without received frames has no call of `put`, but it asks for frames to send: without this, the connections
/// that a session makes in place of a lost one are taken for failed, too, round after round. So it is what tells the
/// control thread that the loop goes round.
fn next(session: [*c]c.SESSION, data: [*c]?*anyopaque) callconv(.c) c.UINT {
    ERR_clear_error();
    cutover.cutover_beat();
    endIfHopeless(session);
    return inner.next(session, data);
}

/// Tells the main thread, which sleeps while nothing happens, that the session ends.
fn free(session: [*c]c.SESSION) callconv(.c) void {
    inner.free(session);
    cutover.cutover_session_leave();
    @atomicStore(bool, &is_freed, true, .release);
    cutover.cutover_wake();
}

/// Ends the session when it has lost, within ten seconds, all of its connections and three that took their place.
fn endIfHopeless(session: *c.SESSION) void {
    const lost = session.NumDisconnected -% losses.before;
    if (lost == 0) return;
    const now = c.Tick64();
    if (losses.since == 0) losses.since = now;
    if (now - losses.since > losses_window_ms) {
        losses = .{ .before = session.NumDisconnected };
    } else if (lost >= session.MaxConnection +| 3) {
        losses = .{ .before = session.NumDisconnected };
        session.SessionTimeOuted = 1;
    }
}
