//! A date from seconds since 1970, for people; in UTC, because a report travels.

use std::time::{Duration, UNIX_EPOCH};

/// `2026-11-20 15:04 UTC`; a time after the year 9999 is the last minute of it.
#[must_use]
pub fn date(unix_s: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(unix_s.min(LAST))).to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", time.get(..5).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_date_1() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_795_184_976), "2026-11-20 14:29 UTC");
        assert_eq!(date(4_102_444_799), "2099-12-31 23:59 UTC");
        assert_eq!(date(u64::MAX), "9999-12-31 23:59 UTC");
    }
}
