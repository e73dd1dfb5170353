//! A client's control, as an operator has it: `cutover swaps …`, and for thousands of switches the socket itself.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::{Lab, LabError, Side};

const LIMIT: Duration = Duration::from_secs(20);

/// What the switches under load go through. Effects are not shadowed, so the group that only computes is.
pub(super) const ALL_MODES: [&str; 4] = ["memory=shadow", "framing=rust", "memory=rust", "framing=c,memory=c"];

/// One client's control.
#[derive(Debug, Clone)]
pub struct Controls {
    folder: PathBuf,
    program: PathBuf,
}

impl Controls {
    pub(crate) fn new(folder: &Path, programs: &Path) -> Controls {
        Controls { folder: folder.to_owned(), program: programs.join("cutover-rust") }
    }

    /// Runs `cutover swaps` with these words; its output, or an error that quotes it.
    pub fn swaps(&self, lab: &Lab, words: &[&str]) -> Result<String, LabError> {
        let runtime = format!("CUTOVER_RUNTIME_DIR={}", self.folder.join("run").display());
        let program = self.program.display().to_string();
        let mut argv = vec!["env", &runtime, &program, "swaps"];
        argv.extend(words);
        let output = lab.run_ok(Side::Client, &argv, LIMIT)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Begins a plan.
    pub fn plan(&self, lab: &Lab, text: &str) -> Result<(), LabError> {
        let file = self.folder.join("plan.toml");
        std::fs::write(&file, text).map_err(|source| LabError::io(format!("write {}", file.display()), source))?;
        self.swaps(lab, &["plan", &file.display().to_string()]).map(drop)
    }

    /// The plan's state and its step.
    pub fn plan_state(&self, lab: &Lab) -> Result<(String, u64), LabError> {
        let plan = &self.table(lab)?["plan"];
        Ok((plan["state"].as_str().unwrap_or_default().to_owned(), plan["step"].as_u64().unwrap_or(0)))
    }

    /// The table, as JSON.
    pub fn table(&self, lab: &Lab) -> Result<Value, LabError> {
        let text = self.swaps(lab, &["--json"])?;
        serde_json::from_str(&text).map_err(|error| LabError::io("read the table", std::io::Error::other(error)))
    }

    /// One swap's row.
    pub fn row(&self, lab: &Lab, name: &str) -> Result<Value, LabError> {
        let table = self.table(lab)?;
        Ok(table["swaps"].as_array().into_iter().flatten().find(|row| row["name"] == name).cloned().unwrap_or_default())
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> String {
        std::fs::read_to_string(self.folder.join("state/lab.audit.jsonl")).unwrap_or_default()
    }

    /// Switches modes so often over one connection, going through `modes`; how long that took, and the longest one in milliseconds.
    pub fn switch(&self, lab: &Lab, modes: &[&str], count: u32) -> Result<(f64, f64), LabError> {
        let socket = self.folder.join("run/lab.sock");
        let failed = |source| LabError::io(format!("switch modes at {}", socket.display()), source);
        let stream = lab.within(Side::Client, || UnixStream::connect(&socket))?.map_err(failed)?;
        stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
        let mut answers = BufReader::new(&stream);
        let (begun, mut longest, mut answer) = (Instant::now(), Duration::ZERO, String::new());
        for modes in modes.iter().cycle().take(usize::try_from(count).unwrap_or(usize::MAX)) {
            let asked = Instant::now();
            (&stream)
                .write_all(format!("{{\"v\":1,\"do\":\"swaps.set\",\"modes\":\"{modes}\"}}\n").as_bytes())
                .map_err(failed)?;
            answer.clear();
            answers.read_line(&mut answer).map_err(failed)?;
            if !answer.contains("\"ok\"") {
                return Err(failed(std::io::Error::other(answer)));
            }
            longest = longest.max(asked.elapsed());
        }
        Ok((begun.elapsed().as_secs_f64(), longest.as_secs_f64() * 1e3))
    }
}
