//! Zig's log goes where the library's goes: one line per event on standard error.

const std = @import("std");
const cutover = @import("cutover");

/// Longer lines are cut; none of ours is.
const line_bytes_max = 4096;

pub fn write(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime format: []const u8,
    arguments: anytype,
) void {
    _ = scope;
    var buffer: [line_bytes_max]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    writer.print(format, arguments) catch {};
    const line = writer.buffered();
    cutover.cutover_log(switch (level) {
        .err => cutover.CUTOVER_LOG_LEVEL_ERROR,
        .warn => cutover.CUTOVER_LOG_LEVEL_WARNING,
        .info => cutover.CUTOVER_LOG_LEVEL_INFO,
        .debug => cutover.CUTOVER_LOG_LEVEL_DEBUG,
    }, line.ptr, line.len);
}

/// The library's words for what failed last in this thread.
pub fn lastError() []const u8 {
    return std.mem.span(cutover.cutover_last_error());
}
