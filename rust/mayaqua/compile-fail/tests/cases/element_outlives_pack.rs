//! A value of a PACK that is gone.

use mayaqua::pack::Pack;

fn main() {
    let value = {
        let mut pack = Pack::new();
        pack.add_data("x", b"bytes").unwrap();
        pack.get_data("x")
    };
    println!("{value:?}");
}
