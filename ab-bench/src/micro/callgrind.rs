//! Counting with callgrind: it collects inside one function only and dumps a part each time that function returns.
//!
//! Calls are counted since the part before, collected or not. So the bench enters the function twice per row, once to
//! warm up, and the second part holds that row's work and nothing else.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::bench_and_side;

const FUNCTION: &str = "cutover_count_row";
/// libc's ways to the heap; none of them calls another.
const ALLOCATORS: [&str; 6] = ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "memalign"];

/// What one row does per call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counts {
    pub bench: String,
    pub side: String,
    pub instructions: f64,
    pub allocations: f64,
}

/// Counts the rows of the swaps whose name contains `only`.
pub(super) fn count(bench: &Path, dir: &Path, times: u32, only: &str) -> io::Result<Vec<Counts>> {
    let parts = dir.join("callgrind");
    let _ = std::fs::remove_dir_all(&parts);
    std::fs::create_dir_all(&parts)?;
    let part = |number: usize| -> PathBuf { parts.join(format!("part.{number}")) };
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", &format!("--toggle-collect={FUNCTION}"), &format!("--dump-after={FUNCTION}")]);
    command.arg(format!("--callgrind-out-file={}", parts.join("part").display())).arg(bench);
    command.env("CUTOVER_COUNT", times.to_string()).env("CUTOVER_COUNT_ONLY", only).stdin(Stdio::null());
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::other("`valgrind` is missing: install it with `apt install valgrind`"),
        _ => error,
    })?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
        return Err(io::Error::other(format!("callgrind failed: {reason}")));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let names = printed.lines().filter_map(|line| bench_and_side(line.strip_prefix("row ")?));
    let counts = names.enumerate().map(|(index, (bench, side))| {
        let text = std::fs::read_to_string(part(2 * index + 2))?;
        let (instructions, allocations) = parse(&text).ok_or_else(|| io::Error::other("a part has no totals"))?;
        let per_call = |count: u64| count as f64 / f64::from(times);
        Ok(Counts {
            bench: bench.to_owned(),
            side: side.to_owned(),
            instructions: per_call(instructions),
            allocations: per_call(allocations),
        })
    });
    let counts = counts.collect();
    let _ = std::fs::remove_dir_all(&parts);
    counts
}

/// Instructions and allocations of a part. Names are written once, `(12) malloc`, and referred to as `(12)` from then on.
fn parse(part: &str) -> Option<(u64, u64)> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let (mut totals, mut allocations, mut callee) = (None, 0, None);
    for line in part.lines() {
        if let Some(total) = line.strip_prefix("totals: ") {
            totals = total.trim().parse().ok();
        } else if let Some(name) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            let (id, name) = name.split_once(' ').unwrap_or((name, ""));
            if !name.is_empty() {
                names.insert(id, name);
            }
            callee = line.starts_with('c').then_some(id);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let name = callee.and_then(|id| names.get(id)).copied().unwrap_or_default();
            if ALLOCATORS.contains(&name) {
                allocations += calls.split(' ').next()?.parse::<u64>().ok()?;
            }
        }
    }
    Some((totals?, allocations))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_summed() {
        let part = "part: 2\nfn=(1) cutover_count_row\n12 40\ncfi=(3) malloc.c\ncfn=(2) malloc\ncalls=20 3281\n12 900\n\
                    fn=(4) NewBlock\n7 3\ncfn=(2)\ncalls=5 3281\n7 3\ncfn=(5) free\ncalls=9 1\n7 1\ntotals: 31196\n";
        assert_eq!(parse(part), Some((31_196, 25)));
        assert_eq!(parse("part: 1\n"), None);
    }
}
