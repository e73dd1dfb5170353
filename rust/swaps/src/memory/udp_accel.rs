//! The C's UDP_ACCEL as `cedar::udp_accel` sees it: what is agreed and what changes, taken from it and written back.
//! The object stays the C's, which makes and frees it; the fused path runs on the session's thread, the only one that
//! touches it but for the NAT-T server's address, which has a lock.

use cedar::udp_accel::wire::CIPHER_KEY_SIZE_V2;
use cedar::udp_accel::{KeyV2, NatT, Protection, State, UdpAccel};
use softether_sys::{IP, LockInner, UDP_ACCEL, UnlockInner};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What stands in `IP.addr` of an IPv6 address (C: `IsIP6`, Mayaqua/Network.c).
const IPV6_MARK: [u8; 4] = [192, 0, 2, 254];

/// An address of the C's. `None` for one with an IPv6 scope, which only a network beside this host has.
pub fn address(ip: &IP) -> Option<IpAddr> {
    match ip.addr {
        IPV6_MARK if ip.ipv6_scope_id != 0 => None,
        IPV6_MARK => Some(Ipv6Addr::from(ip.ipv6_addr).into()),
        bytes => Some(Ipv4Addr::from(bytes).into()),
    }
}

/// The C's form of an address.
pub fn ip(address: IpAddr) -> IP {
    match address {
        IpAddr::V4(v4) => IP { addr: v4.octets(), ipv6_addr: [0; 16], ipv6_scope_id: 0 },
        IpAddr::V6(v6) => IP { addr: IPV6_MARK, ipv6_addr: v6.octets(), ipv6_scope_id: 0 },
    }
}

/// The state that the object is in now. `None` if something in it is beyond what Rust does: a port above 65535, a scope,
/// the query of an own address by UDP. Such a session is C's.
///
/// # Safety
/// The object is this thread's, and its lock is not held by it.
pub unsafe fn state(a: &UDP_ACCEL) -> Option<State> {
    if a.Inited == 0 || a.UseUdpIpQuery != 0 || a.ReadRawFlagMode != 0 {
        return None;
    }
    Some(State {
        now: a.Now,
        your_ip: address(&a.YourIp)?,
        your_port: u16::try_from(a.YourPort).ok()?,
        your_ip_2: address(&a.YourIp2),
        last_recv_your_tick: a.LastRecvYourTick,
        last_recv_my_tick: a.LastRecvMyTick,
        last_set_src_ip_and_port_tick: a.LastSetSrcIpAndPortTick,
        last_recv_tick: a.LastRecvTick,
        first_stable_receive_tick: a.FirstStableReceiveTick,
        is_reached_once: a.IsReachedOnce != 0,
        next_send_keep_alive: a.NextSendKeepAlive,
        fast_detect: a.FastDetect != 0,
        nat_t: NatT {
            disabled: a.NoNatT != 0,
            // SAFETY: the caller's.
            server: unsafe { nat_t_server(a) },
            next_perform_tick: a.NextPerformNatTTick,
            num_fail: a.CommToNatT_NumFail,
            my_port: u16::try_from(a.MyPortByNatTServer).ok()?,
            my_port_changed: a.MyPortByNatTServerChanged != 0,
            your_port: u16::try_from(a.YourPortByNatTServer).ok()?,
            your_port_changed: a.YourPortByNatTServerChanged != 0,
        },
    })
}

/// The address of the NAT-T server, once the C's thread has found it.
///
/// # Safety
/// As [`state`].
pub unsafe fn nat_t_server(a: &UDP_ACCEL) -> Option<IpAddr> {
    // SAFETY: the lock lives as long as the object, and guards NatT_IP, which the other thread writes.
    let server = unsafe {
        LockInner(a.NatT_Lock);
        let server = (&raw const a.NatT_IP).read_volatile();
        UnlockInner(a.NatT_Lock);
        server
    };
    address(&server).filter(|server| !server.is_unspecified())
}

/// Writes the state back, and the initialisation vector that the next datagram of either side gets.
pub fn store(a: &mut UDP_ACCEL, udp: &UdpAccel) {
    let state = &udp.state;
    a.Now = state.now;
    // The scope and the other family's bytes stay as they are where nothing has moved.
    if address(&a.YourIp) != Some(state.your_ip) {
        a.YourIp = ip(state.your_ip);
    }
    a.YourPort = state.your_port.into();
    a.LastRecvYourTick = state.last_recv_your_tick;
    a.LastRecvMyTick = state.last_recv_my_tick;
    a.LastSetSrcIpAndPortTick = state.last_set_src_ip_and_port_tick;
    a.LastRecvTick = state.last_recv_tick;
    a.FirstStableReceiveTick = state.first_stable_receive_tick;
    a.IsReachedOnce = state.is_reached_once.into();
    a.NextSendKeepAlive = state.next_send_keep_alive;
    a.NextPerformNatTTick = state.nat_t.next_perform_tick;
    a.CommToNatT_NumFail = state.nat_t.num_fail;
    a.MyPortByNatTServer = state.nat_t.my_port.into();
    a.MyPortByNatTServerChanged = state.nat_t.my_port_changed.into();
    a.YourPortByNatTServer = state.nat_t.your_port.into();
    a.YourPortByNatTServerChanged = state.nat_t.your_port_changed.into();
    match udp.next_iv() {
        [] => (),
        iv if a.Version > 1 => a.NextIv_V2.copy_from_slice(iv),
        iv => a.NextIv.copy_from_slice(iv),
    }
}

/// UDP acceleration of a session that has agreed on it. `your_key` is the server's key of version 2, which the C gives
/// to its cipher and keeps nowhere. `None`: the session is C's.
///
/// # Safety
/// As [`state`].
pub unsafe fn udp_accel(a: &UDP_ACCEL, your_key: Option<&KeyV2>) -> Option<UdpAccel> {
    let protection = if a.PlainTextMode != 0 {
        Protection::Plain
    } else if a.Version > 1 {
        let my_key = a.MyKey_V2.first_chunk::<CIPHER_KEY_SIZE_V2>()?;
        Protection::V2 { my_key, your_key: your_key?, next_iv: a.NextIv_V2 }
    } else {
        Protection::V1 { my_key: &a.MyKey, your_key: &a.YourKey, next_iv: a.NextIv }
    };
    // SAFETY: the caller's.
    let state = unsafe { state(a)? };
    UdpAccel::new(protection, a.MyCookie, a.YourCookie, usize::try_from(a.MaxUdpPacketSize).ok()?, state)
}
