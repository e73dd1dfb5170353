//! One run of iperf3 and what its JSON says.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;

use super::schema::{Setting, Way};
use crate::lab::{Lab, LabError, Side};

/// What to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic<'a> {
    /// The server's address inside the tunnel.
    pub target: Ipv4Addr,
    pub way: Way,
    /// Rounded up to whole seconds.
    pub seconds: f64,
    /// Streams and payload.
    pub setting: &'a Setting,
    /// At most so many bits per second; absent: as fast as it goes.
    pub bits_per_s: Option<u64>,
}

/// What was carried, both ways together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transfer {
    pub bytes: u64,
    pub seconds: f64,
    /// Segments that the inner TCP sent again.
    pub retransmits: u64,
    /// The sender's inner congestion control.
    pub congestion_control: String,
}

/// Sends inner TCP through the tunnel for some seconds.
pub(super) fn run(lab: &Lab, traffic: Traffic<'_>) -> Result<Transfer, LabError> {
    let mut argv: Vec<String> = ["iperf3", "--json", "--client"].map(str::to_owned).to_vec();
    argv.push(traffic.target.to_string());
    let mut option = |name: &str, value: String| argv.extend([name.to_owned(), value]);
    // Whole seconds: of others iperf3 takes the whole part, and 0 is for ever.
    option("--time", traffic.seconds.max(1.0).ceil().to_string());
    if traffic.setting.streams > 1 {
        option("--parallel", traffic.setting.streams.to_string());
    }
    if let Some(bytes) = traffic.setting.payload_bytes {
        option("--length", bytes.to_string());
    }
    if let Some(bits) = traffic.bits_per_s {
        option("--bitrate", bits.to_string());
    }
    match traffic.way {
        Way::Down => argv.push("--reverse".into()),
        Way::Both => argv.push("--bidir".into()),
        Way::Up | Way::None => {}
    }
    // A server of its own for every run: between two tests iperf3's server closes its port for a moment, and with it
    // a connection that has come too early.
    let _server = lab.serve_iperf()?;
    let output = lab.run(Side::Client, &argv, Duration::from_secs_f64(traffic.seconds + 10.0))?;
    parse(&output.stdout).map_err(|reason| LabError::CommandFailed {
        command: argv.join(" "),
        status: output.status,
        output: reason,
    })
}

fn parse(json: &[u8]) -> Result<Transfer, String> {
    let value: Value = serde_json::from_slice(json).map_err(|error| format!("its output is no JSON: {error}"))?;
    if let Some(error) = value["error"].as_str() {
        return Err(error.to_owned());
    }
    let end = &value["end"];
    let missing = |what| format!("its output has no {what}");
    let received = &end["sum_received"];
    let bytes = received["bytes"].as_u64().ok_or_else(|| missing("end.sum_received.bytes"))?;
    // With traffic both ways there is a second pair of sums.
    let back = &end["sum_received_bidir_reverse"]["bytes"];
    let transfer = Transfer {
        bytes: bytes + back.as_u64().unwrap_or(0),
        seconds: received["seconds"].as_f64().ok_or_else(|| missing("end.sum_received.seconds"))?,
        retransmits: ["sum_sent", "sum_sent_bidir_reverse"]
            .iter()
            .filter_map(|sum| end[sum]["retransmits"].as_u64())
            .sum(),
        congestion_control: end["sender_tcp_congestion"].as_str().unwrap_or("unknown").to_owned(),
    };
    if bytes == 0 || transfer.seconds <= 0.0 || back.as_u64() == Some(0) {
        return Err("nothing was transferred".into());
    }
    Ok(transfer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let json = br#"{"end": {"sum_sent": {"retransmits": 3}, "sum_received": {"bytes": 1000, "seconds": 2.5},
            "sender_tcp_congestion": "cubic"}}"#;
        let expected = Transfer { bytes: 1000, seconds: 2.5, retransmits: 3, congestion_control: "cubic".into() };
        assert_eq!(parse(json), Ok(expected));
    }

    #[test]
    fn both_ways_are_summed() {
        let json = br#"{"end": {"sum_sent": {"retransmits": 3}, "sum_received": {"bytes": 1000, "seconds": 2.5},
            "sum_sent_bidir_reverse": {"retransmits": 4}, "sum_received_bidir_reverse": {"bytes": 500}}}"#;
        let transfer = parse(json).unwrap();
        assert_eq!((transfer.bytes, transfer.retransmits), (1500, 7));
    }

    #[test]
    fn errors_and_nonsense_are_errors() {
        assert_eq!(parse(br#"{"error": "unable to connect"}"#), Err("unable to connect".into()));
        assert!(parse(b"").is_err());
        assert!(parse(b"{}").unwrap_err().contains("sum_received"));
        assert!(parse(br#"{"end": {"sum_received": {"bytes": 0, "seconds": 1}}}"#).is_err());
        let one_way =
            br#"{"end": {"sum_received": {"bytes": 9, "seconds": 1}, "sum_received_bidir_reverse": {"bytes": 0}}}"#;
        assert!(parse(one_way).is_err());
    }
}
