//! The message strings of every language that SoftEther has, as both sides read them.

use crate::support::start;
use mayaqua::buffer::Buf;
use mayaqua::table::Table;
use softether_sys as sys;
use std::ffi::CString;
use std::path::Path;

/// The C's string of that name, as UTF-8.
fn c_string(name: &[u8]) -> Vec<u8> {
    let name = CString::new(name).unwrap();
    // SAFETY: a string with its NUL; the table's own string, and a block for three bytes of each of its units.
    unsafe {
        let wide = sys::GetTableUniStr(name.as_ptr().cast_mut());
        let mut utf8 = vec![0u8; sys::CalcUniToUtf8(wide) as usize + 1];
        let size = sys::UniToUtf8(utf8.as_mut_ptr(), u32::try_from(utf8.len()).unwrap(), wide);
        utf8.truncate(size as usize);
        utf8
    }
}

#[test]
fn every_string_of_every_language() {
    start();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/softether/src/bin/hamcore");
    let mut languages = 0;
    for entry in folder.read_dir().expect("the vendored C: run vendor/fetch") {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "stb") {
            continue;
        }
        languages += 1;
        let text = std::fs::read(&path).unwrap();
        let table = Table::load_from_buf(&mut Buf::from_memory(&text).unwrap());
        // SAFETY: the BUF is this test's, and nobody else in this process uses the C's table.
        unsafe {
            let buf = sys::NewBufFromMemory(text.as_ptr().cast_mut().cast(), u32::try_from(text.len()).unwrap());
            assert_ne!(sys::LoadTableFromBuf(buf), 0);
            sys::FreeBuf(buf);
        }
        let names: Vec<Vec<u8>> = table.names_start_with("").map(<[u8]>::to_vec).collect();
        assert!(names.len() > 1000, "{}: {} strings", path.display(), names.len());
        for name in names {
            let text = table.get_uni_str(std::str::from_utf8(&name).unwrap());
            assert_eq!(
                c_string(&name).escape_ascii().to_string(),
                text.as_utf8().escape_ascii().to_string(),
                "{}",
                name.escape_ascii()
            );
        }
    }
    assert!(languages >= 6, "{languages} languages in {}", folder.display());
    // SAFETY: nobody else in this process uses the C's table.
    unsafe { sys::FreeTable() };
}
