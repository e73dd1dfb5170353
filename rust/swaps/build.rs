//! Turns the swaps that softether-sys was built with into `cfg`s, so that its features are the only switch.

include!("src/registry.rs");

macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
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
    let enabled: Vec<&str> = enabled.split(',').filter(|name| !name.is_empty()).collect();
    for name in &enabled {
        println!("cargo::rustc-cfg={name}");
    }
    // The fused path stands on all of these, and on Linux's TAP.
    println!("cargo::rustc-check-cfg=cfg(fused_path)");
    let seams =
        ["session_main", "udp_accel_init_client", "vlan_get_packet_adapter", "connection_send", "connection_receive"];
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux && seams.iter().all(|seam| enabled.contains(seam)) {
        println!("cargo::rustc-cfg=fused_path");
    }
}
