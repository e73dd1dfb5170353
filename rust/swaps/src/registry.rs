// The registry of swaps, one line each; included by the root build.rs (which renames the C definitions), by this
// crate (which declares modules and statics), its tests and its benches. Each hands `with_registry!` a macro of
// its own, which gets the lines.
//
//   <rust name> = <C symbol> in "<file under src/>", <group>, <contract>;
//   <rust name> = <C symbol> in "<file under src/>", <group>, <contract>, in <file of a family>;
//
// A swap has a file of its name to itself, or, if it is one of a family of small ones, a module of its name in that
// of the family.
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
            udp_accel_init_client = UdpAccelInitClient in "Cedar/UdpAccel.c", session, effect;
            is_priority_highest_packet_for_qos = IsPriorityHighestPacketForQoS in "Cedar/Session.c", session, pure;
            endian16 = Endian16 in "Mayaqua/Memory.c", memory, pure;
            endian32 = Endian32 in "Mayaqua/Memory.c", memory, pure;
            endian64 = Endian64 in "Mayaqua/Memory.c", memory, pure;
            new_buf = NewBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            free_buf = FreeBuf in "Mayaqua/Memory.c", buffer, effect, in buffer;
            new_buf_from_memory = NewBufFromMemory in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            mem_to_buf = MemToBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            clone_buf = CloneBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            clear_buf = ClearBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            write_buf = WriteBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            write_buf_char = WriteBufChar in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            write_buf_short = WriteBufShort in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            write_buf_int = WriteBufInt in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            write_buf_int64 = WriteBufInt64 in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            write_buf_str = WriteBufStr in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            append_buf_str = AppendBufStr in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            add_buf_str = AddBufStr in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            write_buf_buf = WriteBufBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            write_buf_buf_with_offset = WriteBufBufWithOffset in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_buf = ReadBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_buf_char = ReadBufChar in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_buf_short = ReadBufShort in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_buf_int = ReadBufInt in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_buf_int64 = ReadBufInt64 in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_buf_str = ReadBufStr in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_buf_from_buf = ReadBufFromBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_remain_buf = ReadRemainBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            read_buf_remain_size = ReadBufRemainSize in "Mayaqua/Memory.c", buffer, pure, in buffer;
            buf_skip_utf8_bom = BufSkipUtf8Bom in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            seek_buf = SeekBuf in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            seek_buf_to_begin = SeekBufToBegin in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            seek_buf_to_end = SeekBufToEnd in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            adjust_buf_size = AdjustBufSize in "Mayaqua/Memory.c", buffer, cloned, in buffer;
            compare_buf = CompareBuf in "Mayaqua/Memory.c", buffer, pure, in buffer;
            new_list = NewList in "Mayaqua/Memory.c", structures, cloned, in list;
            new_list_fast = NewListFast in "Mayaqua/Memory.c", structures, cloned, in list;
            new_list_ex = NewListEx in "Mayaqua/Memory.c", structures, cloned, in list;
            new_list_ex2 = NewListEx2 in "Mayaqua/Memory.c", structures, cloned, in list;
            new_list_single = NewListSingle in "Mayaqua/Memory.c", structures, cloned, in list;
            release_list = ReleaseList in "Mayaqua/Memory.c", structures, effect, in list;
            cleanup_list = CleanupList in "Mayaqua/Memory.c", structures, effect, in list;
            lock_list = LockList in "Mayaqua/Memory.c", structures, effect, in list;
            unlock_list = UnlockList in "Mayaqua/Memory.c", structures, effect, in list;
            add = Add in "Mayaqua/Memory.c", structures, cloned, in list;
            add_distinct = AddDistinct in "Mayaqua/Memory.c", structures, cloned, in list;
            insert = Insert in "Mayaqua/Memory.c", structures, cloned, in list;
            delete = Delete in "Mayaqua/Memory.c", structures, cloned, in list;
            delete_all = DeleteAll in "Mayaqua/Memory.c", structures, cloned, in list;
            search = Search in "Mayaqua/Memory.c", structures, cloned, in list;
            sort = Sort in "Mayaqua/Memory.c", structures, cloned, in list;
            is_in_list = IsInList in "Mayaqua/Memory.c", structures, pure, in list;
            replace_list_pointer = ReplaceListPointer in "Mayaqua/Memory.c", structures, cloned, in list;
            to_array = ToArray in "Mayaqua/Memory.c", structures, cloned, in list;
            to_array_ex = ToArrayEx in "Mayaqua/Memory.c", structures, cloned, in list;
            copy_to_array = CopyToArray in "Mayaqua/Memory.c", structures, cloned, in list;
            compare_int = CompareInt in "Mayaqua/Memory.c", structures, pure, in list;
            new_int_list = NewIntList in "Mayaqua/Memory.c", structures, cloned, in list;
            release_int_list = ReleaseIntList in "Mayaqua/Memory.c", structures, effect, in list;
            is_int_in_list = IsIntInList in "Mayaqua/Memory.c", structures, pure, in list;
            add_int = AddInt in "Mayaqua/Memory.c", structures, effect, in list;
            add_int_distinct = AddIntDistinct in "Mayaqua/Memory.c", structures, effect, in list;
            insert_int = InsertInt in "Mayaqua/Memory.c", structures, effect, in list;
            insert_int_distinct = InsertIntDistinct in "Mayaqua/Memory.c", structures, effect, in list;
            del_int = DelInt in "Mayaqua/Memory.c", structures, effect, in list;
            new_fifo = NewFifo in "Mayaqua/Memory.c", fifo, cloned, in fifo;
            new_fifo_fast = NewFifoFast in "Mayaqua/Memory.c", fifo, cloned, in fifo;
            new_fifo_ex = NewFifoEx in "Mayaqua/Memory.c", fifo, cloned, in fifo;
            new_fifo_ex2 = NewFifoEx2 in "Mayaqua/Memory.c", fifo, cloned, in fifo;
            release_fifo = ReleaseFifo in "Mayaqua/Memory.c", fifo, effect, in fifo;
            cleanup_fifo = CleanupFifo in "Mayaqua/Memory.c", fifo, effect, in fifo;
            fifo_size = FifoSize in "Mayaqua/Memory.c", fifo, pure, in fifo;
            fifo_ptr = FifoPtr in "Mayaqua/Memory.c", fifo, pure, in fifo;
            read_fifo_all = ReadFifoAll in "Mayaqua/Memory.c", fifo, cloned, in fifo;
            new_queue = NewQueue in "Mayaqua/Memory.c", structures, cloned, in queue;
            new_queue_fast = NewQueueFast in "Mayaqua/Memory.c", structures, cloned, in queue;
            release_queue = ReleaseQueue in "Mayaqua/Memory.c", structures, effect, in queue;
            cleanup_queue = CleanupQueue in "Mayaqua/Memory.c", structures, effect, in queue;
            lock_queue = LockQueue in "Mayaqua/Memory.c", structures, effect, in queue;
            unlock_queue = UnlockQueue in "Mayaqua/Memory.c", structures, effect, in queue;
            get_queue_num = GetQueueNum in "Mayaqua/Memory.c", structures, effect, in queue;
            get_next_with_lock = GetNextWithLock in "Mayaqua/Memory.c", structures, effect, in queue;
            insert_queue_int = InsertQueueInt in "Mayaqua/Memory.c", structures, effect, in queue;
            new_counter = NewCounter in "Mayaqua/Object.c", structures, cloned, in counter;
            delete_counter = DeleteCounter in "Mayaqua/Object.c", structures, effect, in counter;
            count = Count in "Mayaqua/Object.c", structures, effect, in counter;
            inc = Inc in "Mayaqua/Object.c", structures, effect, in counter;
            dec = Dec in "Mayaqua/Object.c", structures, effect, in counter;
            new_ref = NewRef in "Mayaqua/Object.c", structures, cloned, in counter;
            add_ref = AddRef in "Mayaqua/Object.c", structures, effect, in counter;
            release = Release in "Mayaqua/Object.c", structures, effect, in counter;
            malloc = Malloc in "Mayaqua/Memory.c", memory, cloned, in heap;
            malloc_ex = MallocEx in "Mayaqua/Memory.c", memory, cloned, in heap;
            zero_malloc = ZeroMalloc in "Mayaqua/Memory.c", memory, cloned, in heap;
            zero_malloc_ex = ZeroMallocEx in "Mayaqua/Memory.c", memory, cloned, in heap;
            re_alloc = ReAlloc in "Mayaqua/Memory.c", memory, effect, in heap;
            free = Free in "Mayaqua/Memory.c", memory, effect, in heap;
            free_safe = FreeSafe in "Mayaqua/Memory.c", memory, effect, in heap;
            get_mem_size = GetMemSize in "Mayaqua/Memory.c", memory, pure, in heap;
            clone = Clone in "Mayaqua/Memory.c", memory, cloned, in heap;
            add_head = AddHead in "Mayaqua/Memory.c", memory, cloned, in heap;
            copy = Copy in "Mayaqua/Memory.c", memory, cloned, in heap;
            move_memory = Move in "Mayaqua/Memory.c", memory, cloned, in heap;
            zero = Zero in "Mayaqua/Memory.c", memory, cloned, in heap;
            cmp = Cmp in "Mayaqua/Memory.c", memory, pure, in heap;
            is_zero = IsZero in "Mayaqua/Memory.c", memory, pure, in heap;
            xor_data = XorData in "Mayaqua/Memory.c", memory, cloned, in heap;
            swap16 = Swap16 in "Mayaqua/Memory.c", memory, pure, in heap;
            swap32 = Swap32 in "Mayaqua/Memory.c", memory, pure, in heap;
            swap64 = Swap64 in "Mayaqua/Memory.c", memory, pure, in heap;
            new_ssl_ctx = NewSSLCtx in "Mayaqua/Network.c", tls, effect;
            vlan_get_packet_adapter = VLanGetPacketAdapter in "Cedar/VLanUnix.c", adapter, effect;
            str_len = StrLen in "Mayaqua/Str.c", str, pure, in strings;
            str_size = StrSize in "Mayaqua/Str.c", str, pure, in strings;
            str_cpy = StrCpy in "Mayaqua/Str.c", str, cloned, in strings;
            str_cat = StrCat in "Mayaqua/Str.c", str, cloned, in strings;
            copy_str = CopyStr in "Mayaqua/Str.c", str, cloned, in strings;
            to_upper = ToUpper in "Mayaqua/Str.c", str, pure, in strings;
            to_lower = ToLower in "Mayaqua/Str.c", str, pure, in strings;
            str_upper = StrUpper in "Mayaqua/Str.c", str, cloned, in strings;
            str_lower = StrLower in "Mayaqua/Str.c", str, cloned, in strings;
            str_cmp = StrCmp in "Mayaqua/Str.c", str, pure, in strings;
            str_cmpi = StrCmpi in "Mayaqua/Str.c", str, pure, in strings;
            start_with = StartWith in "Mayaqua/Str.c", str, pure, in strings;
            end_with = EndWith in "Mayaqua/Str.c", str, pure, in strings;
            search_str_ex = SearchStrEx in "Mayaqua/Str.c", str, pure, in strings;
            search_str = SearchStr in "Mayaqua/Str.c", str, pure, in strings;
            in_str_ex = InStrEx in "Mayaqua/Str.c", str, pure, in strings;
            in_str = InStr in "Mayaqua/Str.c", str, pure, in strings;
            is_empty_str = IsEmptyStr in "Mayaqua/Str.c", str, pure, in strings;
            trim = Trim in "Mayaqua/Str.c", str, cloned, in strings;
            trim_left = TrimLeft in "Mayaqua/Str.c", str, cloned, in strings;
            trim_right = TrimRight in "Mayaqua/Str.c", str, cloned, in strings;
            trim_crlf = TrimCrlf in "Mayaqua/Str.c", str, cloned, in strings;
            trim_quotes = TrimQuotes in "Mayaqua/Str.c", str, cloned, in strings;
            to_int = ToInt in "Mayaqua/Str.c", str, pure, in strings;
            to_inti = ToInti in "Mayaqua/Str.c", str, pure, in strings;
            to_int64 = ToInt64 in "Mayaqua/Str.c", str, pure, in strings;
            to_bool = ToBool in "Mayaqua/Str.c", str, pure, in strings;
            is_num = IsNum in "Mayaqua/Str.c", str, pure, in strings;
            to_str = ToStr in "Mayaqua/Str.c", str, cloned, in strings;
            to_str64 = ToStr64 in "Mayaqua/Str.c", str, cloned, in strings;
            to_hex = ToHex in "Mayaqua/Str.c", str, cloned, in strings;
            hex_to_4bit = HexTo4Bit in "Mayaqua/Str.c", str, pure, in strings;
            hex_to_int = HexToInt in "Mayaqua/Str.c", str, pure, in strings;
            bin_to_str = BinToStr in "Mayaqua/Str.c", str, cloned, in strings;
            bin_to_str_ex = BinToStrEx in "Mayaqua/Str.c", str, cloned, in strings;
            str_to_bin = StrToBin in "Mayaqua/Str.c", str, cloned, in strings;
            mac_to_str = MacToStr in "Mayaqua/Str.c", str, cloned, in strings;
            str_to_mac = StrToMac in "Mayaqua/Str.c", str, cloned, in strings;
            is_safe_char = IsSafeChar in "Mayaqua/Str.c", str, pure, in strings;
            is_safe_str = IsSafeStr in "Mayaqua/Str.c", str, pure, in strings;
            en_safe_str = EnSafeStr in "Mayaqua/Str.c", str, cloned, in strings;
            is_printable_ascii_char = IsPrintableAsciiChar in "Mayaqua/Str.c", str, pure, in strings;
            en_printable_ascii_str = EnPrintableAsciiStr in "Mayaqua/Str.c", str, cloned, in strings;
            sha0 = Sha0 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            sha1 = Sha1 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            sha2_256 = Sha2_256 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            sha2_384 = Sha2_384 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            sha2_512 = Sha2_512 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            md5 = Md5 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            hash_md4 = HashMd4 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            hmac_md5 = HMacMd5 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            hmac_sha1 = HMacSha1 in "Mayaqua/Encrypt.c", crypto, cloned, in crypto;
            hash_password = HashPassword in "Cedar/Account.c", crypto, cloned, in crypto;
            secure_password = SecurePassword in "Cedar/Sam.c", crypto, cloned, in crypto;
            compare_pack_name = ComparePackName in "Mayaqua/Pack.c", pack, pure, in pack;
            get_element = GetElement in "Mayaqua/Pack.c", pack, pure, in pack;
            is_element = IsElement in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_index_count = PackGetIndexCount in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_int = PackGetInt in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_int_ex = PackGetIntEx in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_bool = PackGetBool in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_bool_ex = PackGetBoolEx in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_int64 = PackGetInt64 in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_int64_ex = PackGetInt64Ex in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_data_size = PackGetDataSize in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_data_size_ex = PackGetDataSizeEx in "Mayaqua/Pack.c", pack, pure, in pack;
            pack_get_data = PackGetData in "Mayaqua/Pack.c", pack, cloned, in pack;
            pack_get_data2 = PackGetData2 in "Mayaqua/Pack.c", pack, cloned, in pack;
            pack_get_data_ex2 = PackGetDataEx2 in "Mayaqua/Pack.c", pack, cloned, in pack;
            pack_get_str = PackGetStr in "Mayaqua/Pack.c", pack, cloned, in pack;
            pack_get_str_ex = PackGetStrEx in "Mayaqua/Pack.c", pack, cloned, in pack;
            pack_get_uni_str = PackGetUniStr in "Mayaqua/Pack.c", pack, cloned, in pack;
            pack_get_uni_str_ex = PackGetUniStrEx in "Mayaqua/Pack.c", pack, cloned, in pack;
            pack_cmp_str = PackCmpStr in "Mayaqua/Pack.c", pack, pure, in pack;
            new_int_value = NewIntValue in "Mayaqua/Pack.c", pack, cloned, in pack;
            new_int64_value = NewInt64Value in "Mayaqua/Pack.c", pack, cloned, in pack;
            new_data_value = NewDataValue in "Mayaqua/Pack.c", pack, cloned, in pack;
            new_str_value = NewStrValue in "Mayaqua/Pack.c", pack, cloned, in pack;
            buf_to_pack = BufToPack in "Mayaqua/Pack.c", pack, cloned, in pack;
            compare_http_value = CompareHttpValue in "Mayaqua/HTTP.c", http, pure, in http;
            get_http_value = GetHttpValue in "Mayaqua/HTTP.c", http, pure, in http;
            get_content_length = GetContentLength in "Mayaqua/HTTP.c", http, pure, in http;
            new_http_value = NewHttpValue in "Mayaqua/HTTP.c", http, cloned, in http;
            add_http_value_str = AddHttpValueStr in "Mayaqua/HTTP.c", http, cloned, in http;
            http_header_to_str = HttpHeaderToStr in "Mayaqua/HTTP.c", http, cloned, in http;
            en_safe_http_value = EnSafeHttpHeaderValueStr in "Mayaqua/Str.c", http, cloned, in http;
            get_http_date_str = GetHttpDateStr in "Mayaqua/HTTP.c", http, cloned, in http;
            init_tick64 = InitTick64 in "Mayaqua/Tick64.c", tick, effect;
        }
    };
}

// Functions that follow a swap of the same file: they work on what it has made, so that its side is theirs for as long as
// that lives. The build renames them with it; the swap's file has their exported definitions, which ask whose it is. They
// have no switch of their own.
//
//   <rust name>: <C symbol> + <C symbol> …;
#[allow(unused_macros, reason = "for the build script, which renames")]
macro_rules! with_followers {
    ($lines:ident) => {
        $lines! {
            init_tick64: FreeTick64 + Tick64 + Tick64ToTime64;
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
            malloc + malloc_ex + zero_malloc + zero_malloc_ex + re_alloc + free + free_safe + get_mem_size:
                "they write and read the tag before a block";
            new_buf + free_buf: "one makes the BUF that the other frees";
            new_counter + delete_counter: "one makes the COUNTER that the other frees";
            new_ref + release: "one makes the REF that the other frees";
            lock_list + unlock_list: "one gives the lock back that the other takes";
            lock_queue + unlock_queue: "one gives the lock back that the other takes";
            connection_send + connection_receive: "both remove lost sockets from one list";
        }
    };
}
