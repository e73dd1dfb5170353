//! Holds docs/LEGACY_BEHAVIOUR.md and the code together: its rows are well formed, the tests that it names exist, and
//! every known difference that the code speaks of is in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the list: the id, and the other five cells.
fn rows(list: &str) -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::new();
    for line in list.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned());
        let id = cells.next().unwrap_or_default().replace('`', "");
        let cells: Vec<String> = cells.collect();
        assert_eq!(cells.len(), 5, "the row of {id} has not six cells");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "the row of {id} has an empty cell");
        assert!(rows.insert(id.clone(), cells).is_none(), "{id} is there twice");
    }
    rows
}

/// The words between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_row_names_tests_that_exist() {
    let list = fs::read_to_string(root().join("docs/LEGACY_BEHAVIOUR.md")).unwrap();
    let rows = rows(&list);
    assert!(rows.len() >= 10, "the list was not read: {rows:?}");
    for (id, cells) in rows {
        let shown_by = &cells[4];
        let file = shown_by.split(' ').next().unwrap_or_default();
        let source =
            fs::read_to_string(root().join("rust").join(file)).unwrap_or_else(|error| panic!("{id}: {file}: {error}"));
        for test in quoted(shown_by) {
            assert!(source.contains(&format!("fn {test}(")), "{id}: {file} has no test {test}");
        }
    }
}

#[test]
fn every_difference_in_the_code_is_in_the_list() {
    let list = fs::read_to_string(root().join("docs/LEGACY_BEHAVIOUR.md")).unwrap();
    let rows = rows(&list);
    let mut files = Vec::new();
    for directory in ["rust/cedar/src/framing", "rust/cedar/tests", "rust/mayaqua/src"] {
        rust_files(&root().join(directory), &mut files);
    }
    let mut found = 0;
    for file in files {
        // Comments are joined, since the words may stand on two lines.
        let source = fs::read_to_string(&file).unwrap();
        let text: Vec<&str> = source.split_whitespace().filter(|word| !word.starts_with("//")).collect();
        for mention in text.join(" ").to_lowercase().split("known difference `").skip(1) {
            let id = mention.split('`').next().unwrap_or_default();
            // This file's own pattern has no id.
            if !id.contains('"') {
                assert!(rows.contains_key(id), "{}: {id} is not in the list", file.display());
                found += 1;
            }
        }
    }
    assert!(found >= 5, "only {found} mentions were found");
}
