//! Safe Rust port of SoftEther's Mayaqua, without C types. The modules that do I/O have a feature each, on by default.
//!
//! Modules carry the names of the C's own words, so that whoever knows the C finds them:
//!
//! | module | C | holds |
//! | --- | --- | --- |
//! | [`buffer`] | Memory.c | `BUF` |
//! | [`fifo`], [`queue`], [`stack`] | Memory.c | `FIFO`, `QUEUE`, `SK` |
//! | [`list`], [`hash_list`], [`int_list`] | Memory.c | `LIST`, `HASH_LIST`, lists of numbers |
//! | [`memory`], [`mod@base64`] | Memory.c | byte order, Base64 |
//! | [`counter`], [`event`], [`lock`], [`refs`] | Object.c | `COUNTER`, `EVENT`, `LOCK`, `REF` |
//! | [`mod@str`], [`uni_str`] | Str.c, Internat.c | strings, wide strings and their UTF-8 |
//! | [`pack`] | Pack.c | `PACK` |
//! | [`crypto`] | Encrypt.c | hashes, RC4, passwords; with the feature `keys` also ciphers, keys and certificates |
//! | [`http`] | HTTP.c | headers and bodies |
//! | [`table`] | Table.c | message strings |
//! | [`tick`] | Tick64.c | milliseconds since the start |
//! | `tls` (feature `tls`) | Network.c | TLS of a client over any stream |
//! | `net` (feature `net`) | Network.c, Proxy.c | names, sockets, proxies, cancellation |
//! | [`dyn_list`] | Network.c | values that a server may change |
//! | `rudp` (feature `rudp`) | Network.c | R-UDP: a reliable transport over UDP, and the NAT-T servers |
//! | `tcpip` (feature `tcpip`) | TcpIp.c | packets, by the crate `etherparse` |
//! | `os` (feature `os`) | OS.c, Unix.c | the platform |
//!
//! docs/MAYAQUA.md lists every function of the C with what became of it.
//! Views of C structures and everything that calls C live in the crate `swaps`, not here.

#![forbid(unsafe_code)]

pub mod base64;
pub mod buffer;
pub mod counter;
pub mod crypto;
pub mod dyn_list;
pub mod event;
pub mod fifo;
pub mod hash_list;
pub mod http;
pub mod int_list;
pub mod list;
pub mod lock;
pub mod memory;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "os")]
pub mod os;
pub mod pack;
pub mod queue;
pub mod refs;
#[cfg(feature = "rudp")]
pub mod rudp;
pub mod stack;
pub mod str;
pub mod table;
#[cfg(feature = "tcpip")]
pub mod tcpip;
pub mod tick;
#[cfg(feature = "tls")]
pub mod tls;
pub mod uni_str;
