//! From a [`Pack`] to bytes (C: `PackToBuf`, `WritePack`, `WriteElement` and `WriteValue`, Mayaqua/Pack.c).

use super::{Element, Error, MAX_PACK_SIZE, Pack, Values};
use std::io::{self, Write};

impl Pack {
    /// The PACK's bytes (C: `PackToBuf`, Mayaqua/Pack.c).
    ///
    /// # Errors
    ///
    /// [`Error::PackTooLarge`] if there are more than [`MAX_PACK_SIZE`]. The C writes what no peer accepts.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let size = self.encoded_size();
        if size > u64::from(MAX_PACK_SIZE) {
            return Err(Error::PackTooLarge(size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(|_| Error::PackTooLarge(size))?);
        // A Vec takes everything, and the sizes were looked at.
        self.write_to(&mut bytes).map_err(|_| Error::PackTooLarge(size))?;
        Ok(bytes)
    }

    /// Number of bytes of the encoded PACK.
    #[must_use]
    pub fn encoded_size(&self) -> u64 {
        4 + self.elements.iter().map(element_size).sum::<u64>()
    }

    /// Writes the PACK piece by piece, without a copy of it in memory (C: `WritePack`, Mayaqua/Pack.c).
    ///
    /// # Errors
    ///
    /// Those of `out`, and [`io::ErrorKind::InvalidData`] for what cannot be written, before anything is.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let size = self.encoded_size();
        if size > u64::from(MAX_PACK_SIZE) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, Error::PackTooLarge(size)));
        }
        write_length(out, self.len())?;
        self.elements().try_for_each(|element| write_element(out, element))
    }
}

fn element_size(element: &Element) -> u64 {
    let values: usize = match element.values() {
        Values::Int(values) => 4 * values.len(),
        Values::Int64(values) => 8 * values.len(),
        Values::Data(values) | Values::Str(values) => values.iter().map(|value| 4 + value.len()).sum(),
        Values::UniStr(values) => values.iter().map(|value| 4 + value.as_utf8().len() + 1).sum(),
    };
    (4 + element.name_bytes().len() + 4 + 4 + values) as u64
}

fn write_element(out: &mut impl Write, element: &Element) -> io::Result<()> {
    let name = element.name_bytes();
    write_length(out, name.len() + 1)?;
    out.write_all(name)?;
    out.write_all(&element.value_type().number().to_be_bytes())?;
    write_length(out, element.values().len())?;
    match element.values() {
        Values::Int(values) => values.iter().try_for_each(|value| out.write_all(&value.to_be_bytes())),
        Values::Int64(values) => values.iter().try_for_each(|value| out.write_all(&value.to_be_bytes())),
        Values::Data(values) | Values::Str(values) => values.iter().try_for_each(|value| {
            write_length(out, value.len())?;
            out.write_all(value)
        }),
        Values::UniStr(values) => values.iter().try_for_each(|value| {
            write_length(out, value.as_utf8().len() + 1)?;
            out.write_all(value.as_utf8())?;
            out.write_all(&[0])
        }),
    }
}

/// Lengths are below [`MAX_PACK_SIZE`], which was looked at before.
fn write_length(out: &mut impl Write, length: usize) -> io::Result<()> {
    let length = u32::try_from(length).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    out.write_all(&length.to_be_bytes())
}
