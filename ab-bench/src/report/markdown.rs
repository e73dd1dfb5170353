//! report.md: what fits into a pull request's description.

use std::fmt::Write;

use super::date::date;
use super::rows::Row;
use super::table::cells;
use super::words::{noise_sentence, per_cent, sentence, warnings};
use crate::ab::schema::{Metric, Report};

/// The whole file.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let names: Vec<&str> = report.contestants.iter().map(|contestant| &contestant.name[..]).collect();
    let host = &report.host;
    let mut text = format!("# Cutover A/B: {}\n\n", names.join(", "));
    let _ = writeln!(
        text,
        "{}, {} × {}, Linux {}, commit {}. Baseline: `{}`.\n",
        date(report.started_unix_s),
        host.cpus,
        host.cpu,
        host.kernel,
        if host.git_commit.is_empty() { "unknown" } else { &host.git_commit },
        report.baseline
    );
    for warning in warnings(report) {
        let _ = writeln!(text, "- **{}**", escaped(&warning));
    }
    text.push_str("\n## Verdicts\n\n");
    for row in report.rows.iter().filter(|row| !row.is_noise()) {
        let _ = writeln!(text, "- {}", escaped(&sentence(report, row)));
    }
    if let Some(noise) = noise_sentence(report) {
        let _ = writeln!(text, "\n{}", escaped(&noise));
    }
    text.push_str("\n## Rows\n");
    for (rig, setting) in report.places() {
        let _ = writeln!(text, "\n### {} · {}\n", rig.name(), escaped(&setting));
        text.push_str("| metric | way | who | median | baseline | ratio | 95 % | p | verdict | of the limit |\n");
        text.push_str("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |\n");
        for row in report.rows.iter().filter(|row| row.rig == rig && row.setting == setting) {
            let _ = writeln!(text, "{}", line(report, row));
        }
    }
    limits(report, &mut text);
    if !report.command.is_empty() {
        let _ = writeln!(text, "\n## Repeat it\n\n    {}", report.command.join(" "));
    }
    text
}

fn line(report: &Report, row: &Row) -> String {
    let mut cells = cells(row);
    cells.push(report.reached(row).map_or_else(|| "–".into(), |(_, share)| per_cent(share)));
    format!("| {} |", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "))
}

fn limits(report: &Report, text: &mut String) {
    let Some(calibration) = &report.calibration else {
        return;
    };
    text.push_str("\n## The physical limit\n\n");
    for limit in calibration.limits.iter().filter(|limit| limit.metric == Metric::CpuSPerGb) {
        let parts: Vec<String> = limit.parts.iter().map(|(name, part)| format!("{name} {part:.3}")).collect();
        let (rig, setting, way) = (limit.rig.name(), &limit.setting, limit.way.name());
        let _ = writeln!(text, "- {rig} {setting} {way}: {:.3} s/GB = {}", limit.value, escaped(&parts.join(" + ")));
    }
}

/// Text whose characters mean nothing to Markdown.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.replace(['\n', '\r'], " ").chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '|' | '#') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_no_markup() {
        assert_eq!(super::escaped("a|b <i>*c*\nd_e"), "a\\|b \\<i>\\*c\\* d\\_e");
    }
}
