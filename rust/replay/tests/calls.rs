//! Records of single calls: made again, refused where they are none, and said to differ where the sides do.

use replay::{Found, ReplayError, call, replay};

/// A record as a client writes it, of an input in the form that rust/swaps/src/saved.rs describes.
fn record(swap: &str, input: &[u8]) -> Vec<u8> {
    let head = format!(
        "{{\"swap\":\"{swap}\",\"sequence\":2,\"kind\":\"bytes\",\"first_differing_offset\":3,\
         \"shape\":{{\"c\":\"4 bytes\",\"rust\":\"4 bytes\"}},\"build_id\":\"0.1.0+1\"}}\n"
    );
    [switch::CALL_FIRST_LINE, head.as_bytes(), input].concat()
}

fn made_again(swap: &str, input: &[u8]) -> call::Report {
    match replay(&record(swap, input)) {
        Ok(Found::Call(report)) => report,
        other => panic!("{swap}: {other:?}"),
    }
}

fn number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn bytes(bytes: Option<&[u8]>) -> Vec<u8> {
    let count = bytes.map_or(u32::MAX, |bytes| bytes.len() as u32);
    [&count.to_be_bytes(), bytes.unwrap_or_default()].concat()
}

/// A FIFO with a block of `size` bytes, of which `unread` are unread from byte 2 on.
fn fifo(size: u64, unread: &[u8]) -> Vec<u8> {
    let numbers = [2, size, 2, 2 + unread.len() as u64, 0].map(number).concat();
    [&[1], numbers.as_slice(), &bytes(Some(unread))].concat()
}

/// Every swap whose input is captured, on one input: both sides agree, and nothing of it is left unread.
#[test]
fn what_both_sides_do_alike_is_the_same() {
    let address = number(0x1234);
    let data = |text: &[u8]| [&number(text.len() as u64)[..], &bytes(Some(text))].concat();
    let items = fifo(4096, &[address, address].concat());
    for (swap, input) in [
        ("write_fifo", [fifo(16, b"abc"), data(b"defghijklmnopq")].concat()),
        ("write_fifo", [&[0][..], &number(5), &bytes(None)].concat()),
        ("read_fifo", [&fifo(4096, b"abc")[..], &number(1), &number(2)].concat()),
        ("get_fifo_pointer", fifo(4096, b"abc")),
        ("get_next", items.clone()),
        ("insert_queue", [&items[..], &address].concat()),
        ("new_block", [&data(b"frame")[..], &number(1)].concat()),
        ("write_send_fifo", [&number(1)[..], &fifo(16, b"abc"), &data(b"frame")].concat()),
        ("write_recv_fifo", [&number(0)[..], &fifo(16, b"abc"), &data(b"frame")].concat()),
        ("gen_next_keep_alive_span", number(20_000).to_vec()),
        ("is_priority_highest_packet_for_qos", data(&[0; 64])),
        ("endian16", number(0x1234).to_vec()),
        ("endian32", number(0x1234_5678).to_vec()),
        ("endian64", number(u64::MAX - 1).to_vec()),
        ("str_len", bytes(Some(b"text"))),
        ("str_cpy", [&number(1)[..], &number(3), &bytes(Some(b"text"))].concat()),
        ("trim", bytes(Some(b" text "))),
    ] {
        let report = made_again(swap, &input);
        assert_eq!((report.swap, &report.difference), (swap, &None), "{report}");
        let said = report.to_string();
        assert!(said.contains("mismatch 2 of build 0.1.0+1: bytes differs: c 4 bytes"), "{said}");
        for wrong in [&input[..input.len() - 1], &[&input[..], &[0]].concat()] {
            assert!(matches!(replay(&record(swap, wrong)), Err(ReplayError::NoInput(_))), "{swap}");
        }
    }
}

#[test]
fn what_is_no_call_is_refused() {
    let whole = record("endian16", &number(1));
    assert_eq!(replay(switch::CALL_FIRST_LINE), Err(ReplayError::NoCall));
    assert_eq!(replay(&whole[..60]), Err(ReplayError::NoCall));
    assert_eq!(replay(&record("nothing", b"")), Err(ReplayError::UnknownSwap("nothing".into())));
    assert_eq!(replay(&record("connection_send", b"")), Err(ReplayError::NotRerun("connection_send".into())));
    // A timeout by whose half the C divides would end the program, as it ended the client.
    assert!(matches!(replay(&record("gen_next_keep_alive_span", &number(1))), Err(ReplayError::NoInput(_))));
    // A FIFO whose unread bytes lie outside its block.
    let input = [&fifo(4, b"abc")[..], &number(0), &bytes(None)].concat();
    assert!(matches!(replay(&record("write_fifo", &input)), Err(ReplayError::NoInput(_))));
}
