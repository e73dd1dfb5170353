//! Every entry point of Cutover, as a step of `zig build`. Run it as `./zigw build`, which installs what is missing.
//!
//!   install (the default)  the client into zig-out/bin, for -Dimpl, -Dswaps and -Doptimize
//!   run                    the client, with the arguments after --
//!   lab                    a private world with a real server; the arguments after -- say what for
//!   ab                     the A/B report of C against Rust
//!   drill                  the cutover drill: a rollout under load, with every planted fault
//!   bench                  the micro-benchmarks of every swap
//!   test                   every test, with those end to end
//!   test-mayaqua           the tests and the example of the Zig module mayaqua, which the step above runs too
//!   mayaqua                libmayaqua, its header and its pkg-config file; -- --prefix FOLDER says where
//!   test-programs          what the tests end to end run
//!   header                 the generated files that are committed, anew
//!   fmt                    all of the source, formatted
//!   lint                   formatting and lints; CI runs them and the tests
//!
//! Rust and C are built by cargo (zig/build/cargo.sh), from the source that vendor/fetch brings.

const std = @import("std");
const Step = std.Build.Step;
const Client = @import("zig/build/client.zig").Client;
const Mayaqua = @import("zig/build/mayaqua.zig").Mayaqua;
const Options = @import("zig/build/options.zig").Options;

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const options = Options.parse(b);

    const client = Client.build(b, target, options);
    client.install(b, b.getInstallStep(), "cutover");
    const run = installed(b, "bin/cutover", &.{b.getInstallStep()});
    run.addPassthruArgs();
    b.step("run", "Run the client: ./zigw build run -- up FILE").dependOn(&run.step);

    // The lab and its contestants: both builds of the client at full speed.
    const lab_files = labFiles(b);
    const c = Client.build(b, target, .{ .impl = .c });
    const rust = Client.build(b, target, .{ .impl = .rust });
    c.install(b, &lab_files.step, "cutover-c");
    rust.install(b, &lab_files.step, "cutover-rust");
    const lab = installed(b, "bin/cutover-lab", &.{&lab_files.step});
    lab.addPassthruArgs();
    b.step("lab", "Run something beside a real server: ./zigw build lab -- shell").dependOn(&lab.step);
    const ab = installed(b, "bin/cutover-ab", &.{&lab_files.step});
    ab.addPassthruArgs();
    b.step("ab", "Compare C and Rust over a real server: ./zigw build ab -- --quick").dependOn(&ab.step);

    const planted = Client.build(b, target, .{ .impl = .rust, .planted_faults = true });
    const drill = installed(b, "bin/cutover-lab", &.{&lab_files.step});
    drill.addArg("drill");
    planted.install(b, &drill.step, "cutover-planted");
    drill.addPassthruArgs();
    b.step("drill", "Run the cutover drill: ./zigw build drill").dependOn(&drill.step);

    const bench = cargo(b, "bench", &.{ "-p", "swaps", "-p", "cedar", "-p", "switch" });
    bench.addPassthruArgs();
    b.step("bench", "Run the micro-benchmarks: ./zigw build bench -- new_block").dependOn(&bench.step);

    const zig_test = b.addRunArtifact(client.tests(b));
    const sources = b.addSystemCommand(&.{"vendor/fetch"});
    sources.setCwd(b.path("."));
    sources.has_side_effects = true;
    const fetch = b.step("fetch", "Fetch the C sources, unless they are there");
    fetch.dependOn(&sources.step);

    const test_compile = cargo(b, "test", &.{ "--workspace", "--no-run" });
    test_compile.step.dependOn(fetch);
    b.step("test-compile", "Compile the tests").dependOn(&test_compile.step);
    const rust_test = cargo(b, "test", &.{ "--workspace", "--no-fail-fast" });
    // Random frames each way through framing in C and in Rust: ten million both ways; without this it is a million each.
    rust_test.setEnvironmentVariable("CUTOVER_TEST_FRAMES", "5000000");
    // End to end most tests wait for others' clocks: one more than there are processors keeps two busy.
    rust_test.setEnvironmentVariable("RUST_TEST_THREADS", "3");
    const test_programs = b.step("test-programs", "Install the programs that the tests need");
    test_programs.dependOn(&testFiles(b).step);
    c.install(b, test_programs, "cutover-c");
    rust.install(b, test_programs, "cutover-rust");
    planted.install(b, test_programs, "cutover-planted");
    Client.build(b, target, .{ .impl = .rust, .swaps = "framing" }).install(b, test_programs, "cutover-framing");
    rust_test.step.dependOn(test_programs);
    rust_test.step.dependOn(&zig_test.step);
    const mayaqua: Mayaqua = .build(b, target, options);
    const mayaqua_test = b.step("test-mayaqua", "Run the tests and the example of the Zig module mayaqua");
    mayaqua.addTests(b, target, options, mayaqua_test);
    rust_test.step.dependOn(mayaqua_test);
    const run_tests = b.step("test", "Run every test, with those end to end");
    run_tests.dependOn(&rust_test.step);

    const install_mayaqua = b.addSystemCommand(&.{"rust/mayaqua-ffi/install"});
    install_mayaqua.setCwd(b.path("."));
    install_mayaqua.stdio = .inherit;
    install_mayaqua.addPassthruArgs();
    b.step("mayaqua", "Install libmayaqua: ./zigw build mayaqua -- --prefix /usr/local").dependOn(&install_mayaqua.step);

    const bless = cargo(b, "test", &.{ "-p", "hybrid", "-p", "mayaqua-ffi", "-p", "mayaqua", "--test", "generated", "--test", "functions" });
    bless.setEnvironmentVariable("CUTOVER_BLESS", "1");
    b.step("header", "Write the generated files anew: cutover.h, mayaqua_ffi.h, docs/SWAPS.md, docs/MAYAQUA.md").dependOn(&bless.step);

    const zig_files: []const []const u8 = &.{ "build.zig", "build.zig.zon", "zig", "examples" };
    const format = b.step("fmt", "Format all of the source");
    format.dependOn(&b.addFmt(.{ .paths = b.pathList(zig_files) }).step);
    format.dependOn(&cargo(b, "fmt", &.{"--all"}).step);

    const zig_format = b.addFmt(.{ .paths = b.pathList(zig_files), .check = true });
    const rust_format = cargo(b, "fmt", &.{ "--all", "--check" });
    const lints = cargo(b, "clippy", &.{ "--workspace", "--all-targets", "--", "-D", "warnings" });
    lints.step.dependOn(fetch);
    const lint = b.step("lint", "Check formatting and lints");
    for ([_]*Step{ &zig_format.step, &rust_format.step, &lints.step }) |step| lint.dependOn(step);
}

/// A program below the install prefix, run with the terminal as it is, after `needs`.
fn installed(b: *std.Build, path: []const u8, needs: []const *Step) *Step.Run {
    const run = b.addRunFile(b.graph.path(.install_prefix, path));
    run.stdio = .inherit;
    for (needs) |need| run.step.dependOn(need);
    return run;
}

/// A cargo command over the checkout.
fn cargo(b: *std.Build, command: []const u8, arguments: []const []const u8) *Step.Run {
    const run = b.addSystemCommand(&.{ "cargo", command });
    run.addArgs(arguments);
    run.setCwd(b.path("."));
    run.stdio = .inherit;
    return run;
}

/// SoftEther's own server, which every lab wants.
fn serverFiles(b: *std.Build) *Step.InstallDir {
    const arguments = [_][]const u8{ "-p", "softether-sys", "--no-default-features", "--features", "programs" };
    return cargoPrograms(b, "server", &.{ "softether/vpnserver", "softether/vpncmd" }, &arguments, "libexec/cutover");
}

/// The lab and the A/B harness with the server beside them; the step to depend on is the result's.
fn labFiles(b: *std.Build) *Step.InstallDir {
    const names = [_][]const u8{ "release/cutover-lab", "release/cutover-ab", "release/cutover-peer", "release/cutover-soak" };
    const tools = cargoPrograms(b, "ab-bench", &names, &.{ "-p", "ab-bench" }, "bin");
    tools.step.dependOn(&serverFiles(b).step);
    return tools;
}

/// What tests run besides the client: the server, the one on the swaps, the replay of recorded sessions.
fn testFiles(b: *std.Build) *Step.InstallDir {
    const names = [_][]const u8{ "release/cutover-replay", "release/cutover-vpnserver" };
    const tools = cargoPrograms(b, "replay and server", &names, &.{ "-p", "replay", "-p", "server" }, "bin");
    tools.step.dependOn(&serverFiles(b).step);
    return tools;
}

/// Programs that cargo builds in the release profile, installed in a folder below the prefix.
fn cargoPrograms(b: *std.Build, name: []const u8, files: []const []const u8, arguments: []const []const u8, folder: []const u8) *Step.InstallDir {
    const command = b.addSystemCommand(&.{"zig/build/cargo.sh"});
    command.setName(b.fmt("cargo build {s}", .{name}));
    command.setCwd(b.path("."));
    command.has_side_effects = true;
    const directory = command.addOutputDirectoryArg("programs");
    command.addArgs(files);
    command.addArgs(&.{ "--", "--release" });
    command.addArgs(arguments);
    return b.addInstallDirectory(.{ .source_dir = directory, .install_dir = .prefix, .install_subdir = folder });
}
