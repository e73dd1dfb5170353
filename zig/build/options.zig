//! The options of `zig build`, in one place.

const std = @import("std");

pub const Impl = enum { c, rust };
pub const Optimize = enum { Debug, ReleaseSafe, ReleaseFast, ReleaseSmall };

pub const Options = struct {
    impl: Impl,
    /// Swaps and groups to compile in; empty: all.
    swaps: []const u8 = "",
    optimize: Optimize = .ReleaseFast,
    /// With faults that the end-to-end tests must see found. No option: a product never has them.
    planted_faults: bool = false,

    pub fn parse(b: *std.Build) Options {
        return .{
            .impl = b.option(Impl, "impl", "c: the untouched C alone; rust: every swap beside it, Rust by default [rust]") orelse .rust,
            .swaps = b.option([]const u8, "swaps", "Swaps and groups to compile in, such as framing,new_block [all]") orelse "",
            .optimize = b.option(Optimize, "optimize", "For Zig, Rust and C alike [ReleaseFast]") orelse .ReleaseFast,
        };
    }

    pub fn zigMode(options: Options) std.builtin.Optimize {
        return switch (options.optimize) {
            .Debug => .debug,
            .ReleaseSafe => .safe,
            .ReleaseFast => .fast,
            .ReleaseSmall => .small,
        };
    }

    /// The cargo profile, which is also the folder under target/.
    pub fn cargoProfile(options: Options) struct { name: []const u8, folder: []const u8 } {
        return switch (options.optimize) {
            .Debug => .{ .name = "dev", .folder = "debug" },
            else => .{ .name = "release", .folder = "release" },
        };
    }
};
