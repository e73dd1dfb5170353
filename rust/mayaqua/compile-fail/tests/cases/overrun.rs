//! A position behind the end, set by hand.

use mayaqua::buffer::Buf;

fn main() {
    let mut buf = Buf::from_memory(b"bytes").unwrap();
    buf.current = 100;
    println!("{:?}", buf.remaining());
}
