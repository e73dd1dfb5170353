//! The headlines as a table for the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::rows::Row;
use super::words::{HEADLINES, figure, no_ratio, per_cent, verdict, who};
use crate::ab::schema::Report;

/// A terminal's table has about so many lines at most.
const LINES_MAX: usize = 60;
/// What is left of the headlines where they would be more.
const FEW: usize = 4;

/// The headline rows; of a large report the first headlines without the noise. All there is, is in report.html.
#[must_use]
pub fn table(report: &Report) -> String {
    let places = report.places();
    let has_limits = report.calibration.as_ref().is_some_and(|calibration| !calibration.limits.is_empty());
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    let mut header = vec!["metric", "way", "who", "median", "baseline", "ratio", "95 % interval", "p", "verdict"];
    if places.len() > 1 {
        header.insert(0, "where");
    }
    if has_limits {
        header.push("of the limit");
    }
    let right = header.iter().position(|title| *title == "median").unwrap_or(0);
    table.set_header(header);
    let headline = |row: &&Row| HEADLINES.contains(&row.metric) && row.is_of_a_way();
    let is_large = report.rows.iter().filter(headline).count() > LINES_MAX;
    let shown = |row: &&Row| !is_large || (HEADLINES[..FEW].contains(&row.metric) && !row.is_noise());
    for row in report.rows.iter().filter(headline).filter(shown) {
        let mut cells = cells(row);
        if places.len() > 1 {
            cells.insert(0, format!("{} {}", row.rig.name(), row.setting));
        }
        if has_limits {
            cells.push(report.reached(row).map_or_else(|| "–".into(), |(_, share)| per_cent(share)));
        }
        table.add_row(cells);
    }
    for column in right..right + 5 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// From the metric to the verdict.
pub(super) fn cells(row: &Row) -> Vec<String> {
    let (ratio, interval) = match row.ratio {
        Some(ratio) => (figure(ratio.value), format!("{} … {}", figure(ratio.low), figure(ratio.high))),
        None => (row.plain_ratio().map_or_else(|| "–".into(), figure), no_ratio(row)),
    };
    vec![
        row.metric.title(),
        row.way.name().replace("none", "–"),
        who(row),
        figure(row.median),
        figure(row.baseline_median),
        ratio,
        interval,
        row.wilcoxon_p.map_or_else(|| "–".into(), |p| format!("{p:.3}")),
        verdict(row).to_owned(),
    ]
}
