//! Safe Rust port of SoftEther's Mayaqua.
