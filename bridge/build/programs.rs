//! SoftEther's own programs, linked from untouched C: the builder of hamcore.se2 (the message tables that
//! every program of theirs reads at start), and the lab's server with its command line.

use crate::compile::{Compiler, Profile, Unit, keep};
use crate::source::Source;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Builds hamcore.se2 and, if the feature `programs` is on, vpnserver and vpncmd, into `directory`.
pub fn build(compiler: &Compiler, source: &Source, pristine: &[Unit], directory: &Path) -> Result<(), String> {
    let profile = Profile::of_upstream();
    let library = compiler.objects(&profile, pristine)?;
    let program = |file: &str, name: &str| -> Result<PathBuf, String> {
        let main = Unit { name: file.to_owned(), text: source.read(file)? };
        let mut objects = compiler.objects(&profile, &[main])?;
        objects.extend_from_slice(&library);
        let names: Vec<String> = objects.iter().map(|path| path.display().to_string()).collect();
        let path = compiler.cache_path(name, &[names.concat().as_bytes()]);
        if !path.exists() {
            compiler.link(&objects, &path)?;
        }
        Ok(path)
    };

    let builder = program("hamcorebuilder/hamcorebuilder.c", "hamcorebuilder")?;
    install(&hamcore(compiler, source, &builder)?, &directory.join("hamcore.se2"))?;
    if env::var_os("CARGO_FEATURE_PROGRAMS").is_some() {
        install(&program("vpnserver/vpnserver.c", "vpnserver")?, &directory.join("vpnserver"))?;
        install(&program("vpncmd/vpncmd.c", "vpncmd")?, &directory.join("vpncmd"))?;
    }
    Ok(())
}

/// Packs `bin/hamcore` with upstream's own builder.
fn hamcore(compiler: &Compiler, source: &Source, builder: &Path) -> Result<PathBuf, String> {
    let path = compiler.cache_path("hamcore.se2", &[builder.display().to_string().as_bytes()]);
    if path.exists() {
        return Ok(path);
    }
    // The builder looks for its own directory's temporary files beside the target: give it one of its own.
    let work = tempfile::tempdir().map_err(|e| format!("temporary directory: {e}"))?;
    let made = work.path().join("hamcore.se2");
    let output = Command::new(builder)
        .args([source.src.join("bin/hamcore"), made.clone()])
        .output()
        .map_err(|e| format!("{}: {e}", builder.display()))?;
    if !made.is_file() {
        return Err(format!("hamcorebuilder made no archive: {}", String::from_utf8_lossy(&output.stdout)));
    }
    // The builder makes it readable for its owner alone; message tables are no secret.
    fs::set_permissions(&made, fs::Permissions::from_mode(0o644)).map_err(|e| format!("{}: {e}", made.display()))?;
    keep(&made, &path)?;
    Ok(path)
}

/// Copies to where people and `build.zig` look for it, unless the same file is there already.
fn install(from: &Path, to: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", to.display());
    let same = fs::read(from).ok().is_some_and(|bytes| fs::read(to).is_ok_and(|there| there == bytes));
    if same { Ok(()) } else { keep(from, to) }
}
