//! The Rust static library with SoftEther's C inside, built by cargo, and the modules that Zig sees it through.

const std = @import("std");
const Options = @import("options.zig").Options;

pub const Library = struct {
    step: *std.Build.Step,
    /// `c`: SoftEther's own headers. `cutover`: bridge/cutover.h. `sizes`: what Rust holds the C's structs to be.
    imports: [3]std.Build.Module.Import,
    archive: std.Build.LazyPath,
    hamcore: std.Build.LazyPath,

    pub fn build(b: *std.Build, target: std.Build.ResolvedTarget, options: Options) Library {
        const profile = options.cargoProfile();
        const cargo = b.addSystemCommand(&.{"zig/build/cargo.sh"});
        cargo.setName(b.fmt("cargo build hybrid (impl={t})", .{options.impl}));
        cargo.setCwd(b.path("."));
        cargo.has_side_effects = true;
        const out = cargo.addOutputDirectoryArg("library");
        cargo.addArgs(&.{
            b.fmt("{s}/libhybrid.a", .{profile.folder}), "softether/hamcore.se2", "softether/cedar.h", "softether/sizes.zig", "--",
            "-p",                                        "hybrid",                "--profile",         profile.name,
        });
        addFeatures(b, cargo, options);

        const headers = b.addTranslateC(.{
            .root_source_file = out.path(b, "cedar.h"),
            .target = target,
            .optimize = options.zigMode(),
        });
        // The checkout for the bridge, and the vendored C through the link that build.rs makes.
        for ([_][]const u8{ "bridge/include", ".", "target/softether/src", "target/softether/src/Mayaqua", "target/softether/src/Cedar" }) |dir| {
            headers.addIncludePath(b.path(dir));
        }
        const api = b.addTranslateC(.{ .root_source_file = b.path("bridge/cutover.h"), .target = target, .optimize = options.zigMode() });
        const sizes = b.createModule(.{ .root_source_file = out.path(b, "sizes.zig") });
        return .{
            .step = &cargo.step,
            .imports = .{
                .{ .name = "c", .module = headers.createModule() },
                .{ .name = "cutover", .module = api.createModule() },
                .{ .name = "sizes", .module = sizes },
            },
            .archive = out.path(b, "libhybrid.a"),
            .hamcore = out.path(b, "hamcore.se2"),
        };
    }

    /// Links the library and what it needs into a program.
    pub fn linkTo(library: Library, module: *std.Build.Module) void {
        for (library.imports) |import| module.addImport(import.name, import.module);
        module.addObjectFile(library.archive);
        for ([_][]const u8{ "ssl", "crypto", "z", "gcc_s" }) |name| {
            module.linkSystemLibrary(name, .{ .use_pkg_config = .no });
        }
    }
};

fn addFeatures(b: *std.Build, cargo: *std.Build.Step.Run, options: Options) void {
    if (options.planted_faults) cargo.addArgs(&.{ "--features", "swaps/planted-faults" });
    if (options.impl == .rust and options.swaps.len == 0) return;
    cargo.addArg("--no-default-features");
    if (options.impl == .c) return;
    var names = std.mem.tokenizeScalar(u8, options.swaps, ',');
    while (names.next()) |name| cargo.addArgs(&.{ "--features", b.fmt("softether-sys/swap-{s}", .{name}) });
}
