//! libmayaqua as a Zig module: the archive built by cargo, its header translated, and zig/mayaqua.zig around both.

const std = @import("std");
const Options = @import("options.zig").Options;

pub const Mayaqua = struct {
    module: *std.Build.Module,

    /// The module for dependents: `b.dependency("cutover", .{ … }).module("mayaqua")`.
    pub fn build(b: *std.Build, target: std.Build.ResolvedTarget, options: Options) Mayaqua {
        const profile = options.cargoProfile();
        const cargo = b.addSystemCommand(&.{"zig/build/cargo.sh"});
        cargo.setName("cargo build mayaqua-ffi");
        cargo.setCwd(b.path("."));
        cargo.has_side_effects = true;
        const out = cargo.addOutputDirectoryArg("mayaqua");
        cargo.addArgs(&.{ b.fmt("{s}/libmayaqua_ffi.a", .{profile.folder}), "--", "-p", "mayaqua-ffi", "--profile", profile.name });

        const header = b.addTranslateC(.{
            .root_source_file = b.path("rust/mayaqua-ffi/include/mayaqua_ffi.h"),
            .target = target,
            .optimize = options.zigMode(),
        });
        const module = b.addModule("mayaqua", .{
            .root_source_file = b.path("zig/mayaqua.zig"),
            .target = target,
            .optimize = options.zigMode(),
            .link_libc = true,
        });
        module.addImport("mayaqua_ffi", header.createModule());
        module.addObjectFile(out.path(b, "libmayaqua_ffi.a"));
        module.linkSystemLibrary("gcc_s", .{ .use_pkg_config = .no });
        return .{ .module = module };
    }

    /// The module's own tests, and the example as a program of somebody else's.
    pub fn addTests(mayaqua: Mayaqua, b: *std.Build, target: std.Build.ResolvedTarget, options: Options, step: *std.Build.Step) void {
        // LLVM's linker reads Debian's linker scripts; Zig's own does not yet.
        const tests = b.addTest(.{ .root_module = mayaqua.module, .use_llvm = true, .use_lld = true });
        step.dependOn(&b.addRunArtifact(tests).step);

        const program = b.createModule(.{
            .root_source_file = b.path("examples/mayaqua.zig"),
            .target = target,
            .optimize = options.zigMode(),
        });
        program.addImport("mayaqua", mayaqua.module);
        const example = b.addExecutable(.{ .name = "mayaqua-example", .root_module = program, .use_llvm = true, .use_lld = true });
        step.dependOn(&b.addRunArtifact(example).step);
    }
};
