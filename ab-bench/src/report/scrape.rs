//! One scrape of a client's metrics: the OpenMetrics (or Prometheus) text form, as far as counters, gauges and histograms
//! need it. Lines of other metrics are read, and lines that are none are an error.
//!
//! The clients' own exporter writes one form of it: `name{label="value"} number`. Timestamps and exemplars behind the number
//! are allowed and ignored.

use std::collections::BTreeMap;

/// The samples of one scrape: by name, each with its labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scrape {
    samples: BTreeMap<String, Vec<(Labels, f64)>>,
}

/// The labels of a sample.
pub type Labels = BTreeMap<String, String>;

impl Scrape {
    /// Reads the text.
    ///
    /// # Errors
    /// The number of the first line that is no sample, from 1, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scrape = Self::default();
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, labels, value) = sample(line).ok_or_else(|| format!("line {number} is no sample: {line}"))?;
            scrape.samples.entry(name.to_owned()).or_default().push((labels, value));
        }
        Ok(scrape)
    }

    /// The samples of a metric.
    pub fn all(&self, name: &str) -> impl Iterator<Item = (&Labels, f64)> {
        self.samples.get(name).into_iter().flatten().map(|(labels, value)| (labels, *value))
    }

    /// The sample of a metric with these labels, and perhaps others.
    #[must_use]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it = |of: &Labels| labels.iter().all(|(name, value)| of.get(*name).is_some_and(|of| of == value));
        self.all(name).find(|(of, _)| is_it(of)).map(|(_, value)| value)
    }

    /// The sum of a metric's samples; `None` if there are none.
    #[must_use]
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.samples.get(name).map(|samples| samples.iter().map(|(_, value)| value).sum())
    }
}

fn sample(line: &str) -> Option<(&str, Labels, f64)> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if let Some(behind) = rest.strip_prefix('}') {
                rest = behind;
                break;
            }
            let (label, behind) = rest.split_once("=\"")?;
            let (value, behind) = quoted(behind)?;
            labels.insert(label.trim().to_owned(), value);
            rest = behind;
        }
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty()).then_some((name, labels, value))
}

/// The value of a label up to its closing quote, and what is behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# HELP cutover_calls Calls\n# TYPE cutover_calls counter\n\
            cutover_calls_total{swap=\"new_block\",side=\"c\"} 12\n\
            cutover_calls_total{swap=\"a\\\"}\\n\\\\,b\",side=\"rust\", } 3e2 1700000000 # {} 1\n\
            cutover_call_seconds_bucket{le=\"+Inf\"} 7\ncutover_reconnects_total 2\nnan NaN\n# EOF\n";
        let scrape = Scrape::parse(text).unwrap();
        assert_eq!(scrape.get("cutover_calls_total", &[("swap", "new_block")]), Some(12.0));
        assert_eq!(scrape.get("cutover_calls_total", &[("swap", "a\"}\n\\,b"), ("side", "rust")]), Some(300.0));
        assert_eq!(scrape.get("cutover_calls_total", &[("swap", "new_block"), ("side", "rust")]), None);
        assert_eq!(scrape.sum("cutover_calls_total"), Some(312.0));
        assert_eq!(scrape.get("cutover_call_seconds_bucket", &[("le", "+Inf")]), Some(7.0));
        assert_eq!(scrape.sum("cutover_reconnects_total"), Some(2.0));
        assert_eq!(scrape.sum("nothing"), None);
    }

    #[test]
    fn what_is_no_sample_is_named_with_its_line() {
        for (text, line) in [
            ("a 1\nb", 2),
            ("a{b=\"c\" 1", 1),
            ("a{b=\"c\"}", 1),
            ("a{b=\"c} 1", 1),
            ("a one", 1),
            ("<html>\n", 1),
            ("{a=\"b\"} 1", 1),
        ] {
            let error = Scrape::parse(text).unwrap_err();
            assert!(error.starts_with(&format!("line {line} ")), "{text}: {error}");
        }
    }
}
