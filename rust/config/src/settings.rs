//! The values that a file and the options gave, each with its place, before they mean anything.
//! An option replaces the file's value of the same key. Meaning and conflicts are `config.rs`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{ConfigError, Place, Wrong};
use crate::keys::{self, Key, Kind};
use crate::values;

/// A value of the form that its key's [`Kind`] asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    File(PathBuf),
    Flag(bool),
    Number(i64),
    List(Vec<(String, Place)>),
    /// `pattern=mode` entries in the order of the file.
    Modes(Vec<String>),
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub value: Value,
    pub place: Place,
}

/// All values of one configuration. The methods return `None` for a key that was not given.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where to point when something is missing.
    pub whole: Place,
    by_path: BTreeMap<&'static str, Setting>,
}

impl Settings {
    pub fn new(whole: Place) -> Settings {
        Settings { whole, by_path: BTreeMap::new() }
    }

    pub fn set(&mut self, key: &'static Key, value: Value, place: Place) {
        self.by_path.insert(key.path, Setting { value, place });
    }

    /// Reads an option's texts as its key's kind says. `--key` may be repeated for lists only;
    /// otherwise the last one counts.
    pub fn set_option(&mut self, key: &'static Key, texts: &[String]) -> Result<(), ConfigError> {
        let place = Place::Option(format!("--{}", key.option()));
        let text = texts.last().map_or("", String::as_str);
        let value = match key.kind {
            Kind::Text => Value::Text(text.to_owned()),
            Kind::File => Value::File(PathBuf::from(text)),
            Kind::Flag => Value::Flag(flag(text).map_err(|wrong| wrong.at(&place))?),
            Kind::Number { min, max } => Value::Number(number(text, 10, min, max).map_err(|wrong| wrong.at(&place))?),
            Kind::Choice(words) => Value::Text(choice(text, words).map_err(|wrong| wrong.at(&place))?),
            Kind::List => {
                let items = texts.iter().flat_map(|text| text.split(','));
                Value::List(items.map(|item| (item.trim().to_owned(), place.clone())).collect())
            }
            Kind::Modes => {
                let entries = texts.iter().flat_map(|text| text.split(','));
                let modes: Result<Vec<_>, Wrong> = entries.map(option_mode).collect();
                Value::Modes(modes.map_err(|wrong| wrong.at(&place))?)
            }
        };
        self.set(key, value, place);
        Ok(())
    }

    pub fn place(&self, path: &'static str) -> Option<&Place> {
        self.get(path).map(|setting| &setting.place)
    }

    pub fn text(&self, path: &'static str) -> Option<(&str, &Place)> {
        match self.get(path)? {
            Setting { value: Value::Text(text), place } => Some((text, place)),
            _ => None,
        }
    }

    pub fn file(&self, path: &'static str) -> Option<(&Path, &Place)> {
        match self.get(path)? {
            Setting { value: Value::File(file), place } => Some((file, place)),
            _ => None,
        }
    }

    pub fn flag(&self, path: &'static str) -> Option<bool> {
        match self.get(path)?.value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    /// A number of a key whose range fits `T`.
    pub fn number<T: TryFrom<i64>>(&self, path: &'static str) -> Option<T> {
        match self.get(path)?.value {
            Value::Number(number) => T::try_from(number).ok(),
            _ => None,
        }
    }

    pub fn list(&self, path: &'static str) -> &[(String, Place)] {
        match self.get(path) {
            Some(Setting { value: Value::List(items), .. }) => items,
            _ => &[],
        }
    }

    pub fn modes(&self, path: &'static str) -> &[String] {
        match self.get(path) {
            Some(Setting { value: Value::Modes(modes), .. }) => modes,
            _ => &[],
        }
    }

    fn get(&self, path: &'static str) -> Option<&Setting> {
        debug_assert!(keys::find(path).is_some(), "{path} is not in the registry of keys");
        self.by_path.get(path)
    }
}

pub(crate) fn number(text: &str, radix: u32, min: i64, max: i64) -> Result<i64, Wrong> {
    let number = i64::from_str_radix(text, radix).ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| Wrong::new(format!("{text} is out of range"), number_remedy(min, max)))
}

pub(crate) fn number_remedy(min: i64, max: i64) -> String {
    format!("write a whole number from {min} to {max}")
}

pub(crate) fn choice(text: &str, words: &[&str]) -> Result<String, Wrong> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("{text:?} is not a choice here"), format!("write one of {}", words.join(", "))))
}

fn flag(text: &str) -> Result<bool, Wrong> {
    text.parse().map_err(|_| Wrong::new(format!("{text:?} is neither true nor false"), "write true or false"))
}

fn option_mode(entry: &str) -> Result<String, Wrong> {
    let (pattern, mode) = entry.trim().split_once('=').ok_or_else(|| {
        Wrong::new(format!("{entry:?} has no '='"), "write PATTERN=MODE, such as new_block=shadow,*=rust")
    })?;
    values::swap_mode(pattern, mode)
}
