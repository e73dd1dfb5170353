//! The command line: commands, the options made from the registry of keys, and help that teaches.
//! Parses only; running a command is the client's business.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand};

use crate::exit::{EXIT_CODES, ExitCode};
use crate::keys::{KEYS, Key, Kind};

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Connect, and stay in the foreground until SIGINT or SIGTERM
    #[command(after_help = UP_HELP)]
    Up(Connection),
    /// Check a configuration and the files it names, without connecting
    #[command(after_help = CHECK_HELP)]
    Check(Connection),
    /// Show which implementation of each function runs, C or Rust
    #[command(after_help = SWAPS_HELP)]
    Swaps(Swaps),
    /// Show what a running client is doing
    Status(Status),
    /// Show the version
    Version(Version),
}

/// The arguments of `up` and `check`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Connection {
    /// A configuration file, or NAME for NAME.toml in ~/.config/cutover or /etc/cutover
    #[arg(value_name = "FILE|NAME")]
    pub target: String,
    /// Options that beat the file.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// The arguments of `swaps`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Swaps {
    /// What to do; nothing: show the table.
    #[command(subcommand)]
    pub action: Option<SwapsAction>,
    /// Which running client [default: the only one]
    #[arg(long, value_name = "NAME", global = true)]
    pub instance: Option<String>,
    /// Show only these: a function, a group, or a pattern such as 'write_*'
    #[arg(long, value_name = "PATTERN", global = true)]
    pub only: Option<String>,
    /// Print JSON (with a schema_version) instead of a table
    #[arg(long, global = true)]
    pub json: bool,
}

/// What `swaps` can do besides showing.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum SwapsAction {
    /// Change modes in a running client
    Set {
        /// Modes such as new_block=shadow or '*=rust'
        #[arg(value_name = "PATTERN=MODE[@N%]", required = true)]
        modes: Vec<String>,
        /// Make the session anew, so that what is chosen per session changes now
        #[arg(long)]
        reconnect: bool,
    },
    /// Begin a rollout by a plan, a TOML file
    Plan {
        /// The plan
        #[arg(value_name = "FILE")]
        file: std::path::PathBuf,
        /// Check it against the running client, and begin nothing
        #[arg(long)]
        check: bool,
    },
    /// Let demoted functions be used again; without a name: take the plan to its next stage
    Promote {
        /// A function, a group, or a pattern such as 'write_*'
        #[arg(value_name = "PATTERN")]
        pattern: Option<String>,
    },
    /// Take functions back to C; without a name: those of the plan
    Rollback {
        /// A function, a group, or a pattern such as 'write_*'
        #[arg(value_name = "PATTERN", conflicts_with = "all")]
        pattern: Option<String>,
        /// Everything
        #[arg(long)]
        all: bool,
    },
    /// Show modes, calls, rates and times, again and again, until Ctrl-C
    Watch {
        /// Seconds between two looks
        #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
        interval: u64,
        /// End after this many looks
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// Explain one function: its contract, its history, and why it is in its mode
    Explain {
        /// The function, such as new_block
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// The arguments of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Status {
    /// Which running client [default: the only one]
    #[arg(value_name = "NAME")]
    pub instance: Option<String>,
    /// Print JSON (with a schema_version) instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `version`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Version {
    /// Print JSON (with a schema_version)
    #[arg(long)]
    pub json: bool,
}

/// Why there is no command to run: help was asked for, or the command line is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// [`ExitCode::Ok`] for help, [`ExitCode::Usage`] for a mistake.
    pub code: ExitCode,
    /// To print: on standard output for help, else on standard error.
    pub text: String,
}

/// Parses a command line, the program's name first.
///
/// # Errors
/// Help or version were asked for, or the command line does not parse.
pub fn parse<I>(arguments: I) -> Result<Command, Stop>
where
    I: IntoIterator<Item = OsString>,
{
    CommandLine::try_parse_from(arguments).map(|line| line.command).map_err(|error| Stop {
        code: if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok },
        text: error.render().to_string(),
    })
}

#[derive(Parser)]
#[command(
    name = "cutover",
    version,
    about = "A SoftEther VPN client that moves from C to Rust one function at a time",
    after_help = examples(),
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// Options that beat the file, each with its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(Vec<(&'static Key, Vec<String>)>);

impl Overrides {
    /// The keys given as options, with their texts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Key, &[String])> {
        self.0.iter().map(|(key, texts)| (*key, texts.as_slice()))
    }
}

/// Options that would carry a password. They are known only to be refused without being echoed.
const PASSWORD_OPTIONS: [&str; 2] = ["password", "auth-password"];

impl Args for Overrides {
    fn augment_args(command: clap::Command) -> clap::Command {
        let command = command.args(KEYS.iter().map(option));
        command.args(PASSWORD_OPTIONS.map(|name| Arg::new(name).long(name).hide(true).num_args(0..=1)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Overrides::augment_args(command)
    }
}

impl FromArgMatches for Overrides {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Overrides, clap::Error> {
        if PASSWORD_OPTIONS.iter().any(|name| matches.contains_id(name)) {
            return Err(clap::Error::raw(
                ErrorKind::UnknownArgument,
                "a password on the command line is visible to every user of the machine; \
                 use --auth-password-file FILE or --auth-password-stdin\n",
            ));
        }
        let given = |key: &'static Key| {
            let texts = matches.get_many::<String>(key.path)?.cloned().collect();
            Some((key, texts))
        };
        Ok(Overrides(KEYS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Overrides::from_arg_matches(matches)?;
        Ok(())
    }
}

fn option(key: &'static Key) -> Arg {
    let section = match key.section() {
        "" => "Connection".to_owned(),
        section => format!("[{section}]"),
    };
    let arg = Arg::new(key.path)
        .long(key.option())
        .value_name(key.placeholder)
        .help(key.help)
        .help_heading(section)
        .hide_short_help(key.section() != "")
        .action(ArgAction::Append);
    match key.kind {
        Kind::Flag => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg,
    }
}

const UP_HELP: &str = "\
Every key of the file is also an option (all of them: --help), and the option wins:
[tls] ca_file = \"ca.pem\" is --tls-ca-file ca.pem.

Examples:
  cutover up office                                 # ~/.config/cutover/office.toml
  cutover up ./office.toml --interface-name vpn1
  pass show office | cutover up office --auth-password-stdin
  cutover up office --swaps 'new_block=shadow,*=c'  # all C, one function compared

A configuration:
  server = \"vpn.example.net\"
  hub = \"DEFAULT\"
  [auth]
  user = \"alice\"
  password_file = \"secret.txt\"                      # chmod 600
  [interface]
  address = \"10.78.0.2/24\"";

const CHECK_HELP: &str = "\
Prints nothing but warnings when all is well; a mistake gives FILE:LINE:COLUMN, what is
wrong and what to do, and exit code 12.

Example:
  cutover check ./office.toml";

const SWAPS_HELP: &str = "\
Modes: c and rust run one side; shadow runs both, compares them, and uses C's result.

Examples:
  cutover swaps                        # the table
  cutover swaps --only framing         # one group of it
  cutover swaps set new_block=shadow   # compare on live traffic
  cutover swaps set new_block=rust     # cut over
  cutover swaps watch                  # calls, rates, times, live
  cutover swaps plan framing.toml      # cut over in stages, with gates
  cutover swaps explain new_block      # why it is in its mode
  cutover swaps rollback --all         # everything back to C";

fn examples() -> String {
    let codes: String =
        EXIT_CODES.iter().map(|(code, meaning)| format!("  {:>2}  {meaning}\n", code.number())).collect();
    format!(
        "Examples:\n  \
         cutover check office.toml\n  \
         cutover up office.toml\n  \
         cutover status\n  \
         cutover swaps\n\n\
         Exit codes (10-19: trying again is useless; 20-29: it may help):\n{codes}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn line(text: &str) -> Result<Command, Stop> {
        parse(text.split(' ').map(OsString::from))
    }

    fn overrides(text: &str) -> Vec<(&'static str, Vec<String>)> {
        let Ok(Command::Up(connection)) = line(&format!("cutover up office {text}")) else {
            panic!("{text:?} does not parse");
        };
        connection.overrides.iter().map(|(key, texts)| (key.path, texts.to_vec())).collect()
    }

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_key_is_an_option_of_up_and_check() {
        for command in ["up", "check"] {
            let help = line(&format!("cutover {command} --help")).unwrap_err();
            assert_eq!(help.code, ExitCode::Ok);
            for key in KEYS {
                assert!(help.text.contains(&format!("--{}", key.option())), "{}", key.path);
            }
        }
    }

    #[test]
    fn options_carry_their_keys() {
        assert_eq!(
            overrides("--server a:1 --transport-connections=8 --tls-verify=false --transport-compress"),
            [
                ("server", vec!["a:1".to_owned()]),
                ("tls.verify", vec!["false".to_owned()]),
                ("transport.connections", vec!["8".to_owned()]),
                ("transport.compress", vec!["true".to_owned()]),
            ]
        );
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_and_not_echoed() {
        for text in ["--password hunter2", "--password=hunter2", "--auth-password hunter2", "--auth-password=hunter2"] {
            let stop = line(&format!("cutover up office {text}")).unwrap_err();
            assert_eq!(stop.code, ExitCode::Usage);
            assert!(stop.text.contains("--auth-password-file") && !stop.text.contains("hunter2"), "{}", stop.text);
        }
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for text in [
            "cutover",
            "cutover down",
            "cutover up",
            "cutover up a b",
            "cutover up a --sever x",
            "cutover swaps set",
            "cutover swaps plan",
            "cutover swaps explain",
            "cutover swaps rollback new_block --all",
            "cutover swaps watch --interval 0",
            "cutover status --jsn",
        ] {
            let stop = line(text).unwrap_err();
            assert_eq!(stop.code, ExitCode::Usage, "{text}");
            assert!(!stop.text.is_empty());
        }
    }

    #[test]
    fn swaps_takes_its_flags_on_either_side_of_set() {
        let expected = Command::Swaps(Swaps {
            action: Some(SwapsAction::Set { modes: vec!["a=c".into(), "b=rust".into()], reconnect: false }),
            instance: Some("office".into()),
            only: None,
            json: true,
        });
        assert_eq!(line("cutover swaps --json --instance office set a=c b=rust"), Ok(expected.clone()));
        assert_eq!(line("cutover swaps set a=c b=rust --json --instance office"), Ok(expected));
    }

    #[test]
    fn help_names_every_exit_code() {
        let help = line("cutover --help").unwrap_err().text;
        for (code, meaning) in EXIT_CODES {
            assert!(help.contains(&format!("{:>2}  {meaning}", code.number())), "{help}");
        }
    }
}
