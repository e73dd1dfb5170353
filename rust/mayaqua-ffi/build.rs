//! The shared library's own name, which programs that link it look for.

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmayaqua.so.0");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
