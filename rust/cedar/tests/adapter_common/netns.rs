//! Network namespaces for tests: the calling thread moves into a fresh one, which is gone with its last thread. Nothing
//! of the host is touched.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cedar::adapter::linux::{Interface, InterfaceConfig, Tier};

/// Moves the calling thread into a new network namespace whose loopback device is down.
pub fn enter() {
    if let Err(errno) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
        panic!(
            "cannot make a network namespace ({errno}): run these tests as root, or in a container with CAP_SYS_ADMIN"
        );
    }
}

/// Runs `body` in a thread with a network namespace of its own.
pub fn within<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        enter();
        body()
    });
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs `ip` with `arguments`; the tests' own way to look at and meddle with interfaces.
pub fn ip(arguments: &str) -> String {
    let output = std::process::Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The IPv4 address of host `host` of the test network.
pub fn ipv4(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, host))
}

/// The IPv6 address of host `host` of the test network.
pub fn ipv6(host: u8) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(host)))
}

/// An interface of host `host` in the calling thread's namespace.
pub fn interface(name: &str, host: u8, tier: Tier) -> Interface {
    let config = InterfaceConfig {
        addresses: vec![(ipv4(host), 24), (ipv6(host), 64)],
        mac_seed: format!("test host {host}"),
        tier: Some(tier),
        ..InterfaceConfig::new(name)
    };
    Interface::open(config).unwrap()
}
