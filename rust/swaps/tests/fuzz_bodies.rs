//! The fuzz targets without a fuzzer: each on the inputs that fuzzing has found to matter, and on random ones.
//!
//! `rust/swaps/fuzz/corpus/TARGET.bin` holds those inputs, each behind its length as a big-endian `u32`. With
//! CUTOVER_BLESS they are packed anew from the folder `TARGET` beside it, which cargo-fuzz fills (docs/BENCH.md).

#![cfg(all(connection_send, connection_receive, send_keep_alive, new_block, write_fifo, get_next))]

mod fuzz;

use fuzz::support::random;
use rand::Rng;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const RANDOM_INPUTS: usize = 300;

/// Runs one target on its corpus and on random inputs. One at a time: some draw from the process's `rand`.
fn target(name: &str, run: fn(&[u8])) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let packed = folder.join(name).with_extension("bin");
    if std::env::var_os("CUTOVER_BLESS").is_some() {
        fs::write(&packed, pack_folder(&folder.join(name))).expect("to write the packed corpus");
    }
    let corpus = fs::read(&packed).unwrap_or_else(|error| panic!("{}: {error}", packed.display()));
    let mut rest = &corpus[..];
    let mut count = 0;
    while let Some((size, behind)) = rest.split_first_chunk() {
        let (input, behind) = behind.split_at(u32::from_be_bytes(*size) as usize);
        run(input);
        (rest, count) = (behind, count + 1);
    }
    assert!(count >= 10 && rest.is_empty(), "{} is cut", packed.display());
    let mut random = random();
    for _ in 0..RANDOM_INPUTS {
        let size = random.random_range(1..400);
        let input: Vec<u8> = (0..size).map(|_| random.random()).collect();
        run(&input);
    }
}

/// All files of a folder, in the order of their names.
fn pack_folder(folder: &Path) -> Vec<u8> {
    let mut files: Vec<_> = fs::read_dir(folder).expect("a corpus").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let mut packed = Vec::new();
    for file in files {
        let input = fs::read(file).expect("an input");
        packed.extend_from_slice(&u32::try_from(input.len()).expect("a small input").to_be_bytes());
        packed.extend_from_slice(&input);
    }
    packed
}

#[test]
fn decode() {
    target("decode", fuzz::decode::run);
}

#[test]
fn encode() {
    target("encode", fuzz::encode::run);
}

#[test]
fn keep_alive() {
    target("keep_alive", fuzz::keep_alive::run);
}

#[test]
fn compression() {
    target("compression", fuzz::compression::run);
}

#[test]
fn fifo() {
    target("fifo", fuzz::fifo::run);
}

#[test]
fn str() {
    target("str", fuzz::str::run);
}

#[test]
fn pack() {
    target("pack", fuzz::pack::run);
}

#[test]
fn http() {
    target("http", fuzz::http::run);
}
