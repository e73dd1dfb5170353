//! The registry of swaps as the build script sees it.

/// One line of `rust/swaps/src/registry.rs`.
pub struct Swap {
    /// Rust name; the cargo feature is `swap-<name>`.
    pub name: &'static str,
    /// C function to be swapped.
    pub symbol: &'static str,
    /// File that defines it, under the vendored `src/`.
    pub file: &'static str,
}

include!("../../rust/swaps/src/registry.rs");

macro_rules! lines {
    ($($name:ident = $symbol:ident in $file:literal, $group:ident, $contract:ident $(, in $home:ident)?;)*) => {
        /// Every swap of the registry, enabled or not.
        pub const SWAPS: &[Swap] = &[$(Swap { name: stringify!($name), symbol: stringify!($symbol), file: $file }),*];
    };
}
with_registry!(lines);

macro_rules! followers {
    ($($name:ident: $first:ident $(+ $more:ident)*;)*) => {
        const FOLLOWERS: &[(&str, &[&str])] =
            &[$((stringify!($name), &[stringify!($first) $(, stringify!($more))*])),*];
    };
}
with_followers!(followers);

impl Swap {
    /// The definitions to be renamed: the function's own, and those of the functions that follow it.
    pub fn renamed(&self) -> impl Iterator<Item = &'static str> {
        let followers = FOLLOWERS.iter().filter(|(name, _)| *name == self.name).flat_map(|(_, symbols)| *symbols);
        std::iter::once(self.symbol).chain(followers.copied())
    }
}

/// The swaps whose cargo feature is on.
pub fn enabled() -> Vec<&'static Swap> {
    SWAPS
        .iter()
        .filter(|swap| std::env::var_os(format!("CARGO_FEATURE_SWAP_{}", swap.name.to_uppercase())).is_some())
        .collect()
}
