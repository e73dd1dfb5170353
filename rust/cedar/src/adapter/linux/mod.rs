//! The TAP device of Linux: [`Interface`] makes and configures the network interface and outlives sessions;
//! [`Tap`] is the adapter on it, for one session at a time.
//!
//! | module | holds |
//! | --- | --- |
//! | [`interface`] | name, MAC, MTU, addresses, up and down, tier, life time |
//! | [`tap`] | reading and writing packets, and noticing that the interface changed |
//! | `netlink` | the kernel's answers and orders about interfaces |
//! | `sys` | /dev/net/tun and its ioctls: the only `unsafe` |

pub mod interface;
mod netlink;
mod sys;
pub mod tap;

pub use interface::{Interface, InterfaceConfig, InterfaceError, Tier, interface_name, mac_from_seed};
pub use tap::{LinkState, LinkStatus, Tap, TapDevice};
