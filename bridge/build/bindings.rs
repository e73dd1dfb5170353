//! Runs bindgen on the headers, and has the C compiler confirm every layout that bindgen found.

use crate::compile::{self, Compiler, Unit};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Declarations of all that Mayaqua and Cedar export, as Rust source; from the cache if nothing changed.
pub fn generate(compiler: &Compiler, wrapper: &Path, src: &Path) -> Result<String, String> {
    println!("cargo::rerun-if-changed={}", wrapper.display());
    let text = fs::read(wrapper).map_err(|e| format!("{}: {e}", wrapper.display()))?;
    let cached = compiler.cache_path("bindings.rs", &[&text, include_bytes!("bindings.rs")]);
    if let Ok(bindings) = fs::read_to_string(&cached) {
        return Ok(bindings);
    }
    let files = format!("{}/(Mayaqua|Cedar)/.*", regex_escape(&src.display().to_string()));
    let bindings = bindgen::Builder::default()
        .header(wrapper.display().to_string())
        .clang_args(compiler.clang_arguments())
        .allowlist_file(files)
        .default_enum_style(bindgen::EnumVariation::Consts)
        .derive_debug(false)
        .generate_comments(false)
        .merge_extern_blocks(true)
        .generate()
        .map_err(|e| format!("bindgen: {e}. If libclang is missing: `apt-get install libclang-dev`."))?
        .to_string();
    let partial = compile::partial(&cached);
    fs::write(&partial, &bindings)
        .and_then(|()| fs::rename(&partial, &cached))
        .map_err(|e| format!("{}: {e}", cached.display()))?;
    Ok(bindings)
}

/// A C file that fails to compile if the C compiler sees another size or offset than bindgen did.
/// Anonymous and compiler-internal types, which C cannot name, are left to bindgen's own checks.
pub fn layout_check(bindings: &str, wrapper: &Path) -> Result<Unit, String> {
    let mut text = format!("#include <stddef.h>\n#include \"{}\"\n", wrapper.display());
    let unions: HashSet<&str> =
        bindings.lines().filter_map(|line| line.strip_prefix("pub union ")?.strip_suffix(" {")).collect();
    let tagged = |name: &str| format!("{} {name}", if unions.contains(name) { "union" } else { "struct" });
    let mut checks = 0;
    for line in bindings.lines().map(str::trim) {
        if let Some(check) = size_check(line, tagged).or_else(|| offset_check(line, tagged)) {
            text.push_str(&check);
            checks += 1;
        }
    }
    // bindgen writes thousands of them; none found means that their form changed under us.
    if checks < 1000 {
        return Err(format!(
            "only {checks} layout assertions found in bindgen's output; adapt bridge/build/bindings.rs to its new form"
        ));
    }
    Ok(Unit { name: "layout_check.c".to_owned(), text: text.into_bytes() })
}

/// A Zig file with the sizes that bindgen found, for the same confirmation by Zig's translate-c.
pub fn zig_sizes(bindings: &str) -> String {
    let sizes = bindings.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix("[\"Size of ")?.split_once("\"]")?;
        nameable(name).then(|| Some(format!("    .{{ \"{name}\", {} }},\n", number(rest)?)))?
    });
    let head = "//! Sizes in bytes of the C's structs as Rust sees them; made by build.rs.\n";
    format!("{head}pub const sizes = .{{\n{}}};\n", sizes.collect::<String>())
}

/// `["Size of BLOCK"][::std::mem::size_of::<BLOCK>() - 56usize];`
fn size_check(line: &str, tagged: impl Fn(&str) -> String) -> Option<String> {
    let (name, rest) = line.strip_prefix("[\"Size of ")?.split_once("\"]")?;
    let size = number(rest)?;
    nameable(name).then(|| format!("_Static_assert(sizeof({}) == {size}, \"size of {name}\");\n", tagged(name)))
}

/// `["Offset of field: BLOCK::Size"][::std::mem::offset_of!(BLOCK, Size) - 4usize];`
fn offset_check(line: &str, tagged: impl Fn(&str) -> String) -> Option<String> {
    let (path, rest) = line.strip_prefix("[\"Offset of field: ")?.split_once("\"]")?;
    let (name, field) = path.split_once("::")?;
    let offset = number(rest)?;
    (nameable(name) && nameable(field)).then(|| {
        format!("_Static_assert(offsetof({}, {field}) == {offset}, \"offset of {name}.{field}\");\n", tagged(name))
    })
}

fn number(rest: &str) -> Option<&str> {
    rest.rsplit_once(" - ")?.1.strip_suffix("usize];")
}

/// SoftEther's structs are in capitals; what bindgen invents for unnamed ones holds `__`.
fn nameable(name: &str) -> bool {
    !name.contains("__") && !name.starts_with('_') && !name.ends_with('_')
}

fn regex_escape(path: &str) -> String {
    path.chars().map(|c| if c.is_ascii_alphanumeric() || c == '/' { c.to_string() } else { format!("\\{c}") }).collect()
}
