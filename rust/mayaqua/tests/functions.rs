//! docs/MAYAQUA.md: every function that eleven of Mayaqua's headers declare, with what became of it. `CUTOVER_BLESS=1` writes
//! it anew; with `CUTOVER_BIN_DIR=zig-out/bin`, where `./zigw build lab` puts the client, also the list of 4.
//!
//! 1. The functions come from the headers of the vendored C.
//! 2. *Ported* is what a doc comment of this crate names as its C: `(C: `WriteBuf`, Mayaqua/Memory.c)`.
//! 3. *Replaced* is in tests/functions/replaced.txt, with by what.
//! 4. *Not on the client path* is what the linker threw out of the client that runs on the untouched C: it is not in
//!    tests/functions/linked.txt. With `CUTOVER_BIN_DIR` set that list is compared with the program.
//! 5. *Server side* is what is linked, since the linker follows every pointer, but reached only through files of the server:
//!    marked so in the same list, which is then compared with the object files too (tests/functions/calls.rs).
//! 6. *R-UDP* is, by the same list, what is there for that alone.
//! 7. The rest is *open*: of a client, and in no Rust of this crate.

#[path = "functions/calls.rs"]
mod calls;

use calls::Only;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEADERS: [&str; 11] = [
    "Memory.h",
    "Str.h",
    "Pack.h",
    "Object.h",
    "Table.h",
    "Tick64.h",
    "HTTP.h",
    "Encrypt.h",
    "Network.h",
    "TcpIp.h",
    "OS.h",
];

/// Behind the name of a function that only the server's side leads to, and of one that only R-UDP does.
const MARKS: [(&str, Only); 2] = [(" server", Only::Server), (" r-udp", Only::RUdp)];

fn crate_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    let bytes =
        std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; vendor/fetch brings the C", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn blessing() -> bool {
    std::env::var_os("CUTOVER_BLESS").is_some()
}

/// Compares with the committed file, or replaces it when that was asked for.
fn hold(path: &Path, made: &str) {
    if blessing() {
        std::fs::write(path, made).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let command = "CUTOVER_BIN_DIR=zig-out/bin CUTOVER_BLESS=1 cargo test -p mayaqua --test functions";
    assert!(committed == made, "{} is not what the source makes of it; run `{command}` and commit it", path.display());
}

/// The functions that a header declares, in its order.
fn declared(header: &str) -> Vec<String> {
    let source =
        std::env::var_os("SOFTETHER_SRC").map_or_else(|| crate_file("../../vendor/SoftEtherVPN"), PathBuf::from);
    let text = read(&source.join("src/Mayaqua").join(header));
    let mut names: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let starts = line.starts_with(|first: char| first.is_ascii_alphabetic()) && !line.starts_with("typedef");
        let Some((before, _)) = line.split_once('(').filter(|_| starts && line.contains(';')) else { continue };
        let name = before.rsplit([' ', '\t', '*']).next().unwrap_or_default();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The C functions that doc comments of this crate name, with the module that does.
fn ported() -> BTreeMap<String, String> {
    let mut ported = BTreeMap::new();
    let mut folders = vec![crate_file("src")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let module = path.strip_prefix(crate_file("src")).expect("a source file").with_extension("");
            let module = module.iter().map(|part| part.to_string_lossy()).filter(|part| part != "mod" && part != "lib");
            let module = module.collect::<Vec<_>>().join("::");
            for name in named(&read(&path)) {
                ported.entry(name).or_insert_with(|| module.clone());
            }
        }
    }
    ported
}

/// The names in backticks of every `(C: …)` in doc comments.
fn named(text: &str) -> Vec<String> {
    let comments: Vec<&str> = text.lines().filter_map(|line| line.trim_start().strip_prefix("//")).collect();
    let comments = comments.iter().map(|line| line.trim_start_matches(['/', '!'])).collect::<Vec<_>>().join(" ");
    let mentions = comments.split("(C: ").skip(1).filter_map(|rest| rest.split(')').next());
    let tables = text.lines().filter(|line| line.starts_with("//! | ["));
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    mentions.flat_map(quoted).chain(tables.flat_map(quoted)).collect()
}

/// `name = by what` of each line.
fn replaced() -> BTreeMap<String, String> {
    let text = read(&crate_file("tests/functions/replaced.txt"));
    let mut by = String::new();
    let mut replaced = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix("by ") {
            Some(what) => what.clone_into(&mut by),
            None => line.split_whitespace().for_each(|name| {
                assert!(replaced.insert(name.to_owned(), by.clone()).is_none(), "{name} is replaced twice");
            }),
        }
    }
    replaced
}

/// What is linked, and who else's it is.
fn linked() -> BTreeMap<String, Option<Only>> {
    let text = read(&crate_file("tests/functions/linked.txt"));
    let marked = |line: &str| {
        let mark = MARKS.iter().find_map(|(mark, only)| Some((line.strip_suffix(mark)?.to_owned(), Some(*only))));
        mark.unwrap_or_else(|| (line.to_owned(), None))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(marked).collect()
}

#[test]
fn every_function_has_a_fate() {
    let (ported, replaced, linked) = (ported(), replaced(), linked());
    let mut all = BTreeSet::new();
    let (mut tables, mut summary) = (String::new(), String::new());
    for header in HEADERS {
        let functions = declared(header);
        assert!(functions.len() > 3, "{header} declares {} functions", functions.len());
        let mut counts = [0; 6];
        writeln!(tables, "\n## {header}\n\n| function | fate |\n| --- | --- |").unwrap();
        for name in &functions {
            let (kind, fate) = match (ported.get(name), replaced.get(name)) {
                (Some(_), Some(by)) => panic!("{name} is ported, and said to be replaced by {by}"),
                (Some(module), None) => (0, format!("ported: `mayaqua::{module}`")),
                (None, Some(by)) => (1, format!("replaced by {by}")),
                (None, None) => match linked.get(name) {
                    None => (2, "not on the client path".to_owned()),
                    Some(Some(Only::Server)) => (3, "server side".to_owned()),
                    Some(Some(Only::RUdp)) => (4, "R-UDP".to_owned()),
                    Some(None) => (5, "open".to_owned()),
                },
            };
            counts[kind] += 1;
            writeln!(tables, "| `{name}` | {fate} |").unwrap();
        }
        let counts = counts.map(|count| count.to_string()).join(" | ");
        writeln!(summary, "| {header} | {} | {counts} |", functions.len()).unwrap();
        all.extend(functions);
    }
    let unknown: Vec<_> = replaced.keys().filter(|name| !all.contains(*name)).collect();
    assert!(unknown.is_empty(), "replaced.txt names what no header declares: {unknown:?}");
    let text = read(&crate_file("tests/functions/MAYAQUA.md.in"));
    hold(&crate_file("../../docs/MAYAQUA.md"), &(text.replace("SUMMARY\n", &summary) + &tables));
}

/// The list of what is linked, against the client itself.
#[test]
fn the_list_of_linked_functions_is_the_clients() {
    let Some(folder) = std::env::var_os("CUTOVER_BIN_DIR") else {
        println!("CUTOVER_BIN_DIR is not set: the list is not compared with a program");
        return;
    };
    // Relative to the checkout, as everywhere.
    let program = crate_file("../..").join(folder).join("cutover-c");
    let output = Command::new("nm").arg(&program).output().expect("nm");
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    let symbols = String::from_utf8_lossy(&output.stdout).into_owned();
    let functions: BTreeSet<&str> =
        symbols.lines().filter_map(|line| line.split_once(" T ").map(|(_, name)| name)).collect();
    let mut made =
        String::from("# Functions of the eleven headers in the client on the untouched C: nm zig-out/bin/cutover-c\n");
    made += "# `server`, `r-udp`: a client over TCP does not reach it (tests/functions/calls.rs)\n";
    let all: BTreeSet<String> = HEADERS.iter().flat_map(|header| declared(header)).collect();
    let linked: BTreeSet<&str> = all.iter().map(String::as_str).filter(|name| functions.contains(name)).collect();
    let others = calls::of_others(&crate_file("../.."), &linked);
    for name in &linked {
        let mark = others.get(*name).and_then(|of| MARKS.iter().find(|(_, only)| only == of));
        writeln!(made, "{name}{}", mark.map_or("", |(mark, _)| mark)).unwrap();
    }
    hold(&crate_file("tests/functions/linked.txt"), &made);
}
