//! SoftEther's libraries: finding their message tables, starting them, ending them.

const std = @import("std");
const c = @import("c");
const process = @import("process.zig");

/// The message tables, which Mayaqua looks for beside the program it is told to be.
const hamcore = "hamcore.se2";

/// Names the folder of the message tables when the program is not where it was installed.
const folder_variable = "CUTOVER_HAMCORE_DIR";

/// Where the tables are installed, from the program's own folder.
const installed_folder = "../libexec/cutover";

/// Starts Mayaqua and Cedar. False if they cannot be; the log says why.
pub fn start(init: std.process.Init) bool {
    const tables = locate(init) catch |err| {
        std.log.err("cannot find {s}: {t}; install it as {s}/{s} from the program's folder, or set {s}", .{
            hamcore, err, installed_folder, hamcore, folder_variable,
        });
        return false;
    };
    var arguments = [_][*c]u8{ tables.ptr, null };
    c.InitMayaqua(0, 0, 1, &arguments);
    process.forbidCopies();
    c.InitCedar();
    return true;
}

/// Ends what `start` began. To be called once no session runs.
pub fn stop() void {
    c.FreeCedar();
    c.FreeMayaqua();
}

/// The absolute path of the message tables, for as long as the process lives.
fn locate(init: std.process.Init) ![:0]u8 {
    const arena = init.arena.allocator();
    const folder = init.environ_map.get(folder_variable) orelse folder: {
        const program = try std.process.executablePathAlloc(init.io, arena);
        const beside = std.Io.Dir.path.dirname(program) orelse return error.FileNotFound;
        break :folder try std.Io.Dir.path.join(arena, &.{ beside, installed_folder });
    };
    const path = try std.Io.Dir.path.join(arena, &.{ folder, hamcore });
    return std.Io.Dir.cwd().realPathFileAlloc(init.io, path, arena);
}
