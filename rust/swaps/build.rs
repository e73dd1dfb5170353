//! Turns the swaps that softether-sys was built with into `cfg`s, so that its features are the only switch.

include!("src/registry.rs");

macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident;)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}
with_registry!(lines);

fn main() {
    println!("cargo::rerun-if-changed=src/registry.rs");
    println!("cargo::rerun-if-env-changed=DEP_SOFTETHER_SWAPS");
    for name in NAMES {
        println!("cargo::rustc-check-cfg=cfg({name})");
    }
    let enabled = std::env::var("DEP_SOFTETHER_SWAPS").unwrap_or_default();
    for name in enabled.split(',').filter(|name| !name.is_empty()) {
        println!("cargo::rustc-cfg={name}");
    }
}
