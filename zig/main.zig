//! The program `cutover`: parses the command line and runs what it asks for. Connecting is `client.zig`'s; the other
//! commands are the library's (rust/hybrid).

const std = @import("std");
const cutover = @import("cutover");
const client = @import("client.zig");
const log = @import("log.zig");
const softether = @import("softether.zig");

comptime {
    _ = @import("layout.zig");
}

pub const std_options: std.Options = .{
    // Mayaqua's threads ask for less stack than Zig's signal stacks would take.
    .signal_stack_size = null,
    .log_level = .debug,
    .logFn = log.write,
};

pub fn main(init: std.process.Init) u8 {
    const arguments = init.minimal.args.vector;
    var exit_code: u8 = 1;
    const command = cutover.cutover_command_parse(@intCast(arguments.len), @ptrCast(arguments.ptr), &exit_code) orelse
        return exit_code;
    defer cutover.cutover_command_free(command);
    return switch (cutover.cutover_command_kind(command)) {
        cutover.CUTOVER_COMMAND_KIND_UP => client.run(init, command),
        cutover.CUTOVER_COMMAND_KIND_CHECK => cutover.cutover_check(command),
        cutover.CUTOVER_COMMAND_KIND_SWAPS => swaps(init, command),
        cutover.CUTOVER_COMMAND_KIND_STATUS => cutover.cutover_status_ask(command),
        cutover.CUTOVER_COMMAND_KIND_VERSION => cutover.cutover_version_print(command),
        else => unreachable,
    };
}

/// Asks the running client; without one, shows what this build would run.
fn swaps(init: std.process.Init, command: *const cutover.CutoverCommand) u8 {
    var exit_code: u8 = 1;
    if (cutover.cutover_swaps_ask(command, &exit_code) != cutover.CUTOVER_STATUS_NOT_FOUND) return exit_code;
    if (cutover.cutover_prepare(cutover.CUTOVER_ABI_VERSION, null) != cutover.CUTOVER_STATUS_OK) {
        std.log.err("{s}", .{log.lastError()});
        return exit_code;
    }
    if (!softether.start(init)) return exit_code;
    defer softether.stop();
    if (cutover.cutover_init(cutover.CUTOVER_ABI_VERSION, null) != cutover.CUTOVER_STATUS_OK) {
        std.log.err("{s}", .{log.lastError()});
        return exit_code;
    }
    defer cutover.cutover_exit();
    return cutover.cutover_swaps_print(command);
}

test {
    _ = @import("backoff.zig");
    _ = @import("process.zig");
    _ = @import("profile.zig");
    _ = @import("status.zig");
}
