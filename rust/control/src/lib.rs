//! The control socket of a running client.
