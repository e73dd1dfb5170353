//! How long to wait before connecting again: doubling, with a limit and jitter, so that the clients of a server that
//! comes back do not all return at once.

const std = @import("std");

pub const Backoff = struct {
    ms_min: u32,
    ms_max: u32,
    /// The next wait before jitter.
    ms_next: u32,

    pub fn init(ms_min: u32, ms_max: u32) Backoff {
        return .{ .ms_min = ms_min, .ms_max = ms_max, .ms_next = ms_min };
    }

    /// The next wait: between half of the step and the whole of it.
    pub fn next(backoff: *Backoff, random: std.Random) u32 {
        const step = backoff.ms_next;
        backoff.ms_next = @min(step *| 2, backoff.ms_max);
        return step - random.uintAtMost(u32, step / 2);
    }

    /// To be called after a session that lasted.
    pub fn reset(backoff: *Backoff) void {
        backoff.ms_next = backoff.ms_min;
    }
};

test "waits double up to the limit, and jitter takes at most half" {
    var source: std.Random.DefaultPrng = .init(7);
    const random = source.random();
    for ([_][2]u32{ .{ 1000, 60_000 }, .{ 1, 1 }, .{ 3_600_000, 86_400_000 }, .{ 1000, std.math.maxInt(u32) } }) |limits| {
        var backoff: Backoff = .init(limits[0], limits[1]);
        var step: u64 = limits[0];
        for (0..100) |_| {
            const wait = backoff.next(random);
            try std.testing.expect(wait <= step and wait >= step - step / 2 and wait > 0);
            step = @min(step * 2, limits[1]);
        }
        try std.testing.expectEqual(limits[1], backoff.ms_next);
        backoff.reset();
        try std.testing.expect(backoff.next(random) <= limits[0]);
    }
}

test "jitter spreads" {
    var source: std.Random.DefaultPrng = .init(7);
    var seen: [2]bool = .{ false, false };
    for (0..100) |_| {
        var backoff: Backoff = .init(1000, 1000);
        seen[@intFromBool(backoff.next(source.random()) < 750)] = true;
    }
    try std.testing.expectEqual([2]bool{ true, true }, seen);
}
