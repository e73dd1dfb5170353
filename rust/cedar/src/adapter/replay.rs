//! A device that plays back recorded packets and records what is written: tests and benches run on what a real kernel
//! once gave, without a kernel.
//!
//! A recording is a row of records: `u32` little-endian size, then that many bytes: the 10-byte vnet header of a TAP and
//! the packet from its Ethernet header on.
#![forbid(unsafe_code)]

use std::io::IoSlice;
use std::os::fd::BorrowedFd;

use super::{Device, Error, Offloads, WriteError};

/// The recording ends inside a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recording is cut at byte {at}")]
pub struct CutRecording {
    /// Where the incomplete record begins.
    pub at: usize,
}

/// The records of a recording.
pub fn records(recording: &[u8]) -> Result<Vec<&[u8]>, CutRecording> {
    let mut records = Vec::new();
    let mut rest = recording;
    while !rest.is_empty() {
        let cut = CutRecording { at: recording.len() - rest.len() };
        let (size, after) = rest.split_first_chunk::<4>().ok_or(cut)?;
        let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| cut)?;
        let (record, after) = after.split_at_checked(size).ok_or(cut)?;
        records.push(record);
        rest = after;
    }
    Ok(records)
}

/// Appends one packet to a recording. Packets of 4 GiB do not exist; their size would be cut to `u32::MAX`.
pub fn append(recording: &mut Vec<u8>, packet: &[u8]) {
    let size = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    recording.extend_from_slice(&size.to_le_bytes());
    recording.extend_from_slice(packet);
}

/// A device with vnet headers that gives recorded packets in order and then has nothing more.
#[derive(Debug)]
pub struct Replay<'a> {
    offloads: Offloads,
    packets: Vec<&'a [u8]>,
    position: usize,
    rounds: usize,
    written: Option<Vec<u8>>,
}

impl<'a> Replay<'a> {
    /// Plays `packets` (vnet header first) `rounds` times. Written packets are kept as a recording if `record` is set.
    pub fn new(offloads: Offloads, packets: Vec<&'a [u8]>, rounds: usize, record: bool) -> Replay<'a> {
        Replay { offloads, packets, position: 0, rounds, written: record.then(Vec::new) }
    }

    /// What was written, as a recording.
    pub fn written(&self) -> &[u8] {
        self.written.as_deref().unwrap_or_default()
    }

    /// Plays the packets `rounds` more times.
    pub fn rewind(&mut self, rounds: usize) {
        self.position = 0;
        self.rounds = rounds;
    }
}

impl Device for Replay<'_> {
    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        if self.position == self.packets.len() {
            self.position = 0;
            self.rounds = self.rounds.saturating_sub(1);
        }
        let Some(packet) = self.packets.get(self.position).filter(|_| self.rounds > 0) else { return Ok(None) };
        self.position += 1;
        let len = packet.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..len), packet.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(Some(len))
    }

    fn write(&mut self, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        if let Some(written) = &mut self.written {
            let size: usize = parts.iter().map(|part| part.len()).sum();
            let size = u32::try_from(size).map_err(|_| WriteError::Refused)?;
            written.extend_from_slice(&size.to_le_bytes());
            for part in parts {
                written.extend_from_slice(part);
            }
        }
        Ok(())
    }

    /// None: there is always something to read until there is never again.
    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_reads_back_and_its_cuts_are_found() {
        let mut recording = Vec::new();
        append(&mut recording, b"one");
        append(&mut recording, b"");
        append(&mut recording, b"three");
        assert_eq!(records(&recording), Ok(vec![b"one".as_slice(), b"", b"three"]));
        for cut in 0..recording.len() {
            let result = records(&recording[..cut]);
            let whole = [0, 7, 11].contains(&cut);
            assert_eq!(result.is_ok(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn packets_come_in_order_for_every_round() {
        let mut replay = Replay::new(Offloads::default(), vec![b"a", b"bc"], 2, false);
        let mut buffer = [0; 8];
        let mut sizes = Vec::new();
        while let Some(len) = replay.read(&mut buffer).unwrap() {
            sizes.push(len);
        }
        assert_eq!(sizes, [1, 2, 1, 2]);
        replay.rewind(1);
        assert_eq!(replay.read(&mut buffer), Ok(Some(1)));
    }

    #[test]
    fn no_packets_are_no_packets() {
        let mut replay = Replay::new(Offloads::default(), vec![], 3, false);
        assert_eq!(replay.read(&mut [0; 8]), Ok(None));
    }
}
