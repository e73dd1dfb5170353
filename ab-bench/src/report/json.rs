//! report.json as text: fields on lines of their own, and each run, row or profile on one line, so that a file with a
//! thousand runs stays small and two of them can be held against one another by line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::ab::schema::Report;

/// Lists and objects within the report's own fields begin lines; what is deeper stays on its line.
const DEEPEST_LINE: usize = 2;

/// The report as JSON, with an end of line.
pub fn json(report: &Report) -> serde_json::Result<String> {
    let mut text = Vec::new();
    report.serialize(&mut Serializer::with_formatter(&mut text, Lines::default()))?;
    text.push(b'\n');
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}

#[derive(Default)]
struct Lines {
    depth: usize,
    /// Whether the list or object that was opened last has nothing in it so far.
    is_empty: bool,
}

impl Lines {
    fn open(&mut self, to: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.is_empty = true;
        to.write_all(bracket)
    }

    fn next(&mut self, to: &mut (impl Write + ?Sized), first: bool) -> io::Result<()> {
        self.is_empty = false;
        to.write_all(if first { b"" } else { b"," })?;
        if self.depth <= DEEPEST_LINE { self.line(to) } else { Ok(()) }
    }

    fn close(&mut self, to: &mut (impl Write + ?Sized), bracket: &[u8]) -> io::Result<()> {
        let was_deep = self.depth > DEEPEST_LINE;
        self.depth = self.depth.saturating_sub(1);
        if !std::mem::take(&mut self.is_empty) && !was_deep {
            self.line(to)?;
        }
        to.write_all(bracket)
    }

    fn line(&self, to: &mut (impl Write + ?Sized)) -> io::Result<()> {
        write!(to, "\n{:1$}", "", self.depth)
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.open(to, b"[")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.next(to, first)
    }

    fn end_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.close(to, b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.open(to, b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.next(to, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b":")
    }

    fn end_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.close(to, b"}")
    }
}
