//! `cutover-replay` as a program. In a process of its own: Mayaqua, once started, takes exit codes of children away.

use std::path::Path;
use std::process::Command;

fn run(name: &str) -> (Option<i32>, String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let output = Command::new(env!("CARGO_BIN_EXE_cutover-replay")).arg(file).output().expect("the program");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_program_says_it_by_its_exit_code() {
    let (code, said) = run("plain.rec");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("c, rust and the record are the same\n"), "{said}");
    for name in ["nothing.rec", "../program.rs"] {
        let (code, said) = run(name);
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
