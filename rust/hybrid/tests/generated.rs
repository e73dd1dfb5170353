//! The generated files that people read are committed and up to date: `bridge/cutover.h` and `docs/SWAPS.md`.
//! `./zigw build header` (which sets CUTOVER_BLESS) writes them anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares with the committed file, or replaces it when that was asked for.
fn hold(path: &str, made: &str) {
    let file = root().join(path);
    if std::env::var_os("CUTOVER_BLESS").is_some() {
        std::fs::write(&file, made).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == made, "{path} is not what the source makes of it; run `./zigw build header` and commit it");
}

#[test]
fn header() {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_directory.join("cbindgen.toml")).expect("cbindgen.toml");
    let bindings =
        cbindgen::Builder::new().with_crate(crate_directory).with_config(config).generate().expect("a header");
    let mut header = Vec::new();
    bindings.write(&mut header);
    hold("bridge/cutover.h", &String::from_utf8(header).expect("UTF-8"));
}

#[test]
fn table_of_swaps() {
    let mut table = String::from(
        "# Swaps\n\nEvery C function that has a Rust side, from `rust/swaps/src/registry.rs`; `./zigw build header` writes this \
         table anew.\n\n| function | C file | group | contract | Rust | test and benchmark |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for swaps::Line { name, symbol, file, group, contract, home } in swaps::REGISTRY {
        writeln!(
            table,
            "| `{symbol}` | `{file}` | {group} | {contract} | [`{name}`](../rust/swaps/src/{home}.rs) \
             | [`{name}`](../rust/swaps/tests/differential/{home}.rs) |"
        )
        .expect("to write to a string");
    }
    writeln!(
        table,
        "\n{} functions. What the contracts mean: [ADDING_A_SWAP.md](ADDING_A_SWAP.md).",
        swaps::REGISTRY.len()
    )
    .expect("to write to a string");
    hold("docs/SWAPS.md", &table);
}
