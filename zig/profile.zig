//! A connection's configuration, as SoftEther's CLIENT_OPTION and CLIENT_AUTH and as the client's own settings.

const std = @import("std");
const c = @import("c");
const cutover = @import("cutover");
const log = @import("log.zig");

/// Names no interface: the client makes that itself. Cedar only asks that it is not empty, and gives a meaning to
/// names such as `_SEHUBLINKCLI_`, which an interface may have.
const device_name = "cutover";

/// A private key in PEM and a NUL; rust/config refuses longer ones.
const key_bytes_max = 64 * 1024 + 1;

/// What is wrong has been logged.
pub const Error = error{ConfigurationWrong};

pub const Profile = struct {
    handle: *cutover.CutoverConnection,
    settings: *const cutover.CutoverSettings,
    option: c.CLIENT_OPTION,
    /// Holds the password or what is as good as it, until `deinit`.
    auth: c.CLIENT_AUTH,

    /// Takes over `handle`, and reads the user's secret.
    pub fn init(profile: *Profile, handle: *cutover.CutoverConnection) Error!void {
        const settings: *const cutover.CutoverSettings = cutover.cutover_connection_settings(handle);
        profile.* = .{ .handle = handle, .settings = settings, .option = optionOf(settings), .auth = .{} };
        errdefer profile.deinit();
        profile.auth.AuthType = @intCast(settings.auth);
        copyText(&profile.auth.Username, settings.user);
        switch (settings.auth) {
            cutover.CUTOVER_AUTH_KIND_PASSWORD, cutover.CUTOVER_AUTH_KIND_PLAIN => try profile.readPassword(),
            cutover.CUTOVER_AUTH_KIND_CERTIFICATE => try profile.readCertificate(),
            else => {},
        }
    }

    pub fn deinit(profile: *Profile) void {
        c.FreeX(profile.auth.ClientX);
        c.FreeK(profile.auth.ClientK);
        std.crypto.secureZero(u8, std.mem.asBytes(&profile.auth));
        cutover.cutover_connection_free(profile.handle);
    }

    fn readPassword(profile: *Profile) Error!void {
        var password: [c.MAX_PASSWORD_LEN:0]u8 = @splat(0);
        defer std.crypto.secureZero(u8, &password);
        const status = cutover.cutover_connection_password(profile.handle, &password, password.len + 1);
        if (status != cutover.CUTOVER_STATUS_OK) return wrong();
        if (profile.settings.auth == cutover.CUTOVER_AUTH_KIND_PLAIN) {
            copyText(&profile.auth.PlainPassword, &password);
        } else {
            c.HashPassword(&profile.auth.HashedPassword, &profile.auth.Username, &password);
        }
    }

    fn readCertificate(profile: *Profile) Error!void {
        var length: usize = 0;
        const certificate = cutover.cutover_connection_certificate(profile.handle, &length);
        profile.auth.ClientX = decode(c.BufToX, .{1}, certificate[0..length]);

        var key: [key_bytes_max]u8 = undefined;
        defer std.crypto.secureZero(u8, &key);
        const status = cutover.cutover_connection_key(profile.handle, &key, key.len);
        if (status != cutover.CUTOVER_STATUS_OK) return wrong();
        profile.auth.ClientK = decode(c.BufToK, .{ 1, 1, null }, std.mem.sliceTo(&key, 0));

        if (profile.auth.ClientX == null or profile.auth.ClientK == null) {
            std.log.err("auth.certificate_file or auth.key_file cannot be decoded; write both as PEM, the key without a passphrase", .{});
            return error.ConfigurationWrong;
        }
        if (c.CheckXandK(profile.auth.ClientX, profile.auth.ClientK) == 0) {
            std.log.err("auth.key_file is not the key of auth.certificate_file; name the pair that belongs together", .{});
            return error.ConfigurationWrong;
        }
    }
};

fn wrong() Error {
    std.log.err("{s}", .{log.lastError()});
    return error.ConfigurationWrong;
}

fn optionOf(settings: *const cutover.CutoverSettings) c.CLIENT_OPTION {
    var option: c.CLIENT_OPTION = .{
        .Port = settings.port,
        // The C tries once; when to try again is the client's decision.
        .NumRetry = 0,
        .MaxConnection = settings.connections,
        .UseEncrypt = @intFromBool(settings.encrypt),
        .UseCompress = @intFromBool(settings.compress),
        .HalfConnection = @intFromBool(settings.half_duplex),
        .NoRoutingTracking = 1,
        .AdditionalConnectionInterval = 1,
        .HideStatusWindow = 1,
        .HideNicInfoWindow = 1,
        .DisableQoS = @intFromBool(!settings.qos),
        .NoUdpAcceleration = @intFromBool(!settings.udp_acceleration),
    };
    copyText(&option.Hostname, settings.host);
    copyText(&option.HubName, settings.hub);
    copyText(&option.DeviceName, device_name);
    return option;
}

/// Copies a text into a field; rust/config has made sure that it fits.
fn copyText(field: []u8, text: [*:0]const u8) void {
    const bytes = std.mem.span(text);
    std.debug.assert(bytes.len < field.len);
    @memcpy(field[0..bytes.len], bytes);
    field[bytes.len] = 0;
}

/// What one of Mayaqua's readers of PEM makes of `bytes`. Its buffer is zeroed: it may have held a key.
fn decode(comptime reader: anytype, arguments: anytype, bytes: []const u8) @typeInfo(@TypeOf(reader)).@"fn".return_type.? {
    const buffer = c.NewBuf();
    defer c.FreeBuf(buffer);
    c.WriteBuf(buffer, @constCast(bytes.ptr), @intCast(bytes.len));
    defer std.crypto.secureZero(u8, @as([*]u8, @ptrCast(buffer.*.Buf))[0..bytes.len]);
    return @call(.auto, reader, .{buffer} ++ arguments);
}

test "texts are copied with their end" {
    var field: [4]u8 = "wxyz".*;
    copyText(&field, "abc");
    try std.testing.expectEqualStrings("abc\x00", &field);
    copyText(&field, "");
    try std.testing.expectEqualStrings("", std.mem.sliceTo(&field, 0));
}
