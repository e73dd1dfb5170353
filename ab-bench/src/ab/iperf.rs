//! One run of iperf3 and what its JSON says.

use std::time::Duration;

use serde_json::Value;

use super::schema::Way;
use crate::lab::{Lab, LabError, Side, TUNNEL_SERVER_ADDRESS};

/// What one TCP stream carried.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transfer {
    pub bytes: u64,
    pub seconds: f64,
    /// Segments that the inner TCP sent again.
    pub retransmits: u64,
    /// The sender's inner congestion control.
    pub congestion_control: String,
}

/// Sends one TCP stream through the tunnel for some seconds.
pub(super) fn run(lab: &Lab, way: Way, seconds: f64) -> Result<Transfer, LabError> {
    let (target, seconds_text) = (TUNNEL_SERVER_ADDRESS.to_string(), seconds.to_string());
    let mut argv = vec!["iperf3", "--client", &target, "--time", &seconds_text, "--json"];
    match way {
        Way::Down => argv.push("--reverse"),
        Way::Both => argv.push("--bidir"),
        Way::Up | Way::None => {}
    }
    // A server of its own for every run: between two tests iperf3's server closes its port for a moment, and with it
    // a connection that has come too early.
    let _server = lab.serve_iperf()?;
    let output = lab.run(Side::Client, &argv, Duration::from_secs_f64(seconds + 10.0))?;
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
    let transfer = Transfer {
        bytes: received["bytes"].as_u64().ok_or_else(|| missing("end.sum_received.bytes"))?,
        seconds: received["seconds"].as_f64().ok_or_else(|| missing("end.sum_received.seconds"))?,
        retransmits: end["sum_sent"]["retransmits"].as_u64().unwrap_or(0),
        congestion_control: end["sender_tcp_congestion"].as_str().unwrap_or("unknown").to_owned(),
    };
    if transfer.bytes == 0 || transfer.seconds <= 0.0 {
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
    fn errors_and_nonsense_are_errors() {
        assert_eq!(parse(br#"{"error": "unable to connect"}"#), Err("unable to connect".into()));
        assert!(parse(b"").is_err());
        assert!(parse(b"{}").unwrap_err().contains("sum_received"));
        assert!(parse(br#"{"end": {"sum_received": {"bytes": 0, "seconds": 1}}}"#).is_err());
    }
}
