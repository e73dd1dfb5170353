//! Style as a test: what holds the registry, the features, the files and the documents together.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Line {
    name: &'static str,
    group: &'static str,
    home: &'static str,
}

include!("../../rust/swaps/src/registry.rs");

macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
        const REGISTRY: &[Line] = &[$(Line {
            name: stringify!($name),
            group: stringify!($group),
            home: [$(stringify!($home),)? stringify!($name)][0],
        }),*];
    };
}
with_registry!(lines);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What git tracks, and what it would track if it were added.
fn files() -> Vec<String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root()).output().expect("git");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("names in UTF-8");
    listed.lines().filter(|name| root().join(name).is_file()).map(str::to_owned).collect()
}

fn stems(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension().is_some_and(|e| e == "rs"));
    paths.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_swap_has_its_file_and_its_test_and_every_such_file_its_swap() {
    let names: BTreeSet<&str> = REGISTRY.iter().map(|line| line.name).collect();
    assert_eq!(names.len(), REGISTRY.len(), "a name stands twice in the registry");
    let registered: BTreeSet<String> = REGISTRY.iter().map(|line| line.home.to_owned()).collect();
    for (folder, shared) in [
        (
            "rust/swaps/src",
            &[
                "lib",
                "registry",
                "memory",
                "interface",
                "fused",
                "tls",
                "terms",
                "planted",
                "record",
                "family",
                "saved",
                "shims",
            ][..],
        ),
        ("rust/swaps/tests/differential", &["main", "support"][..]),
    ] {
        let mut files = stems(folder);
        for name in shared {
            assert!(files.remove(*name), "{folder}/{name}.rs is gone; correct this test");
        }
        assert_eq!(files, registered, "{folder} (left) and the registry (right) differ");
    }
}

#[test]
fn every_swap_is_a_feature_and_a_member_of_its_group() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("Cargo.toml");
    let features = manifest["features"].as_table().expect("[features]");
    let members = |feature: &str| -> BTreeSet<String> {
        let list = features.get(feature).unwrap_or_else(|| panic!("Cargo.toml has no feature {feature}"));
        list.as_array().expect("a list").iter().map(|member| member.as_str().expect("a name").to_owned()).collect()
    };
    let groups: BTreeSet<&str> = REGISTRY.iter().map(|line| line.group).collect();
    for group in &groups {
        let registered: BTreeSet<String> =
            REGISTRY.iter().filter(|line| line.group == *group).map(|line| format!("swap-{}", line.name)).collect();
        assert_eq!(members(&format!("swap-{group}")), registered, "feature swap-{group} (left), registry (right)");
    }
    assert_eq!(members("swaps"), groups.iter().map(|group| format!("swap-{group}")).collect());
    for line in REGISTRY {
        assert!(members(&format!("swap-{}", line.name)).is_empty());
    }
    let known = REGISTRY.iter().map(|line| line.name).chain(groups);
    let known: BTreeSet<String> = known.map(|name| format!("swap-{name}")).collect();
    for feature in features.keys().filter(|feature| feature.starts_with("swap-")) {
        assert!(known.contains(feature), "feature {feature} is no swap of the registry");
    }
}

#[test]
fn the_readme_says_how_many_swaps_there_are() {
    let words = format!("a line for each of {} functions", REGISTRY.len());
    assert!(read("README.md").contains(&words), "README.md does not say \"{words}\"");
}

#[test]
fn nothing_vendored_and_nothing_built_is_tracked() {
    let foreign =
        |file: &String| file.starts_with("vendor/SoftEtherVPN/") || file.split('/').any(|part| part == "target");
    none(files().into_iter().filter(foreign).collect());
}

#[test]
fn every_source_file_says_first_what_it_holds() {
    let says = |file: &str, text: &str| {
        let first = text.lines().find(|line| !line.starts_with("#!/")).unwrap_or_default();
        match file.rsplit('.').next() {
            Some("rs") => first.starts_with("//"),
            Some("zig") => first.starts_with("//!"),
            Some("c" | "h") => first.starts_with("/*") || text.contains("/* Generated by cbindgen"),
            Some("sh") => first.starts_with('#'),
            _ => true,
        }
    };
    none(
        files()
            .into_iter()
            .filter(|file| !says(file, &fs::read_to_string(root().join(file)).unwrap_or_default()))
            .collect(),
    );
}

#[test]
fn every_unsafe_block_is_argued() {
    let mut problems = Vec::new();
    for file in files().into_iter().filter(|file| file.ends_with(".rs")) {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let opens = code.contains("unsafe {") && !code.contains('"');
            let above = &lines[index.saturating_sub(8)..=index];
            if opens && !above.iter().any(|line| line.contains("SAFETY:")) {
                problems.push(format!("{file}:{}: an unsafe block without a // SAFETY: comment", index + 1));
            }
        }
    }
    none(problems);
}

#[test]
fn nothing_is_left_to_do() {
    let marks = ["TO", "FIX", "XX"].map(|begin| {
        format!(
            "{begin}{}",
            if begin == "TO" {
                "DO"
            } else if begin == "FIX" {
                "ME"
            } else {
                "X"
            }
        )
    });
    let calls = ["todo", "unimplemented"].map(|name| format!("{name}!("));
    let mut problems = Vec::new();
    for file in files() {
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        for (index, line) in text.lines().enumerate() {
            if marks.iter().chain(&calls).any(|mark| line.contains(mark.as_str())) && !line.contains("mktemp") {
                problems.push(format!("{file}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    none(problems);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut problems = Vec::new();
    for file in files().into_iter().filter(|file| file.ends_with(".md")) {
        let text = read(&file);
        let folder = Path::new(&file).parent().expect("a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            if !root().join(folder).join(path).exists() {
                problems.push(format!("{file}: {target} is not there"));
            }
        }
    }
    none(problems);
}

#[test]
fn the_vendored_c_is_as_the_lock_file_pins_it() {
    if std::env::var_os("SOFTETHER_SRC").is_some() {
        return;
    }
    let output = Command::new(root().join("vendor/fetch")).arg("--check").output().expect("vendor/fetch");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
