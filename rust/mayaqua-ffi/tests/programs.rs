//! The examples in C and C++, as a stranger builds them: with the installed library, with pkg-config's flags, and the C one
//! also under AddressSanitizer and Valgrind. Needs gcc, g++, pkg-config and valgrind (`./zigw` installs them).

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::{root, run};

/// The library, built and installed by its own script into a folder of the test's.
struct Installed {
    folder: tempfile::TempDir,
}

impl Installed {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let install = root().join("rust/mayaqua-ffi/install");
        // In a folder of its own: what cargo builds for these tests has the features that other tests ask of `mayaqua`.
        let output = Command::new(install)
            .args(["--prefix", folder.path().join("prefix").to_str().unwrap()])
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("libmayaqua"))
            .output()
            .expect("the install script");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What pkg-config answers, word by word.
    fn flags(&self, arguments: &[&str]) -> Vec<String> {
        let output = Command::new("pkg-config")
            .args(arguments)
            .arg("mayaqua")
            .env("PKG_CONFIG_PATH", self.path("prefix/lib/pkgconfig"))
            .output()
            .expect("pkg-config");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
    }

    /// Compiles an example and gives the program.
    fn compile(&self, compiler: &str, example: &Path, name: &str, options: &[&str], is_static: bool) -> String {
        let program = self.path(name).to_str().unwrap().to_owned();
        let mut arguments: Vec<String> = options.iter().copied().map(str::to_owned).collect();
        arguments.extend(
            ["-Wall", "-Wextra", "-Werror", "-g", "-o", &program, example.to_str().unwrap()].map(str::to_owned),
        );
        if is_static {
            arguments.extend(self.flags(&["--cflags"]));
            arguments.push(self.path("prefix/lib/libmayaqua.a").to_str().unwrap().to_owned());
            let libraries = self.flags(&["--libs", "--static"]);
            arguments.extend(libraries.into_iter().filter(|flag| flag != "-lmayaqua"));
        } else {
            arguments.extend(self.flags(&["--cflags", "--libs"]));
            arguments.push(format!("-Wl,-rpath,{}", self.path("prefix/lib").display()));
        }
        run(compiler, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        program
    }
}

#[test]
fn the_c_example_with_both_libraries() {
    let installed = Installed::new();
    let example = root().join("examples/mayaqua.c");
    for (name, is_static) in [("shared", false), ("static", true)] {
        let program = installed.compile("gcc", &example, name, &["-std=c11", "-pedantic"], is_static);
        let said = run(&program, &[]);
        assert!(said.contains("version 501, 日本"), "{said}");
        assert!(said.contains("0164B8A914CD2A5E74C4F7FF082C4D97F1EDF880"), "{said}");
    }
}

#[test]
fn the_cpp_example() {
    let installed = Installed::new();
    let example = root().join("examples/mayaqua.cpp");
    let program = installed.compile("g++", &example, "cpp", &["-std=c++17", "-pedantic"], false);
    assert!(run(&program, &[]).starts_with("login 501\n"));
}

#[test]
fn the_c_example_under_address_sanitizer() {
    let installed = Installed::new();
    let options = ["-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = installed.compile("gcc", &root().join("examples/mayaqua.c"), "asan", &options, true);
    run(&program, &[]);
    // The sanitizer is there: a program that overruns is ended.
    let overrun = installed.path("overrun.c");
    std::fs::write(&overrun, "#include <stdlib.h>\nint main(int n, char **v) { (void)v; char *p = malloc(4); p[n + 3] = 1; return p[n + 3] - 1; }\n").unwrap();
    let program = installed.compile("gcc", &overrun, "overrun", &options, true);
    assert!(!Command::new(program).output().unwrap().status.success());
}

#[test]
fn the_c_example_under_valgrind() {
    let installed = Installed::new();
    let program = installed.compile("gcc", &root().join("examples/mayaqua.c"), "valgrind", &["-std=c11"], true);
    let kinds = "--errors-for-leak-kinds=definite,indirect";
    run("valgrind", &["--quiet", "--error-exitcode=9", "--leak-check=full", kinds, &program]);
}

#[test]
fn c_and_cpp_compilers_see_the_same_layout() {
    let include = format!("-I{}", root().join("rust/mayaqua-ffi/include").display());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout.c");
    let file = file.to_str().unwrap();
    run("gcc", &["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", &include, file]);
    run("g++", &["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", &include, file]);
}
