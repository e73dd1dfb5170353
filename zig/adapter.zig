//! The packet adapter of a session: the function table that Cedar moves frames through, C's or Rust's, with three
//! additions of the client, and a beat that says that the session's loop goes round.
//!
//! 1. The C side takes the client's interface, not one that the C made.
//! 2. The session's thread forgets OpenSSL's old errors. The C asks SSL_get_error after every read without clearing the
//!    thread's error queue first, as OpenSSL demands: one connection that ended badly makes every later "nothing to
//!    read yet", on any connection of that thread, look like a failure, and Cedar's threads serve one session after
//!    the other. Without this no session stays up in a process whose server was killed once.
//! 3. `Init` is where a session begins, on either side: what the server's Welcome said is clamped or refused there.

const std = @import("std");
const c = @import("c");
const cutover = @import("cutover");
const log = @import("log.zig");

extern fn ERR_clear_error() void;

pub const Side = enum { c, rust };

/// The functions behind ours; there is one session at a time.
var inner: struct { init: *const c.PA_INIT, put: *const c.PA_PUTPACKET, next: *const c.PA_GETNEXTPACKET } = undefined;

/// Whether the last session was refused because of the server's terms. Read once its thread has ended.
pub var is_refused = false;

/// A new adapter of the side that the swaps' modes say, for one session; Cedar frees it with the session.
pub fn make() struct { *c.PACKET_ADAPTER, Side } {
    const adapter: *c.PACKET_ADAPTER = c.VLanGetPacketAdapter();
    const side: Side = if (adapter.Init == &c.VLanPaInit) .c else .rust;
    const own_init: *const c.PA_INIT = @ptrCast(&cutover.cutover_vlan_pa_init);
    inner = .{
        .init = if (side == .c) own_init else adapter.Init.?,
        .put = adapter.PutPacket.?,
        .next = adapter.GetNextPacket.?,
    };
    adapter.Init = init;
    adapter.PutPacket = put;
    adapter.GetNextPacket = next;
    is_refused = false;
    return .{ adapter, side };
}

fn init(session: [*c]c.SESSION) callconv(.c) c.UINT {
    ERR_clear_error();
    if (cutover.cutover_session_hold_terms(@ptrCast(session)) != cutover.CUTOVER_STATUS_OK) {
        std.log.err("{s}", .{log.lastError()});
        is_refused = true;
        return 0;
    }
    return inner.init(session);
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
    return inner.next(session, data);
}
