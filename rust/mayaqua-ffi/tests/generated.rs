//! What programs are compiled against is committed and up to date: the header, the exported symbols, the layout of structs.
//! `./zigw build header` (which sets CUTOVER_BLESS) writes them anew.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use support::{built, run};

/// Compares with the committed file, or replaces it when that was asked for.
fn hold(path: &str, made: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("CUTOVER_BLESS").is_some() {
        std::fs::write(&file, made).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == made, "{path} is not what the source makes of it; run `./zigw build header` and commit it");
}

fn made_header() -> String {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_directory.join("cbindgen.toml")).expect("cbindgen.toml");
    let bindings =
        cbindgen::Builder::new().with_crate(crate_directory).with_config(config).generate().expect("a header");
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).expect("UTF-8")
}

/// What the shared library exports.
fn exported() -> BTreeSet<String> {
    let output = run("nm", &["-D", "--defined-only", built("libmayaqua_ffi.so").to_str().unwrap()]);
    output.lines().filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect()
}

#[test]
fn header() {
    hold("include/mayaqua_ffi.h", &made_header());
}

/// Functions are added and never taken away, unless the version of the interface says so.
#[test]
fn exported_symbols() {
    let exported = exported();
    let foreign: Vec<_> = exported.iter().filter(|name| !name.starts_with("mayaqua_")).collect();
    assert!(foreign.is_empty(), "the library exports what is not its own: {foreign:?}");

    let version = format!("interface {}", mayaqua_ffi::library::MAYAQUA_ABI_VERSION);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("symbols.txt");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if committed.lines().next() == Some(&version) {
        let gone: Vec<_> = committed.lines().skip(1).filter(|name| !exported.contains(*name)).collect();
        assert!(gone.is_empty(), "{gone:?} went, and MAYAQUA_ABI_VERSION is still the same");
    }
    let lines: Vec<String> = std::iter::once(version).chain(exported).collect();
    hold("symbols.txt", &(lines.join("\n") + "\n"));
}

/// Every exported function is in the header, and the header declares no other.
#[test]
fn the_header_declares_what_the_library_exports() {
    let header = made_header();
    let code = header.lines().filter(|line| !line.starts_with("//") && !line.starts_with(" *"));
    let names = code.filter_map(|line| {
        let (before, _) = line.split_once('(')?;
        let name = before.rsplit([' ', '*']).next()?;
        name.starts_with("mayaqua_").then(|| name.to_owned())
    });
    assert_eq!(names.collect::<BTreeSet<_>>(), exported());
}

#[test]
fn layout_of_structs() {
    use mayaqua_ffi::{buf, fifo, list, pack, queue};
    for (size, align) in [
        (size_of::<buf::Buf>(), align_of::<buf::Buf>()),
        (size_of::<fifo::Fifo>(), align_of::<fifo::Fifo>()),
        (size_of::<queue::Queue>(), align_of::<queue::Queue>()),
        (size_of::<list::List>(), align_of::<list::List>()),
        (size_of::<pack::Pack>(), align_of::<pack::Pack>()),
    ] {
        assert_eq!((size, align), (8, 8));
    }
    assert_eq!((size_of::<mayaqua_ffi::Status>(), size_of::<pack::ValueType>(), size_of::<buf::Seek>()), (4, 4, 4));
    // The same as the C compiler sees it: tests/layout.c, in programs.rs.
}
