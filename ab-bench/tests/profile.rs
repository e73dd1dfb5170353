//! Profiles of a process whose work is known. Needs root (perf samples the whole machine, strace attaches), `perf` and
//! `strace`.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use ab_bench::profile::{self, Flame, ProfileError};

/// A process that ends with the test.
struct Worker(Child);

impl Worker {
    /// Reads and writes one byte a call.
    fn start() -> Self {
        let mut command = Command::new("dd");
        command.args(["if=/dev/zero", "of=/dev/null", "bs=1"]).stdin(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn dir() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn stacks_hold_what_the_process_does_and_nothing_else() {
    let (worker, bystander) = (Worker::start(), Worker(Command::new("yes").stdout(Stdio::null()).spawn().unwrap()));
    let ((), folded) = profile::sample(worker.0.id(), dir(), || thread::sleep(Duration::from_secs(1))).unwrap();
    drop(bystander);
    let flame = Flame::of(&folded);
    assert!(flame.samples > 50.0, "{} samples", flame.samples);
    assert!(folded.lines().all(|line| line.starts_with("dd;")), "only the process that was asked for");
    assert!(folded.contains("read") && folded.contains("write"), "{folded}");
}

#[test]
fn a_process_that_sleeps_has_no_profile() {
    let sleeper = Worker(Command::new("sleep").arg("60").spawn().unwrap());
    let result = profile::sample(sleeper.0.id(), dir(), || thread::sleep(Duration::from_millis(300)));
    assert!(matches!(result, Err(ProfileError::Empty(_))), "{result:?}");
}

#[test]
fn system_calls_are_counted_by_name() {
    let worker = Worker::start();
    let ((), calls) = profile::count(worker.0.id(), dir(), || thread::sleep(Duration::from_millis(500))).unwrap();
    let of = |name: &str| calls.iter().find(|call| call.name == name).map_or(0, |call| call.calls);
    assert!(of("read") > 100 && of("read").abs_diff(of("write")) <= 1, "{calls:?}");
    assert_eq!(calls.iter().map(|call| call.errors).sum::<u64>(), 0);
}

#[test]
fn a_process_that_is_gone_is_said_to_be() {
    let mut worker = Worker::start();
    worker.0.kill().unwrap();
    worker.0.wait().unwrap();
    let error = profile::count(worker.0.id(), dir(), || ()).unwrap_err();
    assert!(error.to_string().contains("could not attach"), "{error}");
}
