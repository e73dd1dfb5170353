//! Profiles of clients in a lab of their own: each connects, carries inner TCP up and down, and is looked at meanwhile.
//! Nothing of this is timed.

use std::path::Path;
use std::time::Duration;

use super::{ProfileError, Syscall, by_work, count, flamegraph_svg, prune, sample};
use crate::ab::schema::{Profile, ProfileKind, Rig, Way};
use crate::lab::{Client, ClientSpec, Lab, LabError, LabOptions, ServerKind, Side};

/// Seconds of one look.
const SECONDS: u32 = 4;
/// Stacks with a smaller share of all samples are cut short: they would be thinner than a pixel.
const SHARE_MIN: f64 = 0.002;

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Stacks, as flamegraphs.
    pub stacks: bool,
    /// System calls, by name.
    pub syscalls: bool,
}

/// Whom to look at; the first one is what the others are held against.
#[derive(Debug, Clone)]
pub struct Subject {
    /// As in the report.
    pub name: String,
    /// The client.
    pub spec: ClientSpec,
}

/// What was seen, and what could not be.
#[derive(Debug, Default)]
pub struct Profiles {
    /// For the report.
    pub profiles: Vec<Profile>,
    /// One line per failure; the others went on.
    pub failures: Vec<String>,
}

/// Looks at all subjects, each way. Flamegraphs to zoom in are written into `dir`.
pub fn run(server: ServerKind, rig: Rig, subjects: &[Subject], want: Want, dir: &Path) -> Result<Profiles, LabError> {
    let lab = Lab::start(&LabOptions { server, server_dir: None })?;
    let mut look = Look { lab: &lab, rig, dir, profiles: Profiles::default() };
    for subject in subjects {
        eprintln!("looking at {} while it carries traffic (not timed)", subject.name);
        if let Err(reason) = look.subject(subject, want) {
            look.profiles.failures.push(format!("{}: {reason}", subject.name));
        }
    }
    if let (true, Some((first, others))) = (want.stacks, subjects.split_first()) {
        others.iter().for_each(|other| look.difference(&first.name, &other.name));
    }
    Ok(look.profiles)
}

struct Look<'a> {
    lab: &'a Lab,
    rig: Rig,
    dir: &'a Path,
    profiles: Profiles,
}

/// Why a subject has no profile.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error("iperf3 carried nothing: {0}")]
    Traffic(String),
}

fn pid(client: &Client) -> u32 {
    u32::try_from(client.worker().as_raw()).unwrap_or_default()
}

impl Look<'_> {
    fn subject(&mut self, subject: &Subject, want: Want) -> Result<(), LookError> {
        let client = self.lab.start_client(&subject.spec)?;
        for way in [Way::Up, Way::Down] {
            let looks = [
                want.stacks.then(|| self.stacks(&client, subject, way)),
                want.syscalls.then(|| self.syscalls(&client, subject, way)),
            ];
            // Who has no perf may have strace.
            for reason in looks.into_iter().flatten().filter_map(Result::err) {
                self.profiles.failures.push(format!("{} {}: {reason}", subject.name, way.name()));
            }
        }
        Client::stop(client)?;
        Ok(())
    }

    fn stacks(&mut self, client: &Client, subject: &Subject, way: Way) -> Result<(), LookError> {
        let (bytes, folded) = sample(pid(client), self.lab.dir(), || self.traffic(client, way))?;
        let path = self.write(&format!("flame-{}-{}.svg", subject.name, way.name()), &folded, None);
        let folded = prune(&folded, SHARE_MIN);
        self.note(subject, way, ProfileKind::Flamegraph, bytes?, path, Some(folded), Vec::new());
        Ok(())
    }

    fn syscalls(&mut self, client: &Client, subject: &Subject, way: Way) -> Result<(), LookError> {
        let (bytes, calls) = count(pid(client), self.lab.dir(), || self.traffic(client, way))?;
        self.note(subject, way, ProfileKind::Syscalls, bytes?, None, None, calls);
        Ok(())
    }

    /// One stream of inner TCP; the bytes that arrived.
    fn traffic(&self, client: &Client, way: Way) -> Result<f64, LookError> {
        let (target, seconds) = (client.far_address().to_string(), SECONDS.to_string());
        let mut argv = vec!["iperf3", "--json", "--client", &target, "--time", &seconds];
        if way == Way::Down {
            argv.push("--reverse");
        }
        let _server = self.lab.serve_iperf()?;
        let output = self.lab.run(Side::Client, &argv, Duration::from_secs(u64::from(SECONDS) + 10))?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let bytes =
            said.pointer("/end/sum_received/bytes").and_then(serde_json::Value::as_f64).filter(|bytes| *bytes > 0.0);
        bytes.ok_or_else(|| LookError::Traffic(said["error"].as_str().unwrap_or("its output is no JSON").to_owned()))
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of a profile")]
    fn note(
        &mut self,
        subject: &Subject,
        way: Way,
        kind: ProfileKind,
        bytes: f64,
        path: Option<String>,
        inline: Option<String>,
        syscalls: Vec<Syscall>,
    ) {
        let contestant = subject.name.clone();
        self.profiles.profiles.push(Profile { kind, contestant, rig: self.rig, way, bytes, path, inline, syscalls });
    }

    /// The flamegraph of what differs, by the work that both do; each way that both have.
    fn difference(&mut self, before: &str, after: &str) {
        for way in [Way::Up, Way::Down] {
            let of = |name: &str| {
                let is_it =
                    |profile: &&Profile| profile.contestant == name && profile.way == way && profile.inline.is_some();
                self.profiles.profiles.iter().find(is_it).cloned()
            };
            if let (Some(before), Some(after)) = (of(before), of(after)) {
                let name = format!("flame-{}-minus-{}-{}.svg", after.contestant, before.contestant, way.name());
                let [before, after_work] =
                    [&before, &after].map(|one| by_work(one.inline.as_deref().unwrap_or_default()));
                let path = self.write(&name, &after_work, Some(&before));
                self.profiles.profiles.push(Profile { kind: ProfileKind::Difference, inline: None, path, ..after });
            }
        }
    }

    /// Writes a picture and returns its name; a picture that cannot be made is a failure, not an end.
    fn write(&mut self, name: &str, folded: &str, before: Option<&str>) -> Option<String> {
        let title = name.trim_end_matches(".svg").replace('-', " ");
        let written = flamegraph_svg(&title, folded, before).and_then(|svg| {
            std::fs::write(self.dir.join(name), svg)
                .map_err(|source| ProfileError::Io { what: "write a flamegraph", source })
        });
        match written {
            Ok(()) => Some(name.to_owned()),
            Err(error) => {
                self.profiles.failures.push(format!("{name}: {error}"));
                None
            }
        }
    }
}
