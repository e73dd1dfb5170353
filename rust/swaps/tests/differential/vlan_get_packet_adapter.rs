//! `VLanGetPacketAdapter` on both sides: the table, and what its functions do without a session or a card. What they do
//! with frames is shown on a real TAP in `cedar`'s tests and end to end through a real server in the lab's.

use crate::support::Trace;
use softether_sys::{FreePacketAdapter, INFINITE, PACKET_ADAPTER};
use std::hint::black_box;
use std::ptr;

both_sides! { vlan_get_packet_adapter: fn VLanGetPacketAdapter c_VLanGetPacketAdapter() -> *mut PACKET_ADAPTER }

fn body(function: Function) -> Trace {
    // SAFETY: the table is whole, and freed once; null sessions and null targets are refused by its functions.
    unsafe {
        let table = function();
        let adapter = &*table;
        assert!(adapter.Param.is_null(), "nothing is opened before a session begins");
        let (null, mut packet) = (ptr::null_mut(), ptr::null_mut());
        let trace = vec![
            format!("init: {}", adapter.Init.unwrap()(null)),
            format!("cancel: {:?}", adapter.GetCancel.unwrap()(null)),
            format!("next: {}", adapter.GetNextPacket.unwrap()(null, &mut packet) == INFINITE),
            format!("next to nowhere: {}", adapter.GetNextPacket.unwrap()(null, ptr::null_mut()) == INFINITE),
            format!("put: {}", adapter.PutPacket.unwrap()(null, ptr::null_mut(), 0)),
            format!("id: {}", adapter.Id),
        ];
        adapter.Free.unwrap()(null);
        FreePacketAdapter(table);
        trace
    }
}

/// Makes and frees a table.
pub fn work(function: Function) -> impl FnMut() {
    move || {
        // SAFETY: the table is freed once.
        unsafe { FreePacketAdapter(black_box(function())) };
    }
}
