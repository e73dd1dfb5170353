//! Bytes of a buffer that is gone.

use mayaqua::buffer::Buf;

fn main() {
    let buf = Buf::from_memory(b"bytes").unwrap();
    let bytes = buf.data();
    drop(buf);
    println!("{bytes:?}");
}
