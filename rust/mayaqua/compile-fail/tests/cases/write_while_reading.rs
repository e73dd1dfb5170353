//! Bytes of a FIFO that is written to meanwhile: in C the block may move.

use mayaqua::fifo::Fifo;

fn main() {
    let mut fifo = Fifo::new();
    let unread = fifo.unread();
    fifo.write(b"more").unwrap();
    println!("{unread:?}");
}
