//! The swaps of `Mayaqua/Str.c` on both sides.

both_sides_of! {
    str_len str_size str_cpy str_cat copy_str to_upper to_lower str_upper str_lower str_cmp str_cmpi start_with
    end_with search_str_ex search_str in_str_ex in_str is_empty_str trim trim_left trim_right trim_crlf trim_quotes
    to_int to_inti to_int64 to_bool is_num to_str to_str64 to_hex hex_to_4bit hex_to_int bin_to_str bin_to_str_ex
    str_to_bin mac_to_str str_to_mac is_safe_char is_safe_str en_safe_str is_printable_ascii_char
    en_printable_ascii_str
}
