//! Compiles the vendored C with `cc`, renames the swapped definitions, runs `bindgen`.
//!
//! 1. Find the C and the enabled swaps.
//! 2. Compile every file; of a file with swaps, a copy in which only the swapped definitions are renamed.
//! 3. Declare all of it to Rust and let the C compiler confirm the layouts.
//! 4. Build SoftEther's own programs from the untouched files, and leave in target/softether/ what Zig needs.
//!
//! The parts are in bridge/build/. A failure says what is wrong, where, and what to run.

#[path = "bridge/build/bindings.rs"]
mod bindings;
#[path = "bridge/build/compile.rs"]
mod compile;
#[path = "bridge/build/programs.rs"]
mod programs;
#[path = "bridge/build/registry.rs"]
mod registry;
#[path = "bridge/build/rename.rs"]
mod rename;
#[path = "bridge/build/source.rs"]
mod source;

use compile::{Compiler, Profile, Unit};
use registry::Swap;
use source::Source;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The C file that prints the lines of Debug().
const DEBUG_FILE: &str = "Mayaqua/Str.c";

/// What SoftEther's C links with.
const LIBRARIES: &[&str] = &["ssl", "crypto", "z", "pthread", "rt"];

fn main() {
    if let Err(message) = run() {
        println!("cargo::error={message}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("not run by cargo")?);
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("not run by cargo")?);
    for input in [
        "build.rs",
        "bridge/build",
        "bridge/debug.c",
        "bridge/readline.c",
        "rust/swaps/src/registry.rs",
        "vendor/SoftEtherVPN.lock",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }

    let source = Source::locate(&root)?;
    let compiler = Compiler::new(&source, &root, &out_dir)?;
    let swaps = registry::enabled();

    let wrapper = root.join("bridge/wrapper.h");
    let declarations = bindings::generate(&compiler, &wrapper, &source.src)?;
    let pristine = pristine_units(&source, &root)?;
    let mut units = renamed_units(&pristine, &swaps)?;
    units.push(debug_unit(&root, !swaps.is_empty())?);
    units.push(bindings::layout_check(&declarations, &wrapper)?);
    compiler.archive("softether", &compiler.objects(&Profile::of_cargo(), &units)?);
    let shared = target_directory(&out_dir)?.join("softether");
    programs::build(&compiler, &source, &pristine, &shared)?;
    write(&shared.join("cedar.h"), &compiler.umbrella_header())?;
    write(&shared.join("sizes.zig"), &bindings::zig_sizes(&declarations))?;
    link(&source.src, &shared.join("src"))?;
    write(&out_dir.join("bindings.rs"), &declarations)?;

    for library in LIBRARIES {
        println!("cargo::rustc-link-lib=dylib={library}");
    }
    // Crates that depend on this one read the enabled swaps as DEP_SOFTETHER_SWAPS.
    let names: Vec<&str> = swaps.iter().map(|swap| swap.name).collect();
    println!("cargo::metadata=swaps={}", names.join(","));
    Ok(())
}

/// Every file as it is.
fn pristine_units(source: &Source, root: &Path) -> Result<Vec<Unit>, String> {
    let mut units = Vec::new();
    for name in source.c_files()? {
        units.push(Unit { text: source.read(&name)?, name });
    }
    let readline = root.join("bridge/readline.c");
    let text = fs::read(&readline).map_err(|e| format!("{}: {e}", readline.display()))?;
    units.push(Unit { name: "bridge/readline.c".to_owned(), text });
    Ok(units)
}

/// Every file, with the definitions of `swaps` renamed in copies.
fn renamed_units(pristine: &[Unit], swaps: &[&Swap]) -> Result<Vec<Unit>, String> {
    let mut units: Vec<Unit> =
        pristine.iter().map(|unit| Unit { name: unit.name.clone(), text: unit.text.clone() }).collect();
    for swap in swaps {
        let unit = units.iter_mut().find(|unit| unit.name == swap.file).ok_or_else(|| {
            format!("rust/swaps/src/registry.rs: `{}` names {}, which is not there", swap.name, swap.file)
        })?;
        for symbol in swap.renamed() {
            let text = std::str::from_utf8(&unit.text).map_err(|e| format!("{}: {e}", swap.file))?;
            let renamed = rename::rename_definition(text, symbol);
            unit.text = renamed.map_err(|e| e.message(symbol, swap.file))?.into_bytes();
        }
    }
    // bridge/debug.c takes the place of what prints the C's debug lines. Not in a build of the untouched C.
    if let (false, Some(unit)) = (swaps.is_empty(), units.iter_mut().find(|unit| unit.name == DEBUG_FILE)) {
        let text = std::str::from_utf8(&unit.text).map_err(|e| format!("{DEBUG_FILE}: {e}"))?;
        let renamed = rename::rename_definition(text, "DebugArgs");
        unit.text = renamed.map_err(|e| e.message("DebugArgs", DEBUG_FILE))?.into_bytes();
    }
    Ok(units)
}

/// Where the C's Debug() lines come out.
fn debug_unit(root: &Path, is_bridged: bool) -> Result<Unit, String> {
    let file = root.join("bridge/debug.c");
    let text = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let define: &[u8] = if is_bridged { b"#define CUTOVER_DEBUG_IS_BRIDGED\n" } else { b"" };
    Ok(Unit { name: "bridge/debug.c".to_owned(), text: [define, &text].concat() })
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// A symbolic link to the C for those that include it, wherever it lies.
fn link(to: &Path, at: &Path) -> Result<(), String> {
    if fs::read_link(at).is_ok_and(|there| there == to) {
        return Ok(());
    }
    let _ = fs::remove_file(at);
    std::os::unix::fs::symlink(to, at).map_err(|e| format!("{}: {e}", at.display()))
}

/// `target/` from `target/<profile>/build/<package>/out`.
fn target_directory(out_dir: &Path) -> Result<PathBuf, String> {
    out_dir.ancestors().nth(4).map(Path::to_owned).ok_or_else(|| format!("{} is no OUT_DIR", out_dir.display()))
}
