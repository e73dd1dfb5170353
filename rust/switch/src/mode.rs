//! The words of a cutover: mode, contract, source, and a setting (a mode with its percentage).
//! What a swap does with them is in `swap.rs`; the text form of many settings is in `spec.rs`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Which side serves a call. Ordered as a rollout goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Mode {
    /// The C function runs, alone.
    C = 0,
    /// Both run and are compared; the caller gets C's result.
    Shadow = 1,
    /// The Rust function runs, behind the panic boundary.
    Rust = 2,
}

impl Mode {
    /// Every mode, in the order of a rollout.
    pub const ALL: [Mode; 3] = [Mode::C, Mode::Shadow, Mode::Rust];

    /// The word used in configuration, JSON and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::C => "c",
            Mode::Shadow => "shadow",
            Mode::Rust => "rust",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Mode::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

/// The text is not one of the three modes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a mode: use c, shadow or rust")]
pub struct UnknownMode(pub String);

/// What a swapped function may do, and so how its two sides can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// The result depends on the arguments only. Shadow runs both sides and compares the results.
    Pure,
    /// Changes state that can be copied. Shadow runs Rust on a deep copy. The Rust side must write
    /// back last, by code that cannot panic: after a panic the C runs on the same state.
    Cloned,
    /// Input and output, blocking, long loops. Never shadowed; C is never rerun after a panic.
    Effect,
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Contract::Pure => "pure",
            Contract::Cloned => "cloned",
            Contract::Effect => "effect",
        })
    }
}

/// Who set a mode, weakest first. A weaker source never overrides a stronger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The build.
    Default,
    /// The configuration file.
    Config,
    /// The environment, `CUTOVER_SWAPS`.
    Environment,
    /// A person or a plan at run time: the control API.
    Api,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Default => "default",
            Source::Config => "config",
            Source::Environment => "environment",
            Source::Api => "api",
        })
    }
}

/// A mode and how much of the traffic it gets; the rest runs C.
///
/// `rust@N%` is a share of the *sessions* (a session never flaps), `shadow@N%` a share of the *calls*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setting {
    mode: Mode,
    percent: u8,
}

impl Setting {
    /// Everything on C.
    pub const C: Setting = Setting::all(Mode::C);
    /// Every call compared.
    pub const SHADOW: Setting = Setting::all(Mode::Shadow);
    /// Everything on Rust.
    pub const RUST: Setting = Setting::all(Mode::Rust);

    /// `mode` for everything.
    pub const fn all(mode: Mode) -> Setting {
        Setting { mode, percent: 100 }
    }

    /// `mode` for `percent` (0 to 100) of the traffic. `None` above 100, and for a share of `c`,
    /// which would leave open what the rest runs.
    pub const fn share(mode: Mode, percent: u8) -> Option<Setting> {
        if percent > 100 || matches!(mode, Mode::C) {
            return None;
        }
        Some(Setting { mode, percent })
    }

    /// The mode.
    pub const fn mode(self) -> Mode {
        self.mode
    }

    /// The share of the traffic, 0 to 100.
    pub const fn percent(self) -> u8 {
        self.percent
    }

    /// Beside the setting in its word: the next call is to be timed, whoever makes it.
    pub(crate) const SAMPLE: u16 = 0x80;

    /// Both fields in one word, so that a dispatcher reads them in one load and never apart.
    pub(crate) const fn to_bits(self) -> u16 {
        (self.mode as u16) | ((self.percent as u16) << 8)
    }

    /// The setting of a word made by [`Setting::to_bits`], with or without [`Setting::SAMPLE`].
    pub(crate) const fn from_bits(bits: u16) -> Setting {
        let [mode, percent] = (bits & !Setting::SAMPLE).to_le_bytes();
        let mode = match mode {
            1 => Mode::Shadow,
            2 => Mode::Rust,
            _ => Mode::C,
        };
        Setting { mode, percent }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent {
            100 => write!(f, "{}", self.mode),
            percent => write!(f, "{}@{percent}%", self.mode),
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_back_as_they_print() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for wrong in ["", "C", "Rust", " c", "rust ", "r"] {
            assert_eq!(wrong.parse::<Mode>(), Err(UnknownMode(wrong.to_owned())));
        }
    }

    #[test]
    fn sources_are_ordered_by_strength() {
        assert!(Source::Default < Source::Config);
        assert!(Source::Config < Source::Environment);
        assert!(Source::Environment < Source::Api);
    }

    #[test]
    fn every_setting_survives_its_bits() {
        for mode in [Mode::Shadow, Mode::Rust] {
            for percent in 0..=100 {
                let setting = Setting::share(mode, percent).unwrap();
                assert_eq!(Setting::from_bits(setting.to_bits()), setting);
                assert_eq!(Setting::from_bits(setting.to_bits() | Setting::SAMPLE), setting);
            }
            assert_eq!(Setting::share(mode, 101), None);
            assert_eq!(Setting::share(mode, 255), None);
        }
        assert_eq!(Setting::from_bits(Setting::C.to_bits()), Setting::C);
        assert_eq!(Setting::share(Mode::C, 50), None);
    }
}
