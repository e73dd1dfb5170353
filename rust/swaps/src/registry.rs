// The registry of swaps, one line each; included by the root build.rs (which renames the C definitions), by this
// crate (which declares modules and statics), its tests and its benches. Each hands `with_registry!` a macro of
// its own, which gets the lines.
//
//   <rust name> = <C symbol> in "<file under src/>", <group>, <contract>;
//
// docs/ADDING_A_SWAP.md says what else a swap needs; docs/SWAPS.md is the table made of these lines.
macro_rules! with_registry {
    ($lines:ident) => {
        $lines! {
            new_block = NewBlock in "Cedar/Connection.c", framing, cloned;
            free_block = FreeBlock in "Cedar/Connection.c", framing, effect;
            write_send_fifo = WriteSendFifo in "Cedar/Connection.c", framing, cloned;
            write_recv_fifo = WriteRecvFifo in "Cedar/Connection.c", framing, cloned;
            insert_received_block_to_queue = InsertReceivedBlockToQueue in "Cedar/Connection.c", framing, effect;
            gen_next_keep_alive_span = GenNextKeepAliveSpan in "Cedar/Connection.c", framing, cloned;
            send_keep_alive = SendKeepAlive in "Cedar/Connection.c", framing, effect;
            connection_send = ConnectionSend in "Cedar/Connection.c", framing, effect;
            connection_receive = ConnectionReceive in "Cedar/Connection.c", framing, effect;
            get_next = GetNext in "Mayaqua/Memory.c", framing, cloned;
            insert_queue = InsertQueue in "Mayaqua/Memory.c", framing, cloned;
            write_fifo = WriteFifo in "Mayaqua/Memory.c", framing, cloned;
            read_fifo = ReadFifo in "Mayaqua/Memory.c", framing, cloned;
            get_fifo_pointer = GetFifoPointer in "Mayaqua/Memory.c", framing, pure;
            session_main = SessionMain in "Cedar/Session.c", session, effect;
            is_priority_highest_packet_for_qos = IsPriorityHighestPacketForQoS in "Cedar/Session.c", session, pure;
            endian16 = Endian16 in "Mayaqua/Memory.c", memory, pure;
            endian32 = Endian32 in "Mayaqua/Memory.c", memory, pure;
            endian64 = Endian64 in "Mayaqua/Memory.c", memory, pure;
            new_ssl_ctx = NewSSLCtx in "Mayaqua/Network.c", tls, effect;
            vlan_get_packet_adapter = VLanGetPacketAdapter in "Cedar/VLanUnix.c", adapter, effect;
        }
    };
}

// What belongs together although each is a swap of its own, because one side's work is the other's input in a form that
// only these functions know: a plan moves such functions in one step, and takes them back together.
//
//   <rust name> + <rust name> …: "<what they share>";
#[allow(unused_macros, reason = "the build scripts and the benches have no use for them")]
macro_rules! with_bonds {
    ($lines:ident) => {
        $lines! {
            new_block + free_block: "one makes the BLOCK that the other frees";
            get_next + insert_queue: "one takes from the QUEUE what the other puts in";
            write_fifo + read_fifo + get_fifo_pointer: "they share a FIFO's place in its memory";
            connection_send + connection_receive: "both remove lost sockets from one list";
        }
    };
}
