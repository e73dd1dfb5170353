//! One session: one attempt of Cedar's to connect, and what it carries until it ends.
//!
//! 1. `start` gives Cedar the packet adapter, on whichever side it runs, and the thread of the session begins.
//! 2. Cedar connects and asks `checkCertificate` before it sends anything about the user.
//! 3. The session carries frames (`isEstablished`) until either end stops it.
//! 4. `end` waits for the thread and frees what is left. Whether to try again is the client's decision.

const std = @import("std");
const c = @import("c");
const cutover = @import("cutover");
const adapters = @import("adapter.zig");
const Profile = @import("profile.zig").Profile;

/// How often a stopped session's thread is looked at.
const stop_step_ms = 20;

/// The session whose certificate is to be checked. Cedar's callback has no room for a pointer of ours, and there is
/// one session at a time.
var connecting: ?*Session = null;

pub const Session = struct {
    raw: *c.SESSION,
    profile: *const Profile,
    adapter: adapters.Side,
    /// Cedar's connection, held from the certificate's check on, so that its counters can be read safely.
    connection: ?*c.CONNECTION,

    /// Begins an attempt. `session` and `profile` stay where they are until `end`.
    pub fn start(session: *Session, cedar: *c.CEDAR, profile: *Profile) void {
        const table, const side = adapters.make();
        profile.auth.CheckCertProc = checkCertificate;
        session.* = .{ .raw = undefined, .profile = profile, .adapter = side, .connection = null };
        @atomicStore(?*Session, &connecting, session, .release);
        session.raw = c.NewClientSessionEx(cedar, &profile.option, &profile.auth, table, null);
    }

    pub fn isEstablished(session: *const Session) bool {
        // Cedar says so before the packet adapter is ready; the loop notes the time when it begins.
        const begun = @atomicLoad(c.UINT64, &session.raw.CurrentConnectionEstablishTime, .acquire);
        return session.status() == c.CLIENT_STATUS_ESTABLISHED and begun != 0;
    }

    /// Whether it carries frames and nothing says that it is about to end.
    pub fn isSettled(session: *const Session) bool {
        return session.isEstablished() and !adapters.isEnding();
    }

    /// Whether the attempt is over: it failed, or the session has ended.
    pub fn isOver(session: *const Session) bool {
        return session.status() >= c.CLIENT_STATUS_RETRY;
    }

    fn status(session: *const Session) c.UINT {
        return @atomicLoad(c.UINT, &session.raw.ClientStatus, .acquire);
    }

    /// Asks the session to end, and waits. False if its thread hangs (in a name's resolution, say) after `ms`; the
    /// session may not be ended then.
    pub fn stop(session: *Session, ms: u32) bool {
        c.StopSessionEx(session.raw, 1);
        var waited: u32 = 0;
        while (waited < ms) : (waited += stop_step_ms) {
            if (c.WaitThread(session.raw.Thread, stop_step_ms) != 0) return true;
        }
        return false;
    }

    /// Waits for the thread of a session that is over, frees the session, and returns Cedar's error number for why it
    /// ended.
    pub fn end(session: *Session) u32 {
        _ = c.WaitThread(session.raw.Thread, c.INFINITE);
        @atomicStore(?*Session, &connecting, null, .release);
        // Cedar has no error for terms that are not ours, and would blame the network interface.
        const reason: u32 = if (adapters.is_refused) c.ERR_CIPHER_NOT_SUPPORTED else session.raw.Err;
        if (session.connection) |connection| c.ReleaseConnection(connection);
        // Ours is the last reference. Cedar's cleanup reads the option after freeing it, and leaves the password in
        // what it frees: so the option goes here and the password is zeroed.
        c.Free(session.raw.ClientOption);
        session.raw.ClientOption = null;
        const auth: *c.CLIENT_AUTH = session.raw.ClientAuth;
        std.crypto.secureZero(u8, &auth.HashedPassword);
        std.crypto.secureZero(u8, &auth.PlainPassword);
        c.ReleaseSession(session.raw);
        return reason;
    }

    /// Frames and bytes carried so far.
    pub fn traffic(session: *const Session) c.TRAFFIC {
        _ = c.Lock(session.raw.TrafficLock);
        defer c.Unlock(session.raw.TrafficLock);
        return session.raw.Traffic.*;
    }

    /// TCP connections in use.
    pub fn connections(session: *const Session) u32 {
        const connection = session.connection orelse return 0;
        return c.Count(connection.CurrentNumConnection);
    }

    /// The TLS cipher of an established session.
    pub fn cipher(session: *const Session) ?[*:0]const u8 {
        const connection = session.connection orelse return null;
        return connection.CipherName;
    }

    /// The server's name for an established session.
    pub fn name(session: *const Session) ?[*:0]const u8 {
        return session.raw.Name;
    }

    /// Whether frames go by UDP at the moment.
    pub fn usesUdp(session: *const Session) bool {
        return session.raw.IsUsingUdpAcceleration != 0;
    }
};

/// Cedar asks, in a thread of its own, whether the server is the right one, while the session's thread waits.
fn checkCertificate(
    _: [*c]c.SESSION,
    connection: [*c]c.CONNECTION,
    _: [*c]c.X,
    _: [*c]c.UINT,
) callconv(.c) c.UINT {
    const session = @atomicLoad(?*Session, &connecting, .acquire) orelse return 0;
    _ = c.AddRef(connection.*.ref);
    session.connection = connection;
    const ssl = connection.*.FirstSock.*.ssl;
    const verdict = cutover.cutover_connection_verify(session.profile.handle, ssl);
    return @intFromBool(verdict == cutover.CUTOVER_STATUS_OK);
}
