//! From the bytes of a configuration file to settings: size, encoding, TOML syntax, unknown keys
//! and wrong types, each mistake with line and column. What the values mean is `config.rs`'s.
//!
//! Texts that might be secrets are never quoted: not the value of an unknown key, not the line a
//! syntax error stands in.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::{ConfigError, Place, Wrong};
use crate::keys::{self, Key, Kind};
use crate::settings::{self, Settings, Value};
use crate::values;

/// A configuration has some thirty keys; what is larger is another file.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Reads the file at `path` into settings.
///
/// # Errors
/// The first mistake in the file, in the order of its lines.
pub(crate) fn read(path: &Path) -> Result<Settings, ConfigError> {
    let bytes = read_bytes(path)?;
    let text = decode(path, &bytes)?;
    let document = Document { path: path.to_owned(), text };
    let table = DeTable::parse(text).map_err(|error| document.syntax_error(&error))?;
    let mut settings = Settings::new(Place::start_of(path));
    document.read_table(table.get_ref(), "", &mut settings)?;
    Ok(settings)
}

/// Reads a whole regular file, of which nothing is too large.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, ConfigError> {
    read_limited(path, FILE_BYTES_MAX).map_err(|wrong| wrong.at(&Place::start_of(path)))
}

/// Reads at most `bytes_max` bytes of a regular file; a longer file is refused unread.
pub(crate) fn read_limited(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Wrong> {
    let shown = path.display();
    let cannot = |why: &dyn std::fmt::Display| {
        Wrong::new(format!("cannot read {shown}: {why}"), "check the path and that you may read it")
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|e| cannot(&e))?);
    let metadata = file.metadata().map_err(|e| cannot(&e))?;
    if !metadata.is_file() {
        return Err(cannot(&"it is not a regular file"));
    }
    let too_large = || Wrong::new(format!("{shown} is larger than {bytes_max} bytes"), "name the right file");
    if metadata.len() > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|e| cannot(&e))?;
    if bytes.len() as u64 > bytes_max {
        return Err(too_large());
    }
    Ok(bytes)
}

fn decode<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    let start = Place::start_of(path);
    if bytes.starts_with(b"\xef\xbb\xbf") || bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(ConfigError::new(&start, "the file begins with a byte order mark", "save it as UTF-8 without BOM"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let place = position(path, &String::from_utf8_lossy(good), good.len());
        ConfigError::new(&place, "the file is not UTF-8 from here on", "save it as UTF-8")
    })?;
    match text.find('\0') {
        None => Ok(text),
        Some(offset) => Err(ConfigError::new(
            &position(path, text, offset),
            "there is a NUL byte in the file",
            "remove it; a configuration is plain text",
        )),
    }
}

/// Line and column of the byte at `offset`.
fn position(path: &Path, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place::File {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
    }
}

/// A parsed file, for turning byte spans into places.
struct Document<'a> {
    path: PathBuf,
    text: &'a str,
}

impl Document<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        position(&self.path, self.text, span.start)
    }

    fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let place = error.span().map_or(Place::start_of(&self.path), |span| self.place(&span));
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        ConfigError::new(&place, format!("not valid TOML: {message}"), "correct the line")
    }

    /// Reads the entries of one table in the order they stand in the file.
    fn read_table(&self, table: &DeTable<'_>, section: &str, settings: &mut Settings) -> Result<(), ConfigError> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let path = match section {
                "" => name.get_ref().to_string(),
                section => format!("{section}.{}", name.get_ref()),
            };
            let is_table = matches!(value.get_ref(), DeValue::Table(_));
            match (keys::find(&path), value.get_ref()) {
                (Some(key), _) => {
                    let read = self.read_value(key, value)?;
                    settings.set(key, read, self.place(&value.span()));
                }
                (None, DeValue::Table(inner)) if section.is_empty() && keys::is_section(&path) => {
                    self.read_table(inner, &path, settings)?;
                }
                (None, _) => return Err(unknown(&path, is_table).at(&self.place(&name.span()))),
            }
        }
        Ok(())
    }

    fn read_value(&self, key: &Key, value: &Spanned<DeValue<'_>>) -> Result<Value, ConfigError> {
        let place = self.place(&value.span());
        let at = |wrong: Wrong| wrong.at(&place);
        match (key.kind, value.get_ref()) {
            (Kind::Text, DeValue::String(text)) => Ok(Value::Text(text.to_string())),
            (Kind::Choice(words), DeValue::String(text)) => settings::choice(text, words).map(Value::Text).map_err(at),
            (Kind::File, DeValue::String(text)) => Ok(Value::File(self.beside_the_file(text))),
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Number { min, max }, DeValue::Integer(integer)) => {
                settings::number(integer.as_str(), integer.radix(), min, max).map(Value::Number).map_err(at)
            }
            (Kind::List, DeValue::String(text)) => Ok(Value::List(vec![(text.to_string(), place)])),
            (Kind::List, DeValue::Array(items)) => {
                items.iter().map(|item| self.read_list_item(key, item)).collect::<Result<_, _>>().map(Value::List)
            }
            (Kind::Modes, DeValue::Table(table)) => self.read_modes(key, table),
            (_, other) => Err(at(wrong_type(key, other.type_str()))),
        }
    }

    fn read_list_item(&self, key: &Key, item: &Spanned<DeValue<'_>>) -> Result<(String, Place), ConfigError> {
        let place = self.place(&item.span());
        match item.get_ref() {
            DeValue::String(text) => Ok((text.to_string(), place)),
            other => Err(wrong_type(key, other.type_str()).at(&place)),
        }
    }

    fn read_modes(&self, key: &Key, table: &DeTable<'_>) -> Result<Value, ConfigError> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(pattern, _)| pattern.span().start);
        let read_mode = |(pattern, mode): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
            let wrong = match mode.get_ref() {
                DeValue::String(text) => match values::swap_mode(pattern.get_ref(), text) {
                    Ok(entry) => return Ok(entry),
                    Err(wrong) => wrong,
                },
                other => wrong_type(key, other.type_str()),
            };
            Err(wrong.at(&self.place(&mode.span())))
        };
        entries.into_iter().map(read_mode).collect::<Result<_, _>>().map(Value::Modes)
    }

    fn beside_the_file(&self, text: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(text)
    }
}

fn unknown(path: &str, is_table: bool) -> Wrong {
    let last = path.rsplit('.').next().unwrap_or(path);
    if ["password", "passwd", "secret", "pass"].contains(&last) {
        return Wrong::new(
            format!("a password does not belong into a configuration ({path})"),
            "put it into a file that only you can read (chmod 600) and write auth.password_file = \"FILE\"",
        );
    }
    if is_table {
        let remedy = match keys::closest_section(path) {
            Some(section) => format!("did you mean [{section}]?"),
            None => "`cutover up --help` lists the keys".to_owned(),
        };
        return Wrong::new(format!("there is no table [{path}]"), remedy);
    }
    let remedy = match keys::closest(path) {
        Some(key) => format!("did you mean {}?", key.path),
        None => "`cutover up --help` lists the keys".to_owned(),
    };
    Wrong::new(format!("there is no key {path}"), remedy)
}

fn wrong_type(key: &Key, found: &str) -> Wrong {
    let (expected, remedy) = match key.kind {
        Kind::Text | Kind::File => ("a string", "put it in quotes".to_owned()),
        Kind::Choice(words) => ("a string", format!("write one of {}, in quotes", words.join(", "))),
        Kind::Flag => ("true or false", "write true or false, without quotes".to_owned()),
        Kind::Number { min, max } => ("a whole number", settings::number_remedy(min, max) + ", without quotes"),
        Kind::List => ("a string or a list of strings", format!("write [\"{}\"]", key.placeholder)),
        Kind::Modes => ("a table of modes", "write [swaps] and lines such as \"new_block\" = \"shadow\"".to_owned()),
    };
    Wrong::new(format!("{} is {expected}, not of type {found}", key.path), remedy)
}
