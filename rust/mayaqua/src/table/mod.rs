//! The message strings of `Mayaqua/Table.c`: a text file of names and strings, found by name.
//!
//! ```text
//! # a comment, as is //
//! $NAME$ text          replaces $NAME$ in the strings that follow
//! PREFIX dialog        the names that follow begin with DIALOG@, until another; NULL or $ ends that
//! name   text\n        backslash and n, r, t, space or backslash
//! ```
//!
//! Which of the files it is, [`lang`] says. Not here: reading them, and the C's cache of what it made of them.

pub mod lang;

use crate::buffer::Buf;
use crate::list::List;
use crate::str::{
    MAX_SIZE, end_with, get_key_and_value, replace_str_ex, start_with, str_cmpi, str_cpy, to_int, trim, trim_left,
};
use crate::uni_str::UniStr;

/// Most bytes of a replacement's name, with its NUL (C: a number in `LoadTableFromBuf`, Table.c).
const MAX_KEY: usize = 128;

/// A string and its name, in upper case (C: `TABLE`).
#[derive(Clone, Debug)]
struct Entry {
    name: Vec<u8>,
    text: UniStr,
}

/// Strings by name (C: `TableList`).
#[derive(Clone, Debug)]
pub struct Table {
    entries: List<Entry>,
}

impl Table {
    /// Reads a table; what is no line of one is left out (C: `LoadTableFromBuf`, Mayaqua/Table.c).
    #[must_use]
    pub fn load_from_buf(buf: &mut Buf) -> Self {
        let mut entries = List::new(Some(|a: &Entry, b: &Entry| str_cmpi(&a.name, &b.name)));
        let mut prefix = Vec::new();
        let mut replacements = Vec::new();
        let text = buf.take(usize::MAX).to_vec();
        for line in lines(&text) {
            if let Some(replacement) = parse_replacement(line) {
                replacements.push(replacement);
            } else if let Some(entry) = parse_line(line, &mut prefix, &replacements) {
                entries.add(entry);
            }
        }
        entries.sort();
        Self { entries }
    }

    /// The string of that name, but for case; empty if there is none (C: `GetTableUniStr`, Mayaqua/Table.c; `GetTableStr`
    /// gives it in the encoding of the environment).
    #[must_use]
    pub fn get_uni_str(&self, name: &str) -> UniStr {
        let entries = self.entries.as_slice();
        let compare = |place: usize| str_cmpi(name.as_bytes(), &entries[place].name);
        let found = crate::list::binary_search(entries.len(), compare);
        found.map_or_else(UniStr::default, |place| entries[place].text.clone())
    }

    /// The number that the string of that name begins with (C: `GetTableInt`, Mayaqua/Table.c).
    #[must_use]
    pub fn get_int(&self, name: &str) -> u32 {
        to_int(self.get_uni_str(name).as_utf8())
    }

    /// What an error means (C: `GetUniErrorStr`, Mayaqua/Table.c).
    #[must_use]
    pub fn get_uni_error_str(&self, error: u32) -> UniStr {
        let text = self.get_uni_str(&format!("ERR_{error}"));
        if text.is_empty() { self.get_uni_str("ERR_UNKNOWN") } else { text }
    }

    /// The names that begin so, but for case, in their order (C: `GetTableNameStartWith`, Mayaqua/Table.c).
    pub fn names_start_with(&self, start: &str) -> impl Iterator<Item = &[u8]> {
        let start = str_cpy(MAX_SIZE, start.as_bytes()).to_ascii_uppercase();
        self.entries.iter().map(|entry| &entry.name[..]).filter(move |name| name.starts_with(&start))
    }

    /// Number of strings.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Lines without their ends (C: `CfgReadNextLine`, Mayaqua/Cfg.c).
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// `$NAME$ text`, or `None` if it is another line.
fn parse_replacement(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if !line.starts_with(b"$") {
        return None;
    }
    let (key, value) = get_key_and_value(line, b" \t")?;
    let (key, value) = (str_cpy(MAX_KEY, key), str_cpy(MAX_SIZE, value));
    let named = start_with(key, b"$") && end_with(key, b"$") && key.len() >= 3;
    named.then(|| (key.to_vec(), value.to_vec()))
}

/// One line (C: `ParseTableLine`, Mayaqua/Table.c).
fn parse_line(line: &[u8], prefix: &mut Vec<u8>, replacements: &[(Vec<u8>, Vec<u8>)]) -> Option<Entry> {
    let line = trim_left(line);
    if line.starts_with(b"#") || line.starts_with(b"//") {
        return None;
    }
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'))?;
    let (name, rest) = line.split_at(end);
    let rest = trim_left(rest);
    if rest.is_empty() {
        return None;
    }
    let mut text = unescape_str(rest);
    for (name, value) in replacements {
        text = replace_str_ex(&text, name, value, false).0;
    }
    if str_cmpi(name, b"PREFIX").is_eq() {
        let named = trim(str_cpy(MAX_SIZE, &text));
        let ends = named == b"$" || str_cmpi(named, b"NULL").is_eq();
        *prefix = if ends { Vec::new() } else { named.to_vec() };
        return None;
    }
    let mut full_name = prefix.clone();
    if !prefix.is_empty() {
        full_name.push(b'@');
    }
    full_name.extend_from_slice(name);
    full_name.make_ascii_uppercase();
    Some(Entry { name: full_name, text: UniStr::from_utf8(&text) })
}

/// With line ends, tabs, spaces and backslashes for what stands for them; what stands for nothing else is left out
/// (C: `UnescapeStr`, Mayaqua/Table.c).
#[must_use]
pub fn unescape_str(string: &[u8]) -> Vec<u8> {
    let mut unescaped = Vec::with_capacity(string.len());
    let mut bytes = string.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(same @ (b'\\' | b' ')) => unescaped.push(*same),
                Some(b'n' | b'N') => unescaped.push(b'\n'),
                Some(b'r' | b'R') => unescaped.push(b'\r'),
                Some(b't' | b'T') => unescaped.push(b'\t'),
                _ => {}
            },
            _ => unescaped.push(*byte),
        }
    }
    unescaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        Table::load_from_buf(&mut Buf::from_memory(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_table_with_every_kind_of_line() {
        let table = table(
            "\u{feff}# comment\r\n// comment\r\nalone\r\nName \t Te\\nxt\\q\\\\ \r\n$P$ Product\r\nuse The $p$ works\r\n\
             PREFIX dlg\r\nok Yes\r\nPREFIX NULL\r\nerr_1 One\r\nERR_UNKNOWN Unknown\r\nnumber 0x10\r\nempty   \r\n日 本\n",
        );
        assert_eq!(table.len(), 7);
        assert_eq!(table.get_uni_str("NAME").to_string(), "Te\nxt\\ ");
        assert_eq!(table.get_uni_str("use").to_string(), "The Product works");
        assert_eq!(
            (table.get_uni_str("dlg@OK").to_string(), table.get_uni_str("ok").to_string()),
            ("Yes".into(), String::new())
        );
        assert_eq!(
            (table.get_uni_error_str(1).to_string(), table.get_uni_error_str(2).to_string()),
            ("One".into(), "Unknown".into())
        );
        assert_eq!((table.get_int("number"), table.get_int("none")), (16, 0));
        assert_eq!(table.get_uni_str("日").to_string(), "本");
        assert_eq!(table.names_start_with("err_").collect::<Vec<_>>(), [&b"ERR_1"[..], b"ERR_UNKNOWN"]);
    }

    #[test]
    fn a_backslash_at_the_end_is_nothing() {
        assert_eq!(unescape_str(b"a\\ b\\t\\"), b"a b\t");
        assert!(table("").is_empty());
    }
}
