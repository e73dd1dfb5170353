//! Holds what Zig believes of SoftEther's structs to what Rust believes: a difference fails the build. The C compiler
//! confirms Rust's beliefs when it compiles (bridge/build/bindings.rs), so all three agree.

const std = @import("std");
const c = @import("c");
const sizes = @import("sizes").sizes;

/// Structs that exist for other operating systems only are declared without a body; Zig knows no size of them.
const compared_min = 400;

comptime {
    @setEvalBranchQuota(1_000_000);
    var compared = 0;
    for (sizes) |entry| {
        const name, const size = entry;
        const tagged = "struct_" ++ name;
        const declared = if (@hasDecl(c, tagged)) tagged else name;
        if (!@hasDecl(c, declared) or @typeInfo(@field(c, declared)) == .@"opaque") continue;
        if (@sizeOf(@field(c, declared)) != size) {
            @compileError(std.fmt.comptimePrint("{s}: {d} bytes for Zig, {d} for Rust", .{ name, @sizeOf(@field(c, declared)), size }));
        }
        compared += 1;
    }
    if (compared < compared_min) {
        @compileError(std.fmt.comptimePrint("only {d} structs were compared; the names have changed their form", .{compared}));
    }
}
