//! The client: a Zig program around the Rust static library.

const std = @import("std");
const Library = @import("library.zig").Library;
const Options = @import("options.zig").Options;

pub const Client = struct {
    library: Library,
    module: *std.Build.Module,
    executable: *std.Build.Step.Compile,

    pub fn build(b: *std.Build, target: std.Build.ResolvedTarget, options: Options) Client {
        const library = Library.build(b, target, options);
        const module = b.createModule(.{
            .root_source_file = b.path("zig/main.zig"),
            .target = target,
            .optimize = options.zigMode(),
            .link_libc = true,
        });
        library.linkTo(module);
        // LLVM's linker reads Debian's linker scripts; Zig's own does not yet.
        const executable = b.addExecutable(.{ .name = "cutover", .root_module = module, .use_llvm = true, .use_lld = true });
        executable.link_gc_sections = true;
        return .{ .library = library, .module = module, .executable = executable };
    }

    /// Installs the program as bin/`name`, and beside it the message tables that Mayaqua reads at start.
    pub fn install(client: Client, b: *std.Build, step: *std.Build.Step, name: []const u8) void {
        step.dependOn(&b.addInstallArtifact(client.executable, .{ .dest_sub_path = name }).step);
        const hamcore = b.addInstallFileWithDir(client.library.hamcore, .prefix, "libexec/cutover/hamcore.se2");
        step.dependOn(&hamcore.step);
    }

    /// The unit tests of the client's Zig files.
    pub fn tests(client: Client, b: *std.Build) *std.Build.Step.Compile {
        return b.addTest(.{ .root_module = client.module, .use_llvm = true, .use_lld = true });
    }
};
