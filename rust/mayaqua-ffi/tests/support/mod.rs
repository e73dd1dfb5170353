//! What the tests share: where the library was built, and programs that are run.

#![allow(dead_code, reason = "each test uses a part")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of this build of the library: cargo puts both kinds beside the tests.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().expect("a folder");
    let (stem, extension) = name.split_once('.').expect("a name with an extension");
    let entries = folder.read_dir().expect("the folder of the tests");
    let files = entries.map(|entry| entry.expect("an entry").path()).filter(|path| {
        let stemmed = path.file_stem().is_some_and(|file| file.to_string_lossy().starts_with(stem));
        stemmed && path.extension().is_some_and(|found| found == extension)
    });
    let modified = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).expect("a time");
    files.max_by_key(modified).unwrap_or_else(|| panic!("{name} is not in {}", folder.display()))
}

/// The folder of a file of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a program to its end and gives what it wrote; anything but success ends the test.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{program} {}: {}\n{}{}",
        arguments.join(" "),
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
