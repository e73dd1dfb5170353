//! The state file: what a restart must know. One line of JSON and one with its CRC-32; replaced by renaming, so that a
//! power cut leaves the old one or the new one; whatever else is found counts as damaged.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file's `schema_version`; another one counts as damaged, which is the safe side.
const SCHEMA_VERSION: u32 = 1;

/// A state of a few hundred swaps and a plan; what is larger is some other file.
const STATE_BYTES_MAX: u64 = 1 << 20;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub schema_version: u32,
    /// The build that wrote it; demotions and a plan's stage are of this build.
    pub build_id: String,
    /// The boot of the machine in which it was written.
    pub boot_id: String,
    /// Whether the process ended as it was asked to.
    pub ended: bool,
    /// What people and plans have set, by swap.
    pub modes: BTreeMap<String, Kept>,
    /// Why swaps were demoted.
    pub demotions: BTreeMap<String, String>,
    /// The plan, and how far it has come.
    pub plan: Option<KeptPlan>,
}

/// A mode that was set, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// `c`, `shadow@1%`, …
    pub mode: String,
    pub why: String,
}

/// A plan in motion, or one that came to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptPlan {
    pub text: String,
    pub step: usize,
    pub stage: usize,
    /// Why it stands still for good, if it does.
    pub stopped: Option<String>,
    /// CPU seconds per GB in the step's stage `c`.
    pub c_cpu_per_gb: Option<f64>,
}

/// What a look for the file found.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing: the first start.
    Nothing,
    State(State),
    /// It cannot be trusted.
    Damaged(String),
}

impl State {
    /// Reads the file.
    pub fn read(path: &Path) -> Found {
        let mut bytes = Vec::new();
        match File::open(path).and_then(|file| file.take(STATE_BYTES_MAX).read_to_end(&mut bytes)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
            Err(error) => Found::Damaged(format!("it cannot be read: {error}")),
            Ok(_) => State::decode(&bytes).map_or_else(|why| Found::Damaged(why.to_owned()), Found::State),
        }
    }

    fn decode(bytes: &[u8]) -> Result<State, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let lines = text.strip_suffix('\n').and_then(|text| text.split_once('\n'));
        let (json, sum) = lines.ok_or("it was cut short")?;
        if sum != checksum(json) {
            return Err("its checksum is wrong");
        }
        let state: State = serde_json::from_str(json).map_err(|_| "it is of another form")?;
        if state.schema_version != SCHEMA_VERSION { Err("it is of another version") } else { Ok(state) }
    }

    /// Replaces the file, and has it on the disk when this returns.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let json = serde_json::to_string(&State { schema_version: SCHEMA_VERSION, ..self.clone() })?;
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(format!("{json}\n{}\n", checksum(&json)).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        // The name is on the disk when the folder is.
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

fn checksum(json: &str) -> String {
    format!("{:08x}", crc32fast::hash(json.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> State {
        State {
            schema_version: SCHEMA_VERSION,
            build_id: "b1".into(),
            boot_id: "boot".into(),
            ended: true,
            modes: [("new_block".into(), Kept { mode: "shadow@1%".into(), why: "stage 1".into() })].into(),
            demotions: [("read_fifo".into(), "mismatch: \"x\"\nä".into())].into(),
            plan: Some(KeptPlan {
                text: "name = \"p\"\n".into(),
                step: 1,
                stage: 2,
                stopped: None,
                c_cpu_per_gb: Some(3.25),
            }),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.state");
        assert!(matches!(State::read(&path), Found::Nothing));
        for state in [State { schema_version: SCHEMA_VERSION, ..State::default() }, full()] {
            state.write(&path).unwrap();
            let Found::State(read) = State::read(&path) else { panic!("{:?}", State::read(&path)) };
            assert_eq!(read, state);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    /// Every prefix, and every bit turned over: found, never read as something else.
    #[test]
    fn a_file_that_was_cut_or_changed_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.state");
        full().write(&path).unwrap();
        let good = fs::read(&path).unwrap();
        for length in 0..good.len() {
            assert!(State::decode(&good[..length]).is_err(), "{length} bytes");
        }
        for (place, bit) in (0..good.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut bad = good.clone();
            bad[place] ^= 1 << bit;
            assert!(State::decode(&bad).is_err(), "byte {place}, bit {bit}");
        }
        fs::write(&path, &good[..good.len() / 2]).unwrap();
        assert!(matches!(State::read(&path), Found::Damaged(_)));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(State::read(&path), Found::Damaged(_)), "a folder in its place");
    }

    /// The power goes at any moment of the second write: what is read is the first state or the second.
    #[test]
    fn a_power_cut_between_two_writes_leaves_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("office.state");
        let (first, second) = (State { build_id: "first".into(), ..full() }, full());
        second.write(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        first.write(&path).unwrap();
        for length in 0..=whole.len() {
            fs::write(path.with_extension("new"), &whole[..length]).unwrap();
            let Found::State(read) = State::read(&path) else { panic!("{length} bytes of the new one") };
            assert_eq!(read, first);
        }
        second.write(&path).unwrap();
        assert!(matches!(State::read(&path), Found::State(read) if read == second));
    }
}
