//! What the client tells the control socket: its state, and what was carried since it began.

const std = @import("std");
const c = @import("c");
const cutover = @import("cutover");
const Session = @import("session.zig").Session;

/// Longer errors are cut.
const error_bytes_max = 1024;

pub const Status = struct {
    /// Sessions made again.
    reconnects: u64 = 0,
    /// What earlier sessions carried.
    before: c.TRAFFIC = .{},
    /// Frames at the last report.
    frames: u64 = 0,
    error_buffer: [error_bytes_max:0]u8 = @splat(0),

    /// Keeps why the last session ended.
    pub fn setError(status: *Status, text: []const u8) void {
        const length = @min(text.len, error_bytes_max);
        @memcpy(status.error_buffer[0..length], text[0..length]);
        status.error_buffer[length] = 0;
    }

    pub fn lastError(status: *const Status) [:0]const u8 {
        return std.mem.sliceTo(&status.error_buffer, 0);
    }

    /// Reports a session that is being made or carries frames. Whether it has carried any since the last report.
    pub fn report(status: *Status, session: *const Session) bool {
        const now = status.sum(session.traffic());
        const frames = now.Send.UnicastCount +% now.Send.BroadcastCount +% now.Recv.UnicastCount +% now.Recv.BroadcastCount;
        defer status.frames = frames;
        if (session.isEstablished()) {
            var connected = status.base(cutover.CUTOVER_STATE_CONNECTED, now);
            connected.session = session.name() orelse null;
            connected.cipher = session.cipher() orelse null;
            connected.adapter = @tagName(session.adapter);
            connected.connections = session.connections();
            connected.udp_acceleration = session.usesUdp();
            cutover.cutover_report(&connected);
        } else {
            cutover.cutover_report(&status.base(cutover.CUTOVER_STATE_CONNECTING, now));
        }
        return frames != status.frames;
    }

    pub fn reportWaiting(status: *const Status) void {
        cutover.cutover_report(&status.base(cutover.CUTOVER_STATE_WAITING, status.before));
    }

    pub fn reportEnding(status: *const Status) void {
        cutover.cutover_report(&status.base(cutover.CUTOVER_STATE_ENDING, status.before));
    }

    /// Adds what a session carried that is about to be freed.
    pub fn finish(status: *Status, session: *const Session) void {
        status.before = status.sum(session.traffic());
    }

    fn sum(status: *const Status, traffic: c.TRAFFIC) c.TRAFFIC {
        var total = status.before;
        var added = traffic;
        c.AddTraffic(&total, &added);
        return total;
    }

    fn base(status: *const Status, state: cutover.CutoverState, traffic: c.TRAFFIC) cutover.CutoverReport {
        return .{
            .state = state,
            .sent_frames = traffic.Send.UnicastCount + traffic.Send.BroadcastCount,
            .sent_bytes = traffic.Send.UnicastBytes + traffic.Send.BroadcastBytes,
            .received_frames = traffic.Recv.UnicastCount + traffic.Recv.BroadcastCount,
            .received_bytes = traffic.Recv.UnicastBytes + traffic.Recv.BroadcastBytes,
            .reconnects = status.reconnects,
            .last_error = if (status.error_buffer[0] == 0) null else &status.error_buffer,
        };
    }
};

test "a long error is cut, a short one replaces it" {
    var status: Status = .{};
    status.setError(&@as([error_bytes_max + 7]u8, @splat('x')));
    try std.testing.expectEqual(error_bytes_max, status.lastError().len);
    status.setError("short");
    try std.testing.expectEqualStrings("short", status.lastError());
}
