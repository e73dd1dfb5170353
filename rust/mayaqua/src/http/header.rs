//! A header and its lines (C: `HTTP_HEADER` and `HTTP_VALUE`).

use super::{Error, HTTP_HEADER_LINE_MAX_SIZE, HTTP_HEADER_MAX_LINES};
use crate::list::List;
use crate::str::{en_safe_http_header_value_str, parse_token_without_null_str, str_cmpi, trim};

/// A line behind the first (C: `HTTP_VALUE`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Before the colon, trimmed (C: `HTTP_VALUE.Name`).
    pub name: Vec<u8>,
    /// Behind it, trimmed (C: `HTTP_VALUE.Data`).
    pub data: Vec<u8>,
}

/// A header of a request or of an answer (C: `HTTP_HEADER`).
#[derive(Clone, Debug)]
pub struct Header {
    method: Vec<u8>,
    target: Vec<u8>,
    version: Vec<u8>,
    /// In the order of their names.
    values: List<Value>,
}

impl Header {
    /// A header without lines (C: `NewHttpHeader`, Mayaqua/HTTP.c). Of an answer the parts are version, status and reason.
    ///
    /// # Errors
    ///
    /// [`Error::LineTooLong`] if they do not fit one line, [`Error::NoValue`] if a line end is in them.
    pub fn new(method: &[u8], target: &[u8], version: &[u8]) -> Result<Self, Error> {
        let size = method.len() + target.len() + version.len() + b"  \r\n".len();
        if size > HTTP_HEADER_LINE_MAX_SIZE {
            return Err(Error::LineTooLong);
        }
        if [method, target, version].iter().any(|part| part.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))) {
            return Err(Error::NoValue);
        }
        let values = List::new(Some(|a: &Value, b: &Value| str_cmpi(&a.name, &b.name)));
        Ok(Self { method: method.into(), target: target.into(), version: version.into(), values })
    }

    /// A header with the first line that came (C: the first half of `RecvHttpHeader`, Mayaqua/HTTP.c): its first three
    /// words.
    pub(super) fn from_first_line(line: &[u8]) -> Result<Self, Error> {
        let mut words = parse_token_without_null_str(line, b" ");
        let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Err(Error::FirstLine);
        };
        Self::new(method, target, version)
    }

    /// The first word: of an answer the version (C: `HTTP_HEADER.Method`).
    #[must_use]
    pub fn method(&self) -> &[u8] {
        &self.method
    }

    /// The second word: of an answer the status (C: `HTTP_HEADER.Target`).
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.target
    }

    /// The third word: of an answer the reason's first (C: `HTTP_HEADER.Version`).
    #[must_use]
    pub fn version(&self) -> &[u8] {
        &self.version
    }

    /// The lines, in the order of their names.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        self.values.as_slice()
    }

    /// The value of that name, but for case (C: `GetHttpValue`, Mayaqua/HTTP.c): of several the one that the C finds.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let values = self.values.as_slice();
        let compare = |place: usize| str_cmpi(name.as_bytes(), &values[place].name);
        let place = crate::list::binary_search(values.len(), compare)?;
        Some(&values[place].data)
    }

    /// All values of that name, but for case.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.values.iter().filter(move |value| str_cmpi(name.as_bytes(), &value.name).is_eq());
        named.map(|value| &value.data[..])
    }

    /// Adds a line (C: `AddHttpValue` of `NewHttpValue`, Mayaqua/HTTP.c).
    ///
    /// # Errors
    ///
    /// [`Error::TooManyLines`], [`Error::LineTooLong`] (the C drops the line, or cuts it and its line end), and
    /// [`Error::NoValue`] if a line end is in it.
    pub fn add(&mut self, name: &str, data: &str) -> Result<(), Error> {
        if [name, data].iter().any(|part| part.contains(['\r', '\n', '\0'])) {
            return Err(Error::NoValue);
        }
        self.insert(name.as_bytes(), data.as_bytes())
    }

    /// Adds a line as it came (C: `AddHttpValueStr`, Mayaqua/HTTP.c).
    ///
    /// # Errors
    ///
    /// [`Error::NoValue`] without a colon or with nothing behind it, [`Error::Nul`], and those of [`Header::add`].
    pub fn add_line(&mut self, line: &[u8]) -> Result<(), Error> {
        if line.contains(&0) {
            return Err(Error::Nul);
        }
        let line = en_safe_http_header_value_str(line, b' ');
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Error::NoValue)?;
        let (name, data) = (&line[..colon], &line[colon + 1..]);
        if data.is_empty() {
            return Err(Error::NoValue);
        }
        self.insert(name, data)
    }

    fn insert(&mut self, name: &[u8], data: &[u8]) -> Result<(), Error> {
        if self.values.len() >= HTTP_HEADER_MAX_LINES {
            return Err(Error::TooManyLines);
        }
        let (name, data) = (trim(name), trim(data));
        if name.len() + data.len() + b": \r\n".len() > HTTP_HEADER_LINE_MAX_SIZE {
            return Err(Error::LineTooLong);
        }
        self.values.insert(Value { name: name.into(), data: data.into() });
        Ok(())
    }

    /// The header with the empty line at its end (C: `HttpHeaderToStr`, Mayaqua/HTTP.c).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.target, b" ", &self.version, b"\r\n"].concat();
        for value in &self.values {
            [&value.name[..], b": ", &value.data, b"\r\n"].iter().for_each(|part| bytes.extend_from_slice(part));
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}
