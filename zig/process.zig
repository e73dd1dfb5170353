//! What the client asks of the operating system for its process: signals as events, and no copies of its memory.

const std = @import("std");
const linux = std.os.linux;
const posix = std.posix;

/// What a signal asks for, or somebody of this process who wakes the main thread.
pub const Request = enum { end, reload, stop_all, look };

/// Signals that arrive as events in the main loop instead of interrupting any thread.
pub const Signals = struct {
    descriptor: posix.fd_t,
    /// An eventfd that others of this process write to, or -1, which poll leaves out.
    wake: posix.fd_t = -1,

    /// To be called before anything makes a thread: threads inherit the blocked signals.
    pub fn init() !Signals {
        var set = posix.sigemptyset();
        for ([_]posix.SIG{ .INT, .TERM, .HUP, .USR1 }) |signal| posix.sigaddset(&set, signal);
        posix.sigprocmask(posix.SIG.BLOCK, &set, null);
        return .{ .descriptor = try posix.signalfd(-1, &set, linux.SFD.CLOEXEC | linux.SFD.NONBLOCK) };
    }

    /// The next request, or null if none came in time.
    pub fn wait(signals: Signals, ms: u32) ?Request {
        var watched = [_]posix.pollfd{
            .{ .fd = signals.descriptor, .events = posix.POLL.IN, .revents = 0 },
            .{ .fd = signals.wake, .events = posix.POLL.IN, .revents = 0 },
        };
        // A poll that fails is a wait that was too short; the caller looks again.
        const ready = posix.poll(&watched, std.math.cast(i32, ms) orelse std.math.maxInt(i32)) catch 0;
        if (ready == 0) return null;
        if (watched[0].revents == 0) {
            var wakes: u64 = undefined;
            _ = posix.read(signals.wake, std.mem.asBytes(&wakes)) catch {};
            return .look;
        }
        var signal: linux.signalfd_siginfo = undefined;
        const count = posix.read(signals.descriptor, std.mem.asBytes(&signal)) catch return null;
        if (count != @sizeOf(linux.signalfd_siginfo)) return null;
        return switch (signal.signo) {
            @backingInt(posix.SIG.HUP) => .reload,
            @backingInt(posix.SIG.USR1) => .stop_all,
            else => .end,
        };
    }
};

/// Runs this program anew in this process, with its arguments and environment and what `variable` says besides. Returns
/// only if the system refuses.
pub fn replace(arguments: [*:null]const ?[*:0]const u8, variable: [:0]const u8) void {
    var environment: [environment_max + 2:null]?[*:0]const u8 = @splat(null);
    var count: usize = 0;
    while (std.c.environ[count]) |entry| : (count += 1) {
        if (count == environment_max) break;
        environment[count] = entry;
    }
    environment[count] = variable.ptr;
    _ = linux.execve("/proc/self/exe", arguments, &environment);
}

/// More variables than these are not passed on.
const environment_max = 1022;

/// Keeps the process's memory, which holds the password or its equivalent, from core files and from other processes of
/// the user. Mayaqua raises the limit on core files when it starts, so this comes after it.
pub fn forbidCopies() void {
    posix.setrlimit(.CORE, .{ .cur = 0, .max = 0 }) catch |err| {
        std.log.warn("cannot forbid core files: {t}", .{err});
    };
    _ = posix.prctl(.SET_DUMPABLE, .{0}) catch |err| {
        std.log.warn("cannot keep other processes from reading this one's memory: {t}", .{err});
    };
}

test "signals become requests" {
    var signals: Signals = try .init();
    try std.testing.expectEqual(null, signals.wait(0));
    signals.wake = @intCast(linux.eventfd(2, linux.EFD.CLOEXEC | linux.EFD.NONBLOCK));
    try std.testing.expectEqual(.look, signals.wait(1000));
    try std.testing.expectEqual(null, signals.wait(0));
    try posix.raise(.HUP);
    try std.testing.expectEqual(.reload, signals.wait(1000));
    try posix.raise(.USR1);
    try std.testing.expectEqual(.stop_all, signals.wait(1000));
    try posix.raise(.TERM);
    try std.testing.expectEqual(.end, signals.wait(1000));
}
