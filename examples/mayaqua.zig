//! libmayaqua from Zig: a message is made, sent through a FIFO and read again. In a package of your own:
//!
//!     zig fetch --save=cutover URL-OR-FOLDER-OF-THIS-CHECKOUT
//!
//!     // build.zig
//!     const cutover = b.dependency("cutover", .{ .target = target });
//!     exe.root_module.addImport("mayaqua", cutover.module("mayaqua"));

const std = @import("std");
const mayaqua = @import("mayaqua");

pub fn main(init: std.process.Init) !void {
    const allocator = init.gpa;
    try mayaqua.init();
    defer mayaqua.deinit();

    var pack: mayaqua.Pack = try .init();
    defer pack.deinit();
    try pack.addStr("method", "login");
    try pack.addInt("version", 501);
    const bytes = try pack.encode(allocator);
    defer allocator.free(bytes);

    var fifo: mayaqua.Fifo = try .init();
    defer fifo.deinit();
    try fifo.write(bytes);
    var received: [256]u8 = undefined;
    var again: mayaqua.Pack = try .decode(try fifo.read(&received));
    defer again.deinit();

    const method = try again.getStr(allocator, "METHOD");
    defer allocator.free(method);
    std.debug.print("libmayaqua {s}: {s} {d}\n", .{ mayaqua.version(), method, try again.getInt("version") });

    if (again.getInt("method")) |_| return error.TestUnexpectedResult else |failure| {
        std.debug.print("as it should be: {t} ({s})\n", .{ failure, mayaqua.lastError() });
    }
}
