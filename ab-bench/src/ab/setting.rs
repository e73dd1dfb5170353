//! The settings of a sweep: one thing is changed at a time, everything else stays as in the default.

use super::schema::Setting;
use crate::lab::ClientSpec;

/// The id of the setting without changes.
pub const DEFAULT_SETTING: &str = "default";

/// TLS over one TCP connection, no compression, no UDP acceleration, one inner stream.
#[must_use]
pub fn default_setting() -> Setting {
    let spec = ClientSpec::official();
    Setting {
        id: DEFAULT_SETTING.into(),
        connections: spec.connections,
        half_duplex: spec.half_duplex,
        encrypt: spec.encrypt,
        compress: spec.compress,
        udp_acceleration: spec.udp_acceleration,
        mtu: 1500,
        streams: 1,
        payload_bytes: None,
    }
}

/// The settings of `KEY=VALUE,VALUE,…` (`connections=1,2,8,32`, `encrypt=yes,no`, `payload=64,1400`).
/// A value that is the default's is the default setting itself.
pub fn sweep(text: &str) -> Result<Vec<Setting>, String> {
    let keys = "connections, half_duplex, encrypt, compress, udp_acceleration, streams, payload";
    let (key, values) = text.split_once('=').ok_or_else(|| format!("want KEY=VALUE,…; keys are {keys}"))?;
    values
        .split(',')
        .map(|value| {
            let mut setting = default_setting();
            let wrong = |expected: &str| format!("{key}={value}: want {expected}");
            let flag = || match value {
                "yes" => Ok(true),
                "no" => Ok(false),
                _ => Err(wrong("yes or no")),
            };
            let number = |min: u32, max: u32| {
                let number = value.parse().ok().filter(|number| (min..=max).contains(number));
                number.ok_or_else(|| wrong(&format!("a number from {min} to {max}")))
            };
            match key {
                "connections" => setting.connections = u8::try_from(number(1, 32)?).unwrap_or(1),
                "half_duplex" => setting.half_duplex = flag()?,
                "encrypt" => setting.encrypt = flag()?,
                "compress" => setting.compress = flag()?,
                "udp_acceleration" => setting.udp_acceleration = flag()?,
                "streams" => setting.streams = number(1, 128)?,
                "payload" => setting.payload_bytes = Some(number(16, 1 << 20)?),
                _ => return Err(format!("unknown key `{key}`: there are {keys}")),
            }
            if setting.half_duplex {
                // One connection cannot carry one direction only.
                setting.connections = setting.connections.max(2);
            }
            if setting != default_setting() {
                setting.id = format!("{key}={value}");
            }
            Ok(setting)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_changes_one_thing_at_a_time() {
        let settings = sweep("connections=1,2,32").unwrap();
        let ids: Vec<_> = settings.iter().map(|setting| (&setting.id[..], setting.connections)).collect();
        assert_eq!(ids, [("default", 1), ("connections=2", 2), ("connections=32", 32)]);
        assert!(!sweep("encrypt=no").unwrap()[0].encrypt);
        assert_eq!(sweep("payload=64").unwrap()[0].payload_bytes, Some(64));
        assert_eq!(sweep("half_duplex=yes").unwrap()[0].connections, 2);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("connections", "KEY=VALUE"),
            ("connections=33", "from 1 to 32"),
            ("connections=0", "from 1 to 32"),
            ("connections=-1", "from 1 to 32"),
            ("encrypt=maybe", "yes or no"),
            ("speed=2", "unknown key `speed`"),
            ("payload=", "a number"),
        ] {
            let message = sweep(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
