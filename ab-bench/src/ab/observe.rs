//! What a running session really uses: its cipher and congestion control.

use std::time::Duration;

use crate::lab::{HUB, Lab, LabError, SERVER_ADDRESS, ServerKind, Side};

/// The cipher of the newest session of the lab's user, as the server tells; empty if it tells none.
pub(super) fn cipher(lab: &Lab) -> Result<String, LabError> {
    if lab.server().kind() == ServerKind::Peer {
        let log = lab.server().log();
        let cipher = log.lines().rev().find_map(|line| line.split_once("cipher ").map(|(_, cipher)| cipher));
        return Ok(cipher.unwrap_or_default().to_owned());
    }
    let sessions = lab.server().vpncmd(&format!("Hub {HUB}\nSessionList\n"))?;
    let mut names = sessions.lines().filter_map(|line| line.strip_prefix("Session Name")?.split_once('|'));
    let Some((_, name)) = names.rfind(|(_, name)| name.contains("-TEST-")) else {
        return Ok(String::new());
    };
    let session = lab.server().vpncmd(&format!("Hub {HUB}\nSessionGet {}\n", name.trim()))?;
    let line = session.lines().find(|line| line.starts_with("Encryption")).unwrap_or_default();
    let algorithm = line.split_once("Algorithm: ").map_or("", |(_, rest)| rest);
    Ok(algorithm.trim_end_matches([')', ' ', '\r']).to_owned())
}

/// The congestion control of the client's TCP connections to the server; several are joined by commas.
pub(super) fn outer_congestion_control(lab: &Lab) -> Result<String, LabError> {
    let server = SERVER_ADDRESS.to_string();
    let sockets = lab.run_ok(Side::Client, &["ss", "-Htin", "dst", &server], Duration::from_secs(10))?;
    Ok(congestion_control(&String::from_utf8_lossy(&sockets.stdout)))
}

/// The congestion controls in `ss -ti`: on the second line of each socket the first word that is not a flag.
fn congestion_control(sockets: &str) -> String {
    let flags = ["ts", "sack", "ecn", "ecnseen", "fastopen"];
    let mut names: Vec<&str> = sockets
        .lines()
        .filter(|line| line.starts_with(char::is_whitespace))
        .filter_map(|line| line.split_whitespace().find(|word| !flags.contains(word)))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_congestion_control_is_found_behind_flags() {
        let text = "ESTAB 0 0 10.77.0.2:1 10.77.0.1:443 \n\t ts sack cubic wscale:7,7 rto:201\n\
                    ESTAB 0 0 10.77.0.2:2 10.77.0.1:443 \n\t bbr wscale:7,7\n";
        assert_eq!(congestion_control(text), "bbr,cubic");
        assert_eq!(congestion_control(""), "");
    }
}
