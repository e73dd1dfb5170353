// The registry of swaps, one line each; included by the root build.rs (which renames the C definitions), by this
// crate (which declares modules and statics), its tests and its benches. Each hands `with_registry!` a macro of
// its own, which gets the lines.
//
//   <rust name> = <C symbol> in "<file under src/>", <group>, <contract>;
//   <rust name> = <C symbol> in "<file under src/>", <group>, <contract>, in <file of a family>;
//
// A swap has a file of its name to itself, or, if it is one of a family of small ones, a module of its name in that
// of the family.
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
