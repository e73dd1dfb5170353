//! The swapped C functions, one file each or one per family of small ones, and the table of them that the registry makes.
//!
//! A swap's file is a shim: it checks its arguments as the C does, views C memory as slices, calls the safe
//! code in `mayaqua` or `cedar`, and writes back. It holds no logic of its own, and states who owns the memory.
//! `registry.rs` lists the swaps; `docs/ADDING_A_SWAP.md` says how to add one.

#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod buffer;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod counter;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod crypto;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod family;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod fifo;
#[cfg(fused_path)]
mod fused;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod heap;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod http;
pub mod interface;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod list;
#[allow(dead_code, reason = "a build without swaps needs less of it")]
mod memory;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod pack;
#[cfg(feature = "planted-faults")]
#[allow(dead_code, reason = "a build without all swaps needs less of it")]
mod planted;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod queue;
#[allow(dead_code, reason = "a build without all swaps needs less of it")]
mod saved;
#[allow(unused_imports, unused_macros, reason = "a build without families needs none of it")]
pub mod shims;
#[allow(unused_imports, unused_macros, dead_code, reason = "a build without all of a family needs less of it")]
pub mod strings;
pub mod terms;

#[cfg(any(fused_path, new_ssl_ctx))]
#[allow(dead_code, reason = "a build without all of the fused path records and takes nothing over")]
mod tls;

pub use memory::compared;
pub use memory::drops;
pub use memory::udp_accel;
#[allow(dead_code, reason = "a build without framing needs less of it")]
pub mod record;

include!("registry.rs");

/// The way of a running session's frames, and why it is not a faster one. `None`: C's `SessionMain` runs the session, or
/// there is none.
pub fn session_path() -> Option<(&'static str, Option<&'static str>)> {
    #[cfg(session_main)]
    return session_main::path::current().map(|path| (path.name(), path.reason()));
    #[cfg(not(session_main))]
    None
}

/// What a session is drawn by where only a share of sessions runs on Rust: the key that server and client agreed on.
///
/// # Safety
/// `s` is null or a session.
pub unsafe fn session_id(s: *const softether_sys::SESSION) -> u64 {
    // SAFETY: the caller's.
    unsafe { s.as_ref().map_or(0, |s| memory::connection::session_id(s.Connection)) }
}

/// How often the loop of sessions on the fused path has gone round, which it does once a second at least. Those that go
/// seam by seam ask the packet adapter in every round, where whoever wraps it can count them.
pub fn fused_rounds() -> u64 {
    #[cfg(fused_path)]
    return session_main::path::rounds();
    #[cfg(not(fused_path))]
    0
}

/// What the registry means here: per line a module, a static switch, and a place in [`ENTRIES`].
macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
        $(lines! { @module $name $($home)? })*

        /// A swap's place among the counters: its line in the registry.
        #[allow(non_camel_case_types, dead_code)]
        enum Index { $($name),* }

        pastey::paste! {
            $(
                #[doc = "The switch of `" $symbol "`."]
                #[cfg($name)]
                pub static [<$name:upper>]: switch::Swap = switch::Swap::new(switch::Info {
                    index: Index::$name as usize,
                    name: stringify!($name),
                    symbol: stringify!($symbol),
                    file: $file,
                    group: stringify!($group),
                    contract: switch::Contract::[<$contract:camel>],
                });
            )*
        }

        /// Every swap of this build, in the registry's order.
        pub static ENTRIES: &[&switch::Entry] = &[$(#[cfg($name)] &$name::ENTRY),*];

        /// Every line of the registry, whether this build has the swap or not.
        pub static REGISTRY: &[Line] = &[$(Line {
            name: stringify!($name),
            symbol: stringify!($symbol),
            file: $file,
            group: stringify!($group),
            contract: stringify!($contract),
            home: lines!(@home $name $($home)?),
        }),*];
    };
    (@module $name:ident) => {
        #[cfg($name)]
        pub mod $name;
    };
    (@module $name:ident $home:ident) => {
        #[cfg($name)]
        pub use $home::$name;
    };
    (@home $name:ident $($home:ident)?) => {
        [$(stringify!($home),)? stringify!($name)][0]
    };
}
with_registry!(lines);

/// One line of the registry, as the generated documents show it.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Rust name: module, test, bench and feature.
    pub name: &'static str,
    /// C function.
    pub symbol: &'static str,
    /// The C file that defines it, under the vendored `src/`.
    pub file: &'static str,
    /// The group it is switched with.
    pub group: &'static str,
    /// `pure`, `cloned` or `effect`.
    pub contract: &'static str,
    /// The name of the file that holds it: its own, or its family's.
    pub home: &'static str,
}

/// Swaps that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Bond {
    /// Their names; a build may be without some of them.
    pub swaps: &'static [&'static str],
    /// What they share.
    pub reason: &'static str,
}

macro_rules! bonds {
    ($($first:ident $(+ $more:ident)*: $reason:literal;)*) => {
        /// Every bond of the registry.
        pub static BONDS: &[Bond] =
            &[$(Bond { swaps: &[stringify!($first) $(, stringify!($more))*], reason: $reason }),*];
    };
}
with_bonds!(bonds);

/// Effects whose side is chosen when a session begins, so that a change needs a new one.
pub static PER_SESSION: &[&str] = &["session_main", "new_ssl_ctx", "vlan_get_packet_adapter"];

/// Effects whose side is chosen when the process begins, before Mayaqua starts, so that a change needs a new process.
pub static PER_PROCESS: &[&str] = &["init_tick64"];
