//! The client. (Being written.)
const std = @import("std");
const c = @import("c");
const cutover = @import("cutover");

pub const std_options: std.Options = .{ .signal_stack_size = null };

pub fn main() !void {
    std.debug.print("abi {} session {} {}\n", .{ cutover.cutover_abi_version(), @sizeOf(c.SESSION), @intFromPtr(&c.NewClientSessionEx) });
}
