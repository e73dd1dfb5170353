//! What criterion leaves behind: one directory per row, with its name and its estimates as JSON.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::bench_and_side;
use crate::ab::schema::MicroRow;
use crate::stats::Estimate;

/// Where criterion is told to write.
pub(super) fn home(dir: &Path) -> PathBuf {
    dir.join("criterion")
}

#[derive(Deserialize)]
struct Name {
    full_id: String,
}

#[derive(Deserialize)]
struct Estimates {
    mean: Figure,
    /// Absent if each sample is of the same number of iterations.
    slope: Option<Figure>,
}

#[derive(Deserialize)]
struct Figure {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// All rows of the swaps, by name.
pub(super) fn read(dir: &Path) -> io::Result<Vec<MicroRow>> {
    let mut rows = Vec::new();
    for group in std::fs::read_dir(home(dir))? {
        let Ok(sides) = std::fs::read_dir(group?.path()) else { continue };
        for side in sides {
            rows.extend(row(&side?.path().join("new"))?);
        }
    }
    rows.sort_by(|a, b| (&a.bench, &a.side).cmp(&(&b.bench, &b.side)));
    Ok(rows)
}

/// The row in a directory, if it holds one of a swap.
fn row(dir: &Path) -> io::Result<Option<MicroRow>> {
    let Ok(name) = std::fs::read(dir.join("benchmark.json")) else { return Ok(None) };
    let name: Name = serde_json::from_slice(&name)?;
    let Some((bench, side)) = bench_and_side(&name.full_id) else { return Ok(None) };
    let estimates: Estimates = serde_json::from_slice(&std::fs::read(dir.join("estimates.json"))?)?;
    let typical = estimates.slope.unwrap_or(estimates.mean);
    Ok(Some(MicroRow {
        bench: bench.to_owned(),
        swap: bench.split('/').next().unwrap_or(bench).to_owned(),
        side: side.to_owned(),
        ns: Estimate {
            value: typical.point_estimate,
            low: typical.confidence_interval.lower_bound,
            high: typical.confidence_interval.upper_bound,
        },
        instructions: None,
        allocations: None,
    }))
}
