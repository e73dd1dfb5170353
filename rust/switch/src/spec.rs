//! The text form of modes, `new_block=shadow@1%,framing=rust@10%,*=c`: its grammar, its errors, and
//! which entry decides for a swap. Applying it to the swaps of a build is in `switchboard.rs`.
//!
//! ```text
//! spec    = [ entry *( "," entry ) ]           blanks around every token are ignored
//! entry   = pattern "=" mode [ "@" percent "%" ]
//! pattern = a swap's name | a group's name | a glob over swap names ("write_*") | "*"
//! mode    = "c" | "shadow" | "rust"            a percentage, 0 to 100, only with shadow and rust
//! ```
//!
//! The most specific pattern decides, wherever it stands: name before group before glob before `*`.
//! Between two of the same kind the later one does.

use std::fmt;

use crate::{Info, Mode, Setting};

/// A parsed specification: what is wanted, not yet checked against the swaps of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeSpec {
    text: String,
    entries: Vec<SpecEntry>,
}

/// One `pattern=setting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecEntry {
    pattern: String,
    /// Where the pattern begins in the text, in bytes.
    at: usize,
    setting: Setting,
}

/// How exactly a pattern names a swap, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Specificity {
    /// `*`.
    All,
    /// A glob over names.
    Glob,
    /// The swap's group.
    Group,
    /// The swap's own name.
    Name,
}

/// What is wrong with a specification, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// Byte offset in the text.
    pub at: usize,
    /// Column, in characters from 1.
    pub column: usize,
    /// The offending piece; empty where something is missing.
    pub token: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.column)?;
        if !self.token.is_empty() {
            write!(f, "\"{}\": ", self.token)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for SpecError {}

impl ModeSpec {
    /// Reads a specification. The empty text has no entries and sets nothing.
    ///
    /// # Errors
    /// The first thing that does not fit the grammar, with its place.
    pub fn parse(text: &str) -> Result<ModeSpec, SpecError> {
        let mut spec = ModeSpec { text: text.to_owned(), entries: Vec::new() };
        if text.trim().is_empty() {
            return Ok(spec);
        }
        for part in text.split(',') {
            let entry = parse_entry(Piece { text, part })?;
            spec.entries.push(entry);
        }
        Ok(spec)
    }

    /// The entries, in the order they were written.
    pub fn entries(&self) -> &[SpecEntry] {
        &self.entries
    }

    /// The entry that decides for a swap, if any names it.
    pub fn entry_for(&self, info: &Info) -> Option<&SpecEntry> {
        // Of equal keys `max_by_key` gives the last, which is the rule.
        self.entries
            .iter()
            .filter_map(|entry| Some((entry.specificity(info)?, entry)))
            .max_by_key(|(specificity, _)| *specificity)
            .map(|(_, entry)| entry)
    }

    /// An error about the pattern of `entry`.
    pub(crate) fn error_at(&self, entry: &SpecEntry, problem: String) -> SpecError {
        let end = entry.at + entry.pattern.len();
        Piece { text: &self.text, part: &self.text[entry.at..end] }.error(problem)
    }
}

/// Writes the entries back, without blanks; parses to an equal list of patterns and settings.
impl fmt::Display for ModeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, entry) in self.entries.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", entry.pattern, entry.setting)?;
        }
        Ok(())
    }
}

impl SpecEntry {
    /// The pattern, as written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The setting wanted.
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// How exactly the pattern names the swap; `None` if it does not.
    pub fn specificity(&self, info: &Info) -> Option<Specificity> {
        specificity(&self.pattern, info.name, info.group)
    }
}

/// How exactly a pattern names the swap of this name and group; `None` if it does not.
pub fn specificity(pattern: &str, name: &str, group: &str) -> Option<Specificity> {
    match pattern {
        pattern if pattern == name => Some(Specificity::Name),
        pattern if pattern == group => Some(Specificity::Group),
        "*" => Some(Specificity::All),
        pattern => glob_matches(pattern, name).then_some(Specificity::Glob),
    }
}

/// A piece of the text that knows its place.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    /// A subslice of `text`.
    part: &'a str,
}

impl<'a> Piece<'a> {
    fn at(&self) -> usize {
        self.part.as_ptr().addr() - self.text.as_ptr().addr()
    }

    fn with(&self, part: &'a str) -> Piece<'a> {
        Piece { text: self.text, part }
    }

    fn trim(&self) -> Piece<'a> {
        self.with(self.part.trim())
    }

    fn split_once(&self, separator: char) -> Option<(Piece<'a>, Piece<'a>)> {
        let (left, right) = self.part.split_once(separator)?;
        Some((self.with(left).trim(), self.with(right).trim()))
    }

    fn error(&self, problem: String) -> SpecError {
        let at = self.at();
        SpecError { at, column: self.text[..at].chars().count() + 1, token: self.part.to_owned(), problem }
    }
}

fn parse_entry(piece: Piece<'_>) -> Result<SpecEntry, SpecError> {
    let entry = piece.trim();
    if entry.part.is_empty() {
        return Err(entry.error("an entry is missing: write PATTERN=MODE".to_owned()));
    }
    let Some((pattern, setting)) = entry.split_once('=') else {
        return Err(entry.error("no \"=\": write PATTERN=MODE, such as *=c".to_owned()));
    };
    check_pattern(pattern)?;
    let setting = parse_setting(setting)?;
    Ok(SpecEntry { pattern: pattern.part.to_owned(), at: pattern.at(), setting })
}

fn check_pattern(pattern: Piece<'_>) -> Result<(), SpecError> {
    if pattern.part.is_empty() {
        return Err(pattern.error("the pattern before \"=\" is missing".to_owned()));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '*';
    if !pattern.part.chars().all(allowed) {
        let problem = "a pattern has only a-z, 0-9, _ and *".to_owned();
        return Err(pattern.error(problem));
    }
    Ok(())
}

fn parse_setting(piece: Piece<'_>) -> Result<Setting, SpecError> {
    let (mode_piece, percent_piece) = match piece.split_once('@') {
        Some((mode, percent)) => (mode, Some(percent)),
        None => (piece, None),
    };
    let Ok(mode) = mode_piece.part.parse::<Mode>() else {
        return Err(mode_piece.error(unknown_mode(mode_piece.part)));
    };
    let Some(percent_piece) = percent_piece else {
        return Ok(Setting::all(mode));
    };
    let percent = parse_percent(percent_piece)?;
    Setting::share(mode, percent).ok_or_else(|| {
        let problem = "c takes no percentage; what is not on shadow or rust is on c".to_owned();
        piece.error(problem)
    })
}

fn unknown_mode(written: &str) -> String {
    let problem = match written {
        "" => "the mode is missing; valid: c, shadow, rust",
        _ => "unknown mode; valid: c, shadow, rust",
    };
    match nearest(written, Mode::ALL.into_iter().map(Mode::name)) {
        Some(mode) => format!("{problem}; did you mean \"{mode}\"?"),
        None => problem.to_owned(),
    }
}

fn parse_percent(piece: Piece<'_>) -> Result<u8, SpecError> {
    let wrong = || piece.error("a percentage is a whole number from 0 to 100 and %".to_owned());
    let digits = piece.part.strip_suffix('%').ok_or_else(wrong)?.trim_end();
    // `u8::from_str` would also take a sign.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    match digits.parse() {
        Ok(percent @ 0..=100) => Ok(percent),
        _ => Err(wrong()),
    }
}

/// Whether `name` is `pattern` with each `*` replaced by some text, which may be empty.
fn glob_matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The leftmost place for each piece leaves the most for those after it.
    for piece in middle.split('*') {
        match name.find(piece) {
            Some(found) => name = &name[found + piece.len()..],
            None => return false,
        }
    }
    name.ends_with(tail)
}

/// The word most like `written`, if any is alike.
pub(crate) fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    words
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(written, word), word))
        .filter(|(distance, word)| *distance <= word.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contract;
    use proptest::prelude::*;

    fn info(name: &'static str, group: &'static str) -> Info {
        Info { index: 0, name, symbol: "", file: "", group, contract: Contract::Pure }
    }

    fn setting_for(spec: &str, info: &Info) -> Option<String> {
        let spec = ModeSpec::parse(spec).unwrap();
        spec.entry_for(info).map(|entry| entry.setting().to_string())
    }

    #[test]
    fn the_edges_of_the_grammar_are_accepted() {
        for (text, shown) in [
            ("", ""),
            ("  ", ""),
            ("*=c", "*=c"),
            ("a=rust@0%", "a=rust@0%"),
            ("a=shadow@1%", "a=shadow@1%"),
            ("a=rust@99%", "a=rust@99%"),
            ("a=rust@100%", "a=rust"),
            ("a=rust@007%", "a=rust@7%"),
            (" a = rust @ 10 % , *= c ", "a=rust@10%,*=c"),
            ("a=c,a=rust", "a=c,a=rust"),
        ] {
            assert_eq!(ModeSpec::parse(text).map(|spec| spec.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn an_error_names_the_place_the_token_and_what_is_valid() {
        for (text, at, token, problem) in [
            (",", 0, "", "entry is missing"),
            ("*=c,", 4, "", "entry is missing"),
            ("*=c,,a=c", 4, "", "entry is missing"),
            ("rust", 0, "rust", "no \"=\""),
            ("=rust", 0, "", "pattern before"),
            ("a=", 2, "", "valid: c, shadow, rust"),
            ("a=rsut", 2, "rsut", "did you mean \"rust\""),
            ("a=c, b = Shadow", 9, "Shadow", "did you mean \"shadow\""),
            ("a=xyzzy", 2, "xyzzy", "valid: c, shadow, rust"),
            ("a=rust=c", 2, "rust=c", "unknown mode"),
            ("a=c@5%", 2, "c@5%", "takes no percentage"),
            ("a=c@100%", 2, "c@100%", "takes no percentage"),
            ("a=rust@", 7, "", "from 0 to 100"),
            ("a=rust@%", 7, "%", "from 0 to 100"),
            ("a=rust@10", 7, "10", "from 0 to 100"),
            ("a=rust@101%", 7, "101%", "from 0 to 100"),
            ("a=rust@256%", 7, "256%", "from 0 to 100"),
            ("a=rust@-1%", 7, "-1%", "from 0 to 100"),
            ("a=rust@+1%", 7, "+1%", "from 0 to 100"),
            ("a=rust@1.5%", 7, "1.5%", "from 0 to 100"),
            ("a=rust@10%%", 7, "10%%", "from 0 to 100"),
            ("New=c", 0, "New", "only a-z"),
            ("a b=c", 0, "a b", "only a-z"),
        ] {
            let error = ModeSpec::parse(text).unwrap_err();
            assert_eq!((error.at, error.token.as_str()), (at, token), "{text}");
            assert!(error.to_string().contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn columns_count_characters_and_offsets_count_bytes() {
        let error = ModeSpec::parse("*=c,ä=c").unwrap_err();
        assert_eq!((error.at, error.column), (4, 5));
        let error = ModeSpec::parse("\u{2003}*=q").unwrap_err();
        assert_eq!((error.at, error.column), (5, 4));
    }

    #[test]
    fn the_most_specific_pattern_decides_wherever_it_stands() {
        let swap = info("write_fifo", "fifo");
        let entries = ["write_fifo=rust@4%", "fifo=rust@3%", "write_*=rust@2%", "*=rust@1%"];
        for strongest in 0..entries.len() {
            let mut rest = entries[strongest..].to_vec();
            let expected = rest[0].rsplit_once('=').unwrap().1.to_owned();
            assert_eq!(setting_for(&rest.join(","), &swap), Some(expected.clone()));
            rest.reverse();
            assert_eq!(setting_for(&rest.join(","), &swap), Some(expected));
        }
    }

    #[test]
    fn of_two_alike_the_later_decides_and_strangers_get_nothing() {
        let swap = info("write_fifo", "fifo");
        assert_eq!(setting_for("write_fifo=rust,write_fifo=c", &swap).as_deref(), Some("c"));
        assert_eq!(setting_for("write_*=rust,*_fifo=c", &swap).as_deref(), Some("c"));
        assert_eq!(setting_for("read_fifo=rust,fif=c,fifo_*=c", &swap), None);
        assert_eq!(setting_for("", &swap), None);
    }

    /// The definition, word for word.
    fn glob_oracle(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|skip| glob_oracle(rest, &name[skip..])),
            Some((first, rest)) => name.first() == Some(first) && glob_oracle(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn globs_match_as_defined(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            let expected = glob_oracle(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(glob_matches(&pattern, &name), expected);
        }

        #[test]
        fn any_text_gives_a_spec_or_an_error_at_its_token(text in "\\PC{0,40}") {
            if let Err(error) = ModeSpec::parse(&text) {
                prop_assert!(text[error.at..].starts_with(&error.token));
                prop_assert_eq!(error.column, text[..error.at].chars().count() + 1);
            }
        }

        #[test]
        fn text_near_the_grammar_gives_no_panic(text in "[a*=@%,0-9 crustshadow]{0,40}") {
            if let Ok(spec) = ModeSpec::parse(&text) {
                let again = ModeSpec::parse(&spec.to_string()).unwrap();
                prop_assert_eq!(again.to_string(), spec.to_string());
            }
        }

        #[test]
        fn every_valid_spec_is_read_as_written(
            entries in prop::collection::vec(("[a-z_*][a-z0-9_*]{0,8}", 0usize..3, 0u8..=100), 1..6)
        ) {
            let settings: Vec<(String, Setting)> = entries
                .into_iter()
                .map(|(pattern, mode, percent)| {
                    let mode = Mode::ALL[mode];
                    (pattern, Setting::share(mode, percent).unwrap_or(Setting::all(mode)))
                })
                .collect();
            let text: Vec<String> =
                settings.iter().map(|(pattern, setting)| format!("{pattern}={setting}")).collect();
            let spec = ModeSpec::parse(&text.join(",")).unwrap();
            let read: Vec<(String, Setting)> = spec
                .entries()
                .iter()
                .map(|entry| (entry.pattern().to_owned(), entry.setting()))
                .collect();
            prop_assert_eq!(read, settings);
        }
    }
}
