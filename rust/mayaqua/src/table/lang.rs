//! Which language the messages are in: the list of languages (`languages.txt` of hamcore), the user's choice (`lang.config`),
//! and what the environment says. Files and environment are arguments.

use super::lines;
use crate::str::{
    MAX_SIZE, in_str_ex, is_empty_str, parse_token_without_null_str, start_with, str_cmpi, str_cpy, to_int, trim,
};

/// A language (C: `LANGLIST`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lang {
    /// Its number.
    pub id: u32,
    /// Its name: `en`; the messages are in `strtable_en.stb`.
    pub name: Vec<u8>,
    /// What it is called in English, in UTF-8.
    pub title_english: Vec<u8>,
    /// What it calls itself, in UTF-8.
    pub title_local: Vec<u8>,
    /// Its numbers in Windows.
    pub lcids: Vec<u32>,
    /// Its names in an environment's `LANG`.
    pub locales: Vec<Vec<u8>>,
}

/// The languages of a list; a line that is none is left out (C: `LoadLangList`, Mayaqua/Table.c).
#[must_use]
pub fn load_lang_list(text: &[u8]) -> Vec<Lang> {
    lines(text).map(trim).filter(|line| !start_with(line, b"#")).filter_map(parse).collect()
}

fn parse(line: &[u8]) -> Option<Lang> {
    let tokens: Vec<&[u8]> = parse_token_without_null_str(line, b"\t ").collect();
    let [id, name, english, local, lcids, locales] = tokens[..] else { return None };
    let title = |token: &[u8]| token.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
    let mut numbers = Vec::new();
    for lcid in parse_token_without_null_str(lcids, b",").map(to_int) {
        if !numbers.contains(&lcid) {
            numbers.push(lcid);
        }
    }
    Some(Lang {
        id: to_int(id),
        name: name.to_vec(),
        title_english: title(english),
        title_local: title(local),
        lcids: numbers,
        locales: parse_token_without_null_str(locales, b",").map(<[u8]>::to_vec).collect(),
    })
}

/// Whether one begins with the other.
fn overlap(a: &[u8], b: &[u8]) -> bool {
    start_with(a, b) || start_with(b, a)
}

/// The language of that name, or the first of which it is a beginning or the other way round (C: `GetBestLangByName`,
/// Mayaqua/Table.c).
#[must_use]
pub fn best_lang_by_name<'a>(langs: &'a [Lang], name: &[u8]) -> Option<&'a Lang> {
    let exact = langs.iter().find(|lang| str_cmpi(&lang.name, name).is_eq());
    exact.or_else(|| langs.iter().find(|lang| overlap(&lang.name, name)))
}

/// The language of an environment's `LANG`, by the same rule, else English (C: `GetBestLangByLangStr`, and, with `C` where
/// there is no `LANG`, `GetBestLangForCurrentEnvironment`, Mayaqua/Table.c).
#[must_use]
pub fn best_lang_by_lang_str<'a>(langs: &'a [Lang], lang: Option<&[u8]>) -> Option<&'a Lang> {
    let lang = lang.unwrap_or(b"C");
    let find =
        |fits: &dyn Fn(&[u8]) -> bool| langs.iter().find(|known| known.locales.iter().any(|locale| fits(locale)));
    let exact = find(&|locale| str_cmpi(locale, lang).is_eq());
    exact.or_else(|| find(&|locale| overlap(lang, locale))).or_else(|| best_lang_by_name(langs, b"en"))
}

/// The language's name that the text of a `lang.config` sets: its last line that is no comment (C: `LoadLangConfig` and
/// `LoadLangConfigCurrentDir`, Mayaqua/Table.c).
#[must_use]
pub fn load_lang_config(text: &[u8]) -> Option<Vec<u8>> {
    let comment = |line: &[u8]| [&b"#"[..], b"//", b";"].iter().any(|mark| start_with(line, mark));
    let names =
        lines(text).map(trim).filter(|line| !is_empty_str(line) && !comment(line) && !in_str_ex(line, b"#", false));
    names.last().map(|name| str_cpy(MAX_SIZE, name).to_vec())
}

/// The text of a `lang.config`: the template, the languages, and the choice (C: `SaveLangConfig` and
/// `SaveLangConfigCurrentDir`, Mayaqua/Table.c).
#[must_use]
pub fn save_lang_config(template: &[u8], langs: &[Lang], name: &[u8]) -> Vec<u8> {
    let mut text = [template, b"# Available Language IDs are:\r\n"].concat();
    for lang in langs {
        text.extend([&b"#  "[..], &lang.name, b": ", &lang.title_english, b" (", &lang.title_local, b")\r\n"].concat());
    }
    text.extend([&b"\r\n\r\n# Specify a Language ID here.\r\n"[..], name, b"\r\n\r\n"].concat());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\u{feff}# a list\r\n\
        0 ja Japanese 日本語 1041 ja,jp,sjis\n\
        1\ten  English English 1033,1033,9 en,us,c\r\n\
        5 of words only four\n\
        6 pt_br Portuguese-Brazil Português-Brasil 1046 pt_br\n\
        2 cn Simplified_Chinese 简体中文 2052 cn,hkg";

    fn langs() -> Vec<Lang> {
        load_lang_list(LIST.as_bytes())
    }

    fn name(lang: Option<&Lang>) -> &str {
        lang.map_or("", |lang| std::str::from_utf8(&lang.name).expect("a name"))
    }

    #[test]
    fn the_list() {
        let langs = langs();
        assert_eq!(langs.iter().map(|lang| name(Some(lang))).collect::<Vec<_>>(), ["ja", "en", "pt_br", "cn"]);
        assert_eq!((langs[1].id, &langs[1].lcids[..], langs[1].locales.len()), (1, &[1033, 9][..], 3));
        assert_eq!(
            (&langs[3].title_english[..], &langs[3].title_local[..]),
            (&b"Simplified Chinese"[..], "简体中文".as_bytes())
        );
        assert_eq!(load_lang_list(b""), []);
    }

    #[test]
    fn the_best() {
        let langs = langs();
        for (asked, best) in [("EN", "en"), ("pt", "pt_br"), ("ja_JP", "ja"), ("ko", ""), ("", "")] {
            assert_eq!(name(best_lang_by_name(&langs, asked.as_bytes())), best, "{asked}");
        }
        let cases =
            [("C", "en"), ("ja_JP.UTF-8", "ja"), ("US", "en"), ("h", "cn"), ("xx_YY", "en"), ("pt_BR.utf8", "pt_br")];
        for (asked, best) in cases {
            assert_eq!(name(best_lang_by_lang_str(&langs, Some(asked.as_bytes()))), best, "{asked}");
        }
        assert_eq!(name(best_lang_by_lang_str(&langs, None)), "en");
        assert_eq!(best_lang_by_lang_str(&[], None), None);
    }

    #[test]
    fn the_choice_is_kept() {
        let text = save_lang_config(b"# Language\r\n", &langs(), b"ja");
        assert_eq!(load_lang_config(&text).as_deref(), Some(&b"ja"[..]));
        assert!(String::from_utf8_lossy(&text).contains("#  cn: Simplified Chinese (简体中文)\r\n"));
        assert_eq!(load_lang_config(b"en\n ; ja\n // ja\nja # no\n\n  ru \r\n #cn").as_deref(), Some(&b"ru"[..]));
        assert_eq!(load_lang_config(b"# nothing"), None);
        assert_eq!(load_lang_config(&[b'a'; 1000]).map(|name| name.len()), Some(MAX_SIZE - 1));
    }
}
