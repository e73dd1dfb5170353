//! `cutover up`: keeps one connection up until it is asked to end or trying again is useless.
//!
//! 1. Read the configuration and the user's secret; block the signals; take the instance's name.
//! 2. Start SoftEther and the swaps; make the interface, which stays until the end.
//! 3. Connect; watch the session; when it ends, decide by its reason: give up, or wait and connect again.
//! 4. SIGINT and SIGTERM end it, SIGHUP reads the configuration anew, SIGUSR1 puts everything on C. All that was made goes
//!    with the process.
//! 5. The rollout may want a session made again, or the process replaced because a thread hangs; the interface stays.

const std = @import("std");
const c = @import("c");
const cutover = @import("cutover");
const log = @import("log.zig");
const softether = @import("softether.zig");
const Backoff = @import("backoff.zig").Backoff;
const Profile = @import("profile.zig").Profile;
const Session = @import("session.zig").Session;
const process = @import("process.zig");
const Signals = process.Signals;
const Status = @import("status.zig").Status;

/// How often a session's state is looked at while it is made, carries frames, or ends; Cedar has no event for it.
const watch_ms = 100;

/// How often on an idle tunnel. Whoever has something for the main thread wakes it: the session's end, the control
/// socket's thread.
const quiet_ms = 1000;

/// How long a session may take to end when it is asked to.
const stop_ms = 1500;

/// A session that lasted this long was a success: the next wait is the shortest again.
const lasting_ms = 30_000;

/// The exit codes that the client itself decides on; rust/config has all of them.
const Exit = struct {
    const ok = 0;
    const internal = 1;
    const configuration = 12;
    const device = 14;
    const already_running = 15;
    /// From here on another attempt may help.
    const transient_min = 20;
};

/// What ends a session or a wait.
const Event = union(enum) {
    /// A person asks the client to end.
    end,
    /// The next attempt is due.
    reconnect,
    /// The session is over, with Cedar's error number.
    over: u32,
};

/// Runs the client; returns the exit code.
pub fn run(init: std.process.Init, command: *const cutover.CutoverCommand) u8 {
    const handle = cutover.cutover_connection_open(command) orelse return failed(Exit.configuration);
    var signals = Signals.init() catch |err| {
        std.log.err("cannot wait for signals: {t}", .{err});
        return Exit.device;
    };
    signals.wake = cutover.cutover_wake_descriptor();
    const settings: *const cutover.CutoverSettings = cutover.cutover_connection_settings(handle);
    if (cutover.cutover_prepare(cutover.CUTOVER_ABI_VERSION, settings.swaps) != cutover.CUTOVER_STATUS_OK) {
        return failed(Exit.configuration);
    }
    if (!softether.start(init)) return Exit.internal;
    defer softether.stop();
    if (cutover.cutover_init(cutover.CUTOVER_ABI_VERSION, settings.swaps) != cutover.CUTOVER_STATUS_OK) {
        return failed(Exit.configuration);
    }
    defer cutover.cutover_exit();

    var profile: Profile = undefined;
    profile.init(handle) catch return Exit.configuration;
    defer profile.deinit();
    switch (cutover.cutover_control_start(handle)) {
        cutover.CUTOVER_STATUS_OK => {},
        cutover.CUTOVER_STATUS_BUSY => return failed(Exit.already_running),
        else => return failed(Exit.device),
    }
    if (cutover.cutover_interface_open(handle) != cutover.CUTOVER_STATUS_OK) return failed(Exit.device);

    const cedar = c.NewCedar(null, null);
    defer c.ReleaseCedar(cedar);
    var client: Client = .{
        .io = init.io,
        .signals = signals,
        .cedar = cedar,
        .profile = &profile,
        .arguments = @ptrCast(init.minimal.args.vector.ptr),
    };
    return client.keepUp();
}

fn failed(exit_code: u8) u8 {
    std.log.err("{s}", .{log.lastError()});
    return exit_code;
}

const Client = struct {
    io: std.Io,
    signals: Signals,
    cedar: *c.CEDAR,
    profile: *Profile,
    arguments: [*:null]const ?[*:0]const u8,
    /// A configuration that was read anew and waits for the session's end.
    pending: ?*cutover.CutoverConnection = null,
    backoff: Backoff = .init(0, 0),
    status: Status = .{},

    fn keepUp(client: *Client) u8 {
        client.resetBackoff();
        while (true) {
            const event = client.connect();
            switch (event) {
                .end => return Exit.ok,
                .reconnect => {},
                .over => |reason| {
                    if (client.giveUp(reason)) |exit_code| return exit_code;
                    if (client.pause() == .end) return Exit.ok;
                },
            }
            client.adoptPending();
            client.status.reconnects += 1;
        }
    }

    /// Makes a session and watches it until it ends.
    fn connect(client: *Client) Event {
        const settings = client.profile.settings;
        std.log.info("connecting to {s}, hub {s}, user {s}", .{ settings.server, settings.hub, settings.user });
        var session: Session = undefined;
        cutover.cutover_rollout_session_begins();
        session.start(client.cedar, client.profile);
        const asked = client.watch(&session);
        if (asked != null and !session.stop(stop_ms)) {
            if (asked.? == .reconnect) client.restart();
            std.log.warn("the session hangs; leaving without it", .{});
            cutover.cutover_exit();
            std.process.exit(Exit.ok);
        }
        client.status.finish(&session);
        const reason = session.end();
        return asked orelse .{ .over = reason };
    }

    /// Watches a session until it is over (null) or a signal asks for something.
    fn watch(client: *Client, session: *const Session) ?Event {
        var established_at: ?std.Io.Timestamp = null;
        while (!session.isOver()) {
            if (established_at == null and session.isEstablished()) {
                established_at = .now(client.io, .awake);
                client.announce(session);
            }
            const is_quiet = !client.status.report(session) and established_at != null and session.isSettled();
            if (client.request(if (is_quiet) quiet_ms else watch_ms)) |event| return event;
            switch (cutover.cutover_rollout_wish()) {
                cutover.CUTOVER_WISH_RECONNECT => return .reconnect,
                cutover.CUTOVER_WISH_RESTART => client.restart(),
                else => {},
            }
        }
        if (established_at) |since| {
            if (since.untilNow(client.io, .awake).toMilliseconds() >= lasting_ms) client.resetBackoff();
        }
        return null;
    }

    /// Replaces the process: a thread of it hangs in a call that will not return, with C's locks perhaps. The interface is
    /// kept, with addresses and routes. Without the password, which standard input gave once, it ends instead, for a
    /// supervisor to start it again.
    fn restart(client: *Client) noreturn {
        client.status.reportEnding();
        if (cutover.cutover_interface_keep() != cutover.CUTOVER_STATUS_OK) std.log.warn("{s}", .{log.lastError()});
        cutover.cutover_control_stop();
        if (!client.profile.settings.secret_once) process.replace(client.arguments, "CUTOVER_REPLACED=1");
        std.log.err("cannot replace the process; ending", .{});
        std.process.exit(Exit.internal);
    }

    fn resetBackoff(client: *Client) void {
        client.backoff = .init(client.profile.settings.reconnect_ms_min, client.profile.settings.reconnect_ms_max);
    }

    fn announce(client: *const Client, session: *const Session) void {
        std.log.info("connected: session {s}, {s}, interface {s}, adapter {t}", .{
            session.name() orelse "without a name",
            session.cipher() orelse "no cipher",
            client.profile.settings.interface,
            session.adapter,
        });
    }

    /// The exit code if another attempt is useless or not wanted.
    fn giveUp(client: *Client, reason: u32) ?u8 {
        const exit_code = cutover.cutover_connection_explain(client.profile.handle, reason);
        client.status.setError(log.lastError());
        if (exit_code >= Exit.transient_min and client.profile.settings.reconnect) return null;
        return failed(exit_code);
    }

    /// Waits before the next attempt.
    fn pause(client: *Client) Event {
        var source: std.Random.IoSource = .{ .io = client.io };
        const ms = client.backoff.next(source.interface());
        std.log.warn("{s}; trying again in {d}.{d} s", .{ client.status.lastError(), ms / 1000, ms % 1000 / 100 });
        const begun: std.Io.Timestamp = .now(client.io, .awake);
        while (true) {
            client.status.reportWaiting();
            const waited = std.math.lossyCast(u32, begun.untilNow(client.io, .awake).toMilliseconds());
            if (waited >= ms) return .reconnect;
            if (client.request(ms - waited)) |event| return event;
        }
    }

    /// What a signal asks for, if one comes in time. Null also when somebody wakes the main thread to look around.
    fn request(client: *Client, ms: u32) ?Event {
        switch (client.signals.wait(ms) orelse return null) {
            .look => return null,
            .end => {
                std.log.info("ending", .{});
                client.status.reportEnding();
                return .end;
            },
            .reload => return if (client.reload()) .reconnect else null,
            .stop_all => {
                cutover.cutover_stop_all("SIGUSR1");
                return null;
            },
        }
    }

    /// Reads the configuration anew: the modes of swaps take effect at once. True if the rest needs a new session.
    fn reload(client: *Client) bool {
        const handle = cutover.cutover_connection_reopen(client.profile.handle) orelse {
            std.log.warn("{s}; the configuration stays as it was", .{log.lastError()});
            return false;
        };
        const change = cutover.cutover_connection_compare(client.profile.handle, handle);
        const settings: *const cutover.CutoverSettings = cutover.cutover_connection_settings(handle);
        if (cutover.cutover_swaps_configure(settings.swaps) != cutover.CUTOVER_STATUS_OK) {
            std.log.warn("{s}; the swaps stay as they were", .{log.lastError()});
        }
        if (change == cutover.CUTOVER_CHANGE_SESSION and !settings.secret_once) {
            std.log.info("the configuration has changed; connecting anew", .{});
            cutover.cutover_connection_free(client.pending);
            client.pending = handle;
            return true;
        }
        defer cutover.cutover_connection_free(handle);
        switch (change) {
            cutover.CUTOVER_CHANGE_NOTHING => std.log.info("read the configuration anew", .{}),
            cutover.CUTOVER_CHANGE_INTERFACE => std.log.warn("[interface] has changed; only a new start brings that about", .{}),
            else => std.log.warn("the password came from standard input; only a new start brings about more than [swaps]", .{}),
        }
        return false;
    }

    /// Takes over a configuration that was read anew, now that no session uses the one before.
    fn adoptPending(client: *Client) void {
        const handle = client.pending orelse return;
        client.pending = null;
        var profile: Profile = undefined;
        profile.init(handle) catch return;
        defer std.crypto.secureZero(u8, std.mem.asBytes(&profile.auth));
        client.profile.deinit();
        client.profile.* = profile;
        client.resetBackoff();
    }
};
