//! What the crate's `net` and `dyn_list` say of this machine and of a server's values, against the C in the same process.

use crate::support::{random, start};
use mayaqua::dyn_list::DynList;
use mayaqua::net::address::PrivateNetworks;
use mayaqua::net::host::{
    HostAddress, host_addresses, host_addresses_hash, is_in_same_local_network, is_ipv6_supported,
    is_local_host_or_myself,
};
use mayaqua::net::{Limit, host_name};
use mayaqua::pack::Pack;
use rand::Rng;
use softether_sys as sys;
use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// An address as the C has it.
pub fn ip(address: IpAddr) -> sys::IP {
    let text = CString::new(address.to_string()).unwrap();
    let mut ip = sys::IP { addr: [0; 4], ipv6_addr: [0; 16], ipv6_scope_id: 0 };
    // SAFETY: a string with its NUL; the address is written.
    unsafe { sys::StrToIP(&raw mut ip, text.as_ptr().cast_mut()) };
    ip
}

/// The C's list, as text.
fn addresses_of_the_c() -> Vec<String> {
    let mut texts = Vec::new();
    // SAFETY: the list and its addresses are this function's; the text has room for every address.
    unsafe {
        let list = sys::GetHostIPAddressListInternal();
        for at in 0..(*list).num_item as usize {
            let mut text = [0; 128];
            sys::IPToStr(text.as_mut_ptr(), 128, (*(*list).p.add(at)).cast());
            texts.push(CStr::from_ptr(text.as_ptr()).to_str().unwrap().to_owned());
        }
        sys::FreeHostIPAddressList(list);
    }
    texts
}

#[test]
fn the_addresses_of_this_machine_and_their_hash() {
    start();
    let ours = host_addresses().unwrap();
    assert_eq!(ours.iter().map(HostAddress::to_string).collect::<Vec<_>>(), addresses_of_the_c());
    // SAFETY: no arguments.
    let (hash, ipv6) = unsafe { (sys::GetHostIPAddressListHash(), sys::IsIPv6Supported()) };
    assert_eq!(host_addresses_hash(&ours), hash);
    assert_eq!(is_ipv6_supported(), ipv6 != 0);
    let others = ["127.0.0.9", "192.0.2.1", "::1", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap());
    let neighbours = ours.iter().filter_map(|own| match own.address {
        IpAddr::V4(own) => Some(IpAddr::V4(Ipv4Addr::from_bits(own.to_bits() ^ 0xff))),
        IpAddr::V6(_) => None,
    });
    for address in ours.iter().map(|own| own.address).chain(others).chain(neighbours) {
        let mut theirs = ip(address);
        // SAFETY: an address.
        let (own, near) = unsafe {
            (sys::IsIPLocalHostOrMySelf(&raw mut theirs) != 0, sys::IsIPAddressInSameLocalNetwork(&raw mut theirs) != 0)
        };
        assert_eq!(is_local_host_or_myself(address, &ours), own, "{address}");
        if let IpAddr::V4(address) = address {
            assert_eq!(is_in_same_local_network(address, &ours), near, "{address}");
        }
    }
}

#[test]
fn the_name_of_this_machine_by_its_address() {
    start();
    for address in ["127.0.0.1", "::1"].map(|text| text.parse::<IpAddr>().unwrap()) {
        let (mut theirs, mut name) = (ip(address), [0; 256]);
        // SAFETY: room for the name.
        let is_found = unsafe { sys::GetHostNameInner(name.as_mut_ptr(), 256, &raw mut theirs) } != 0;
        // SAFETY: the C ends it with a NUL.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_str().unwrap().to_owned();
        let ours = host_name(address, &Limit::of(Duration::from_secs(60)));
        assert_eq!(ours.ok(), is_found.then_some(name), "{address}");
    }
}

#[test]
fn values_of_a_server() {
    start();
    let mut random = random();
    let mut list = DynList::new();
    for round in 0..1000 {
        // Names of this test's own: the C has one list for all.
        let name = format!("{}_{}", ["TEST_WAIT", "test_wait", "TEST_LIMIT"][round % 3], random.random_range(0..20));
        let name_c = CString::new(name.clone()).unwrap();
        let value = [0, 1, 7, 1000, u64::MAX, random.random()][random.random_range(0..6)];
        if random.random() {
            // SAFETY: a string with its NUL.
            unsafe { sys::SetDynListValue(name_c.as_ptr().cast_mut(), value) };
            assert!(list.set(&name, value));
        } else {
            let (mut inner, mut outer) = (Pack::new(), Pack::new());
            inner.add_int64(&name, value).unwrap();
            outer.add_data("DynList", &inner.encode().unwrap()).unwrap();
            let bytes = outer.encode().unwrap();
            // SAFETY: a buffer and a PACK of this test's.
            unsafe {
                let buf = sys::NewBufFromMemory(bytes.as_ptr().cast_mut().cast(), bytes.len() as u32);
                let pack = sys::BufToPack(buf);
                sys::ExtractAndApplyDynList(pack);
                sys::FreePack(pack);
                sys::FreeBuf(buf);
            }
            list.apply(&outer);
        }
        let (default, least, most) =
            (random.random_range(0..2000), random.random_range(0..50), random.random_range(0..5000));
        // SAFETY: a string with its NUL.
        let theirs = unsafe {
            let name = name_c.as_ptr().cast_mut();
            (
                sys::GetDynValue(name),
                sys::GetDynValueOrDefault(name, default, least, most),
                sys::GetDynValueOrDefaultSafe(name, default),
            )
        };
        let ours = (list.value(&name), list.value_or(&name, default, least, most), list.value_or_safe(&name, default));
        assert_eq!(ours, theirs, "{name} {value}");
    }
}

#[test]
fn private_networks_of_a_file() {
    start();
    let text = "203.0.113.0/24\r\n198.51.100.77/255.255.255.240\n\nnonsense\n192.0.2.128/25\n10.0.0.0/33\n";
    // What the C makes of the lines; the file itself it has no place for in this project's builds.
    let mut theirs = Vec::new();
    for line in text.lines() {
        let (line, mut address, mut mask) = (CString::new(line.trim()).unwrap(), 0, 0);
        // SAFETY: a string with its NUL, and places for two numbers.
        if unsafe { sys::ParseIpAndSubnetMask4(line.as_ptr().cast_mut(), &raw mut address, &raw mut mask) } != 0 {
            theirs.push((address & mask, mask));
        }
    }
    assert_eq!(theirs.len(), 3);
    let networks = PrivateNetworks::read(text);
    let mut random = random();
    let mut inside = 0;
    for _ in 0..10_000 {
        let [a, b] = [random.random(), random.random()];
        let address = match random.random_range(0..4) {
            0 => Ipv4Addr::new(203, 0, 112 + a % 4, b),
            1 => Ipv4Addr::new(198, 51, 100, b),
            2 => Ipv4Addr::new(192, 0, 2, b),
            _ => Ipv4Addr::from_bits(random.random()),
        };
        let number = u32::from_ne_bytes(address.octets());
        let is_theirs = theirs.iter().any(|(network, mask)| number & mask == *network);
        assert_eq!(networks.contains(address), is_theirs, "{address}");
        inside += u32::from(is_theirs);
    }
    assert!(inside > 1000, "{inside} of 10,000 inside");
}
