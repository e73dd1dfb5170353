//! The client's command line and TOML configuration.
