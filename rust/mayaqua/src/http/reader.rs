//! Headers and bodies from bytes as they come.

use super::{Error, HTTP_HEADER_LINE_MAX_SIZE, Header};
use crate::str::{is_empty_str, str_cmpi, trim};

/// A header of which a part came (C: `RecvHttpHeader` and `RecvLine`, Mayaqua/HTTP.c and Network.c).
///
/// Lines end with LF, with or without CR in front. A line of nothing but spaces and tabs ends the header.
#[derive(Clone, Debug, Default)]
pub struct HeaderReader {
    /// The part of a line that came: at most [`HTTP_HEADER_LINE_MAX_SIZE`] bytes.
    line: Vec<u8>,
    header: Option<Header>,
}

impl HeaderReader {
    /// A reader before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the front of `input`, up to the end of the header, which is returned when it is whole. What is
    /// left in `input` is the body's.
    ///
    /// # Errors
    ///
    /// What is wrong with the header. The reader must not be used any more then.
    pub fn push(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Error> {
        while !input.is_empty() {
            let end = input.iter().position(|byte| *byte == b'\n');
            let (part, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
            if self.line.len() + part.len() > HTTP_HEADER_LINE_MAX_SIZE {
                return Err(Error::LineTooLong);
            }
            self.line.extend_from_slice(part);
            *input = rest;
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                if self.end_of_line(line.strip_suffix(b"\r").unwrap_or(line))? {
                    return Ok(self.header.take());
                }
            }
        }
        Ok(None)
    }

    /// Takes a line; whether it ends the header.
    fn end_of_line(&mut self, line: &[u8]) -> Result<bool, Error> {
        if line.contains(&0) {
            return Err(Error::Nul);
        }
        let Some(header) = &mut self.header else {
            let header = self.header.insert(Header::from_first_line(line)?);
            return Ok(str_cmpi(header.version(), b"HTTP/0.9").is_eq());
        };
        if is_empty_str(line) {
            return Ok(true);
        }
        header.add_line(trim(line))?;
        Ok(false)
    }
}

/// A body of which a part came.
#[derive(Clone, Debug)]
pub struct BodyReader {
    body: Vec<u8>,
    left: usize,
}

impl BodyReader {
    /// A reader of `length` bytes, which [`super::content_length`] has held against a limit.
    #[must_use]
    pub const fn new(length: u32) -> Self {
        Self { body: Vec::new(), left: length as usize }
    }

    /// Takes bytes from the front of `input`, up to the end of the body, which is returned when it is whole. What is left
    /// in `input` is the next message's. Memory grows with what came, to at most twice as much.
    pub fn push(&mut self, input: &mut &[u8]) -> Option<Vec<u8>> {
        let (part, rest) = input.split_at(self.left.min(input.len()));
        if self.body.capacity() - self.body.len() < part.len() {
            // Doubled as a Vec would, but never beyond what was announced.
            let more = self.body.len().max(part.len()).min(self.left);
            self.body.reserve_exact(more);
        }
        self.body.extend_from_slice(part);
        self.left -= part.len();
        *input = rest;
        (self.left == 0).then(|| std::mem::take(&mut self.body))
    }

    /// Number of bytes that have not come.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }
}
