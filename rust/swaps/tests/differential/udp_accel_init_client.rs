//! `UdpAccelInitClient` on both sides: the same answer and the same object, for both versions and what is refused.

use crate::support::Trace;
use softether_sys::*;
use std::ptr;

both_sides! { udp_accel_init_client:
    fn UdpAccelInitClient c_UdpAccelInitClient(a: *mut UDP_ACCEL, server_key: *mut UCHAR, server_ip: *mut IP,
        server_port: UINT, server_cookie: UINT, client_cookie: UINT, server_ip_2: *mut IP) -> UINT }

const V4: IP = IP { addr: [127, 0, 0, 1], ipv6_addr: [0; 16], ipv6_scope_id: 0 };
const V6: IP = IP { addr: [192, 0, 2, 254], ipv6_addr: [1; 16], ipv6_scope_id: 0 };

/// An object of the C's, freed by the caller.
fn accel(version: UINT) -> (*mut UDP_ACCEL, *mut CEDAR) {
    // SAFETY: as ClientConnect makes it, without the thread that looks for a NAT-T server.
    unsafe {
        let cedar = NewCedar(ptr::null_mut(), ptr::null_mut());
        let mut ip = V4;
        let a = NewUdpAccel(cedar, &raw mut ip, 1, 1, 1);
        assert!(!a.is_null());
        (*a).Version = version;
        (a, cedar)
    }
}

fn body(function: Function) -> Trace {
    let mut trace = Trace::new();
    let mut key = [0x5a; 128];
    for version in [1, 2] {
        for (mut ip, port) in [(V4, 40_000), (V4, 0), (V4, 70_000), (V6, 40_000)] {
            for has_key in [true, false] {
                let (a, cedar) = accel(version);
                // SAFETY: the object is ours; a key of each version has these bytes.
                unsafe {
                    let key = if has_key { key.as_mut_ptr() } else { ptr::null_mut() };
                    let mut ip_2 = V6;
                    let started = function(a, key, &raw mut ip, port, 7, 8, &raw mut ip_2);
                    let o = &*a;
                    trace.push(format!(
                        "{version} {port} {has_key}: {started} {} {:?} {} {:?} {} {} {:?} {} {}",
                        o.Inited,
                        o.YourIp.addr,
                        o.YourPort,
                        o.YourIp2.ipv6_addr,
                        o.MyCookie * UINT::from(started != 0),
                        o.YourCookie * UINT::from(started != 0),
                        o.YourKey,
                        o.CipherEncrypt.is_null(),
                        o.CipherDecrypt.is_null(),
                    ));
                    FreeUdpAccel(a);
                    ReleaseCedar(cedar);
                }
            }
        }
    }
    trace
}

/// Starts an object of version 1 anew: no cipher is made.
pub fn work(function: Function) -> impl FnMut() {
    let (a, _) = accel(1);
    let (mut key, mut ip) = ([0x5a; 20], V4);
    move || {
        // SAFETY: the object is ours, and lives on.
        unsafe { function(a, key.as_mut_ptr(), &raw mut ip, 40_000, 7, 8, &raw mut ip) };
    }
}

#[cfg(test)]
#[allow(unused_imports, reason = "the benchmark is built with cfg(test), but without tests")]
mod tests {
    use super::*;
    use swaps::udp_accel_init_client::take_server_key;

    /// The key is there for the object that was started last, on its thread, and once.
    #[test]
    fn the_servers_key_is_given_out_once() {
        crate::support::start();
        let (a, cedar) = accel(2);
        let (mut key, mut ip) = ([0x5a; 128], V4);
        // SAFETY: the object is ours.
        unsafe {
            assert_ne!(RUST(a, key.as_mut_ptr(), &raw mut ip, 40_000, 7, 8, &raw mut ip), 0);
            assert_eq!(std::thread::spawn({ let a = a as usize; move || take_server_key(a as *const _) }).join().unwrap(), None);
            assert_eq!(take_server_key(a).map(|key| key.as_slice().to_vec()), Some(vec![0x5a; 32]));
            assert_eq!(take_server_key(a), None);
            FreeUdpAccel(a);
            ReleaseCedar(cedar);
        }
    }
}
