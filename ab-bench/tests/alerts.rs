//! The alert rules of docs/grafana by Prometheus' own tool: well formed, and each fires when it shall and not before.
//!
//! Where there is no promtool (Debian: `prometheus`), the test says so and does nothing.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

#[test]
fn each_alert_fires_when_it_shall_and_not_before() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana");
    for (what, file) in [("check", "alerts.yml"), ("test", "alerts.test.yml")] {
        match Command::new("promtool").args([what, "rules", file]).current_dir(&dir).output() {
            Ok(output) => assert!(output.status.success(), "{file}: {output:?}"),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("not run: there is no promtool");
                return;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
