//! Whether a session's frames go by UDP acceleration: seen from outside, so it is the same for every client.

use std::time::{Duration, Instant};

use super::{Client, Lab, LabError, Side};
use crate::frames::{Direction, FramePlan, FrameSizes};

/// How long UDP acceleration may take to be used: the C waits ten seconds for a path that stays.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Frames per look, and how many of them must have gone as datagrams.
const FRAMES: u32 = 100;
const FRAMES_BY_UDP: u64 = 90;

impl Lab {
    /// UDP datagrams that the server's side has received since the lab began. (Of those sent, the kernel counts a burst as one.)
    pub fn udp_datagrams(&self) -> Result<u64, LabError> {
        let failed = |source: std::io::Error| LabError::io("count the server's datagrams", source);
        // Of the thread, which is in the server's namespace: the process is in another.
        let text = self.within(Side::Server, || std::fs::read_to_string("/proc/thread-self/net/snmp"))?;
        let text = text.map_err(failed)?;
        let values = text.lines().filter_map(|line| line.strip_prefix("Udp: ")).nth(1);
        let received = values.and_then(|values| values.split(' ').next()?.parse().ok());
        received.ok_or_else(|| failed(std::io::Error::other("/proc/net/snmp is not as expected")))
    }

    /// Carries frames until they go by UDP.
    pub fn wait_for_udp(&self, client: &Client) -> Result<(), LabError> {
        let begun = Instant::now();
        loop {
            let before = self.udp_datagrams()?;
            // Short ones: the fused path sends by TCP what would not fit into a datagram.
            let sizes = FrameSizes::new(64, 512);
            let plan = FramePlan { window: 16, sizes, ..FramePlan::new(FRAMES, 9) };
            let report = self.carry_frames(client, Direction::Up, &plan)?;
            if self.udp_datagrams()? - before >= FRAMES_BY_UDP {
                return Ok(());
            }
            if begun.elapsed() >= PATIENCE {
                let detail = format!("; frames go by TCP: {report}");
                return Err(LabError::TimedOut { what: "the use of UDP acceleration".into(), after: PATIENCE, detail });
            }
            std::thread::sleep(LOOK);
        }
    }
}
