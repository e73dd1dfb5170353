//! libmayaqua for Zig: SoftEther's base library in memory-safe Rust, with Zig's errors and Zig's allocators.
//!
//!     const mayaqua = @import("mayaqua");
//!     try mayaqua.init();
//!     defer mayaqua.deinit();
//!     var pack: mayaqua.Pack = try .init();
//!     defer pack.deinit();
//!     try pack.addInt("version", 501);
//!     const bytes = try pack.encode(allocator);
//!
//! Each function here is one of the C API's (`mayaqua_ffi.h`, which documents them all), with slices for pointers and
//! sizes. What it gives back in memory of the caller's comes from the allocator that was handed in.

const std = @import("std");
const c = @import("mayaqua_ffi");
const Allocator = std.mem.Allocator;

/// What can go wrong: the library's statuses. `lastError` says more.
pub const Error = error{
    NotFound,
    Io,
    BadHandle,
    OutOfMemory,
    Busy,
    Exists,
    Invalid,
    NoSpace,
    AbiMismatch,
    BadMessage,
    Overflow,
    Unsupported,
    NotInitialized,
    Panicked,
};

fn check(status: c.MayaquaStatus) Error!void {
    return switch (status) {
        c.MAYAQUA_STATUS_OK => {},
        c.MAYAQUA_STATUS_NOT_FOUND => error.NotFound,
        c.MAYAQUA_STATUS_IO => error.Io,
        c.MAYAQUA_STATUS_BAD_HANDLE => error.BadHandle,
        c.MAYAQUA_STATUS_NO_MEMORY => error.OutOfMemory,
        c.MAYAQUA_STATUS_BUSY => error.Busy,
        c.MAYAQUA_STATUS_EXISTS => error.Exists,
        c.MAYAQUA_STATUS_INVALID => error.Invalid,
        c.MAYAQUA_STATUS_NO_SPACE => error.NoSpace,
        c.MAYAQUA_STATUS_ABI_MISMATCH => error.AbiMismatch,
        c.MAYAQUA_STATUS_BAD_MESSAGE => error.BadMessage,
        c.MAYAQUA_STATUS_OVERFLOW => error.Overflow,
        c.MAYAQUA_STATUS_UNSUPPORTED => error.Unsupported,
        c.MAYAQUA_STATUS_NOT_INITIALIZED => error.NotInitialized,
        else => error.Panicked,
    };
}

/// Starts the library; `deinit` ends it when it was called as often.
pub fn init() Error!void {
    return check(c.mayaqua_init(c.MAYAQUA_ABI_VERSION));
}

/// Ends the library; all of its objects are gone then, and using one is `error.BadHandle`.
pub fn deinit() void {
    _ = c.mayaqua_free_library();
}

/// The version of the library.
pub fn version() []const u8 {
    return std.mem.span(c.mayaqua_version());
}

/// The text of this thread's last failure. It belongs to the library until the next failure.
pub fn lastError() []const u8 {
    return std.mem.span(c.mayaqua_last_error());
}

/// Tries each part of the library on known data.
pub fn selfTest() Error!void {
    return check(c.mayaqua_self_test());
}

/// SHA-0, for what SoftEther's protocol makes of passwords.
pub fn sha0(data: []const u8) [20]u8 {
    var hash: [20]u8 = undefined;
    // Slices and sizes are sound, so this cannot fail.
    check(c.mayaqua_sha0(data.ptr, data.len, &hash, hash.len)) catch unreachable;
    return hash;
}

/// Bytes with one position for reading and writing.
pub const Buffer = struct {
    handle: c.MayaquaBuf,

    pub const Seek = enum(i32) { backward = -1, set = 0, forward = 1 };

    pub fn init() Error!Buffer {
        var buffer: Buffer = undefined;
        try check(c.mayaqua_buf_new(&buffer.handle));
        return buffer;
    }

    /// A buffer with a copy of `data`, at its start.
    pub fn fromMemory(data: []const u8) Error!Buffer {
        var buffer: Buffer = undefined;
        try check(c.mayaqua_buf_from_memory(data.ptr, data.len, &buffer.handle));
        return buffer;
    }

    pub fn deinit(buffer: *Buffer) void {
        _ = c.mayaqua_buf_free(buffer.handle);
        buffer.* = undefined;
    }

    /// Writes at the position; the buffer ends behind it.
    pub fn write(buffer: Buffer, data: []const u8) Error!void {
        return check(c.mayaqua_buf_write(buffer.handle, data.ptr, data.len));
    }

    /// Fills `out`, with zeros where the buffer has no more, and gives the part that it had.
    pub fn read(buffer: Buffer, out: []u8) Error![]u8 {
        var count: usize = 0;
        try check(c.mayaqua_buf_read(buffer.handle, out.ptr, out.len, &count));
        return out[0..count];
    }

    pub fn writeInt(buffer: Buffer, value: u32) Error!void {
        return check(c.mayaqua_buf_write_int(buffer.handle, value));
    }

    pub fn readInt(buffer: Buffer) Error!u32 {
        var value: u32 = 0;
        try check(c.mayaqua_buf_read_int(buffer.handle, &value));
        return value;
    }

    pub fn size(buffer: Buffer) Error!u32 {
        var value: u32 = 0;
        try check(c.mayaqua_buf_size(buffer.handle, &value));
        return value;
    }

    pub fn position(buffer: Buffer) Error!u32 {
        var value: u32 = 0;
        try check(c.mayaqua_buf_position(buffer.handle, &value));
        return value;
    }

    pub fn seek(buffer: Buffer, offset: u32, from: Seek) Error!void {
        return check(c.mayaqua_buf_seek(buffer.handle, offset, @backingInt(from)));
    }

    pub fn clear(buffer: Buffer) Error!void {
        return check(c.mayaqua_buf_clear(buffer.handle));
    }

    /// All bytes, in memory of the caller's.
    pub fn toOwnedSlice(buffer: Buffer, allocator: Allocator) Error![]u8 {
        return owned(allocator, c.mayaqua_buf_data, .{buffer.handle});
    }
};

/// Bytes that come out in the order in which they went in.
pub const Fifo = struct {
    handle: c.MayaquaFifo,

    pub fn init() Error!Fifo {
        var fifo: Fifo = undefined;
        try check(c.mayaqua_fifo_new(&fifo.handle));
        return fifo;
    }

    pub fn deinit(fifo: *Fifo) void {
        _ = c.mayaqua_fifo_free(fifo.handle);
        fifo.* = undefined;
    }

    pub fn write(fifo: Fifo, data: []const u8) Error!void {
        return check(c.mayaqua_fifo_write(fifo.handle, data.ptr, data.len));
    }

    /// Moves what there is, at most what fits, and gives it.
    pub fn read(fifo: Fifo, out: []u8) Error![]u8 {
        var count: usize = 0;
        try check(c.mayaqua_fifo_read(fifo.handle, out.ptr, out.len, &count));
        return out[0..count];
    }

    pub fn size(fifo: Fifo) Error!u32 {
        var value: u32 = 0;
        try check(c.mayaqua_fifo_size(fifo.handle, &value));
        return value;
    }

    pub fn clear(fifo: Fifo) Error!void {
        return check(c.mayaqua_fifo_clear(fifo.handle));
    }
};

/// A message: elements by name, without regard to case, each with values of one type. The functions here handle elements of
/// one value; those with `At` take the place of a value and the number of them.
pub const Pack = struct {
    handle: c.MayaquaPack,

    pub fn init() Error!Pack {
        var pack: Pack = undefined;
        try check(c.mayaqua_pack_new(&pack.handle));
        return pack;
    }

    /// Reads a PACK; what follows it is not looked at.
    pub fn decode(bytes: []const u8) Error!Pack {
        var pack: Pack = undefined;
        try check(c.mayaqua_pack_from_bytes(bytes.ptr, bytes.len, &pack.handle));
        return pack;
    }

    pub fn deinit(pack: *Pack) void {
        _ = c.mayaqua_pack_free(pack.handle);
        pack.* = undefined;
    }

    /// The PACK's bytes, in memory of the caller's.
    pub fn encode(pack: Pack, allocator: Allocator) Error![]u8 {
        return owned(allocator, c.mayaqua_pack_to_bytes, .{pack.handle});
    }

    /// Number of elements.
    pub fn len(pack: Pack) Error!usize {
        var value: usize = 0;
        try check(c.mayaqua_pack_num(pack.handle, &value));
        return value;
    }

    pub fn delete(pack: Pack, name: [:0]const u8) Error!void {
        return check(c.mayaqua_pack_delete(pack.handle, name.ptr));
    }

    pub fn addInt(pack: Pack, name: [:0]const u8, value: u32) Error!void {
        return pack.addIntAt(name, value, 0, 1);
    }

    pub fn addIntAt(pack: Pack, name: [:0]const u8, value: u32, index: usize, total: usize) Error!void {
        return check(c.mayaqua_pack_add_int(pack.handle, name.ptr, value, index, total));
    }

    pub fn addInt64(pack: Pack, name: [:0]const u8, value: u64) Error!void {
        return check(c.mayaqua_pack_add_int64(pack.handle, name.ptr, value, 0, 1));
    }

    pub fn addBool(pack: Pack, name: [:0]const u8, value: bool) Error!void {
        return check(c.mayaqua_pack_add_bool(pack.handle, name.ptr, value, 0, 1));
    }

    pub fn addData(pack: Pack, name: [:0]const u8, data: []const u8) Error!void {
        return check(c.mayaqua_pack_add_data(pack.handle, name.ptr, data.ptr, data.len, 0, 1));
    }

    pub fn addStr(pack: Pack, name: [:0]const u8, string: [:0]const u8) Error!void {
        return check(c.mayaqua_pack_add_str(pack.handle, name.ptr, string.ptr, 0, 1));
    }

    /// A wide string, given in UTF-8.
    pub fn addUniStr(pack: Pack, name: [:0]const u8, string: [:0]const u8) Error!void {
        return check(c.mayaqua_pack_add_uni_str(pack.handle, name.ptr, string.ptr, 0, 1));
    }

    pub fn getInt(pack: Pack, name: [:0]const u8) Error!u32 {
        return pack.getIntAt(name, 0);
    }

    pub fn getIntAt(pack: Pack, name: [:0]const u8, index: usize) Error!u32 {
        var value: u32 = 0;
        try check(c.mayaqua_pack_get_int(pack.handle, name.ptr, index, &value));
        return value;
    }

    pub fn getInt64(pack: Pack, name: [:0]const u8) Error!u64 {
        var value: u64 = 0;
        try check(c.mayaqua_pack_get_int64(pack.handle, name.ptr, 0, &value));
        return value;
    }

    pub fn getBool(pack: Pack, name: [:0]const u8) Error!bool {
        var value = false;
        try check(c.mayaqua_pack_get_bool(pack.handle, name.ptr, 0, &value));
        return value;
    }

    /// Bytes, in memory of the caller's.
    pub fn getData(pack: Pack, allocator: Allocator, name: [:0]const u8) Error![]u8 {
        return owned(allocator, c.mayaqua_pack_get_data, .{ pack.handle, name.ptr, @as(usize, 0) });
    }

    /// A string, in memory of the caller's.
    pub fn getStr(pack: Pack, allocator: Allocator, name: [:0]const u8) Error![:0]u8 {
        return ownedString(allocator, c.mayaqua_pack_get_str, .{ pack.handle, name.ptr, @as(usize, 0) });
    }

    /// A wide string in UTF-8, in memory of the caller's.
    pub fn getUniStr(pack: Pack, allocator: Allocator, name: [:0]const u8) Error![:0]u8 {
        return ownedString(allocator, c.mayaqua_pack_get_uni_str, .{ pack.handle, name.ptr, @as(usize, 0) });
    }
};

/// Asks a function for its size and then for its bytes. Where another thread makes them more in between, it is
/// `error.NoSpace`.
fn owned(allocator: Allocator, function: anytype, arguments: anytype) Error![]u8 {
    var needed: usize = 0;
    check(@call(.auto, function, arguments ++ .{ @as([*c]u8, null), @as(usize, 0), &needed })) catch |failure| switch (failure) {
        error.NoSpace => {},
        else => return failure,
    };
    const bytes = try allocator.alloc(u8, needed);
    errdefer allocator.free(bytes);
    var written: usize = 0;
    try check(@call(.auto, function, arguments ++ .{ @as([*c]u8, bytes.ptr), bytes.len, &written }));
    return if (written == bytes.len) bytes else error.Busy;
}

/// The same for a string, whose NUL needs room too.
fn ownedString(allocator: Allocator, function: anytype, arguments: anytype) Error![:0]u8 {
    var needed: usize = 0;
    check(@call(.auto, function, arguments ++ .{ @as([*c]u8, null), @as(usize, 0), &needed })) catch |failure| switch (failure) {
        error.NoSpace => {},
        else => return failure,
    };
    const string = try allocator.allocSentinel(u8, needed, 0);
    errdefer allocator.free(string);
    var written: usize = 0;
    try check(@call(.auto, function, arguments ++ .{ @as([*c]u8, string.ptr), string.len + 1, &written }));
    return if (written == string.len) string else error.Busy;
}

const testing = std.testing;

test "a buffer reads what was written, short of what is missing" {
    try init();
    defer deinit();
    var buffer: Buffer = try .fromMemory("abcdef");
    defer buffer.deinit();
    try buffer.seek(2, .set);
    try buffer.writeInt(0x41424344);
    try testing.expectEqual(6, try buffer.size());
    try buffer.seek(5, .backward);
    try testing.expectEqual(1, try buffer.position());
    var out: [8]u8 = undefined;
    try testing.expectEqualStrings("bABCD", try buffer.read(&out));
    try testing.expectEqual([3]u8{ 0, 0, 0 }, out[5..].*);
    const bytes = try buffer.toOwnedSlice(testing.allocator);
    defer testing.allocator.free(bytes);
    try testing.expectEqualStrings("abABCD", bytes);
    try buffer.clear();
    try testing.expectEqual(0, try buffer.readInt());
}

test "a FIFO gives in order" {
    try init();
    defer deinit();
    var fifo: Fifo = try .init();
    defer fifo.deinit();
    try fifo.write("abc");
    try fifo.write("de");
    var out: [4]u8 = undefined;
    try testing.expectEqualStrings("abcd", try fifo.read(&out));
    try testing.expectEqual(1, try fifo.size());
    try fifo.clear();
    try testing.expectEqualStrings("", try fifo.read(&out));
}

test "a PACK goes over the wire" {
    try init();
    defer deinit();
    var pack: Pack = try .init();
    defer pack.deinit();
    try pack.addInt("int", 7);
    try pack.addInt64("int64", 1 << 40);
    try pack.addBool("bool", true);
    try pack.addData("data", &.{ 0, 1, 2 });
    try pack.addStr("str", " text ");
    try pack.addUniStr("uni", "日本");
    for (0..3) |index| try pack.addIntAt("many", @intCast(index), index, 3);
    try testing.expectError(error.Exists, pack.addInt("STR", 1));

    const bytes = try pack.encode(testing.allocator);
    defer testing.allocator.free(bytes);
    try testing.expectError(error.BadMessage, Pack.decode(bytes[0 .. bytes.len - 1]));
    var again: Pack = try .decode(bytes);
    defer again.deinit();
    try testing.expectEqual(7, try again.len());
    try testing.expectEqual(7, try again.getInt("INT"));
    try testing.expectEqual(1 << 40, try again.getInt64("int64"));
    try testing.expect(try again.getBool("bool"));
    try testing.expectEqual(2, try again.getIntAt("many", 2));
    const data = try again.getData(testing.allocator, "data");
    defer testing.allocator.free(data);
    try testing.expectEqualSlices(u8, &.{ 0, 1, 2 }, data);
    const text = try again.getStr(testing.allocator, "str");
    defer testing.allocator.free(text);
    try testing.expectEqualStrings("text", text);
    const wide = try again.getUniStr(testing.allocator, "uni");
    defer testing.allocator.free(wide);
    try testing.expectEqualStrings("日本", wide);
    try testing.expectError(error.NotFound, again.getInt("str"));
    try testing.expect(lastError().len > 0);
    try again.delete("int");
    try testing.expectError(error.NotFound, again.delete("int"));
}

test "what was freed is an error" {
    try init();
    defer deinit();
    var buffer: Buffer = try .init();
    const copy = buffer;
    buffer.deinit();
    try testing.expectError(error.BadHandle, copy.write("x"));
    try selfTest();
    try testing.expect(version().len > 0);
    try testing.expectEqual(0x01, sha0("abc")[0]);
}

test "objects need a library" {
    try testing.expectError(error.NotInitialized, Buffer.init());
}
