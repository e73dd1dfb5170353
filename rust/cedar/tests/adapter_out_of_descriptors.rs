//! RELIABILITY F5: no descriptor left. Alone in its file, because the limit is the process's. Needs root.

mod adapter_common;

use adapter_common::netns;
use cedar::adapter::linux::{Interface, InterfaceConfig, InterfaceError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn without_descriptors_the_error_says_so_and_nothing_is_left_behind() {
    netns::within(|| {
        let limit = getrlimit(Resource::Nofile);
        let free = std::fs::File::open("/dev/null").unwrap();
        let used = u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&free)).unwrap();
        drop(free);
        // One descriptor more each time: the failure wanders through every step of opening.
        let mut failures = 0;
        for room in 0..8 {
            setrlimit(Resource::Nofile, Rlimit { current: Some(used + room), ..limit }).unwrap();
            let opened =
                Interface::open(InterfaceConfig::new("vpn_test")).and_then(|mut interface| interface.adapter());
            setrlimit(Resource::Nofile, limit).unwrap();
            match opened {
                Ok(_) => break,
                Err(InterfaceError::OutOfDescriptors { .. }) => failures += 1,
                Err(other) => panic!("{other}"),
            }
            assert!(!netns::ip("link").contains("vpn_test"), "left behind with {room} descriptors");
        }
        assert!((3..8).contains(&failures), "{failures} failures");
    });
}
