//! Safe Rust port of the client path of SoftEther's Cedar.

pub mod adapter;
#[cfg(target_os = "linux")]
pub mod datagram;
pub mod framing;
#[cfg(target_os = "linux")]
pub mod fused;
pub mod session;
pub mod tls;
pub mod udp_accel;
