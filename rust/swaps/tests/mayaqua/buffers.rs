//! BUF: the same random steps on the C's and on the crate's.

use crate::support::{bytes, random, start};
use mayaqua::buffer::{Buf, Seek};
use rand::Rng;
use softether_sys as sys;
use std::ffi::c_void;

/// The C's size, position and bytes.
fn state(buf: *mut sys::BUF) -> (u32, u32, Vec<u8>) {
    // SAFETY: a live BUF; Buf has Size bytes.
    unsafe {
        let data = std::slice::from_raw_parts((*buf).Buf.cast::<u8>(), (*buf).Size as usize);
        ((*buf).Size, (*buf).Current, data.to_vec())
    }
}

#[test]
fn random_steps() {
    start();
    let mut random = random();
    for _ in 0..500 {
        // SAFETY: a BUF of this test alone.
        let c = unsafe { sys::NewBuf() };
        let mut rust = Buf::new();
        for _ in 0..random.random_range(0..60) {
            step(&mut random, c, &mut rust);
            assert_eq!(state(c), (rust.size(), rust.position(), rust.data().to_vec()));
        }
        // SAFETY: used no more.
        unsafe { sys::FreeBuf(c) };
    }
}

/// One step on both, whose results must be the same.
fn step(random: &mut impl Rng, c: *mut sys::BUF, rust: &mut Buf) {
    let mut seeded = rand::SeedableRng::seed_from_u64(random.random());
    let size = if random.random_bool(0.1) { random.random_range(0..30_000) } else { random.random_range(0..40) };
    let mut data = bytes(&mut seeded, size);
    let length = u32::try_from(size).unwrap();
    let value: u64 = random.random();
    let [a, b, c2, d, ..] = value.to_le_bytes();
    let int = u32::from_le_bytes([a, b, c2, d]);
    // SAFETY: a live BUF, and blocks of the sizes given.
    unsafe {
        match random.random_range(0..14) {
            0..4 => {
                sys::WriteBuf(c, data.as_mut_ptr().cast(), length);
                rust.write(&data).unwrap();
            }
            4 | 5 => {
                let (mut from_c, mut from_rust) = (vec![9; size], vec![9; size]);
                let read = sys::ReadBuf(c, from_c.as_mut_ptr().cast::<c_void>(), length);
                assert_eq!((read as usize, from_c), (rust.read(&mut from_rust), from_rust));
            }
            6 | 7 => {
                let (mode, seek) =
                    [(-1, Seek::Backward), (0, Seek::Set), (1, Seek::Forward)][random.random_range(0..3)];
                sys::SeekBuf(c, length, mode);
                rust.seek(length, seek);
            }
            8 => {
                sys::WriteBufInt(c, int);
                sys::WriteBufInt64(c, value);
                sys::WriteBufShort(c, u16::from_le_bytes([a, b]));
                sys::WriteBufChar(c, a);
                rust.write_int(int).unwrap();
                rust.write_int64(value).unwrap();
                rust.write_short(u16::from_le_bytes([a, b])).unwrap();
                rust.write_char(a).unwrap();
            }
            9 => assert_eq!(sys::ReadBufInt(c), rust.read_int()),
            10 => assert_eq!((sys::ReadBufInt64(c), sys::ReadBufChar(c)), (rust.read_int64(), rust.read_char())),
            11 => {
                data.push(0);
                sys::WriteBufStr(c, data.as_mut_ptr().cast());
                rust.write_str(&data).unwrap();
                assert_eq!(sys::ReadBufShort(c), rust.read_short());
            }
            12 => read_str(c, rust, size.min(100) + 1),
            _ => assert_eq!(sys::ReadBufRemainSize(c), rust.remaining_size()),
        }
    }
}

/// Reads a string where one may be; a length that would take the C behind 2^32 is left out (`buf-overflow`).
fn read_str(c: *mut sys::BUF, rust: &mut Buf, room: usize) {
    let announced = rust.remaining().first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
    if announced > 1 << 30 {
        return;
    }
    let mut from_c = vec![9u8; room];
    // SAFETY: a live BUF, and a block of the size given.
    let read = unsafe { sys::ReadBufStr(c, from_c.as_mut_ptr().cast(), u32::try_from(room).unwrap()) };
    let from_rust = rust.read_str(room);
    assert_eq!(read != 0, from_rust.is_some());
    if let Some(string) = from_rust {
        assert_eq!((&from_c[..string.len()], from_c[string.len()]), (&string[..], 0));
    }
}
