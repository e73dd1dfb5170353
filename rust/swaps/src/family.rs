//! The frame of families: small swaps on one structure of the C, each an item of [`family!`] in the file of its family.
//!
//! A family gives three things: a view of its structure ([`Structure`]), whose methods are the work and know no switch;
//! the items; and a sequence, which calls them in random order on structures of its own and says after each step what it
//! gave and left. The frame makes of an item everything else that a swap consists of, the self-test included: the sequence
//! with this one function on Rust must leave what it leaves on C. The differential tests run the same sequence, longer,
//! with each function alone and with all of them on Rust and in shadow.
//!
//! | item | contract | the Rust side gets | in shadow |
//! | --- | --- | --- | --- |
//! | `reads(null)` | pure | a view; `null` is the answer without one | results are compared |
//! | `changes(null)` | cloned | a view | on a copy of the structure, which is compared with what C left |
//! | `makes` | cloned | the arguments | both make one; Rust's is compared and freed |
//! | `cloned(shadow)` | cloned | the arguments | `shadow` says |
//! | `pure` | pure | the arguments | results are compared |
//! | `effect(failure)` | effect | the arguments | never |

use std::hash::{DefaultHasher, Hash, Hasher};
use switch::{Control, Verdict, compare_results};

/// A view of a structure of the C, with the work that its functions do as methods.
pub trait Structure {
    /// The C's structure.
    type C;
    /// A structure with memory of its own, given back when it is dropped.
    type Copy;

    /// The view; `None` for null.
    ///
    /// # Safety
    /// `c` is null, or whole and nobody else's for `'a`.
    unsafe fn of<'a>(c: *mut Self::C) -> Option<&'a mut Self>;

    /// A copy.
    fn copy(&self) -> Self::Copy;

    /// The copy's structure.
    fn pointer(copy: &mut Self::Copy) -> *mut Self::C;

    /// Compares all that the C's own code could see.
    fn compare(&self, rust: &Self) -> Verdict;

    /// Makes it differ, for the tests of the comparison.
    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self);
}

/// What a function gives back.
pub trait Outcome: Copy {
    /// Compares, and gives back what only the candidate made.
    ///
    /// # Safety
    /// Both came from the two sides of one function, and the candidate has no other owner.
    unsafe fn compare(control: Self, candidate: Self) -> Verdict;

    /// Makes it differ, for the tests of the comparison; `false` if there is nothing in it that could.
    #[cfg(feature = "planted-faults")]
    fn spoil(&mut self) -> bool;
}

macro_rules! plain_outcomes {
    ($($ty:ty: $spoil:expr;)*) => {$(
        impl Outcome for $ty {
            unsafe fn compare(control: $ty, candidate: $ty) -> Verdict {
                compare_results(&control, &candidate)
            }

            #[cfg(feature = "planted-faults")]
            fn spoil(&mut self) -> bool {
                let spoil: fn(&mut $ty) -> bool = $spoil;
                spoil(self)
            }
        }
    )*};
}

plain_outcomes! {
    (): |_| false;
    u8: |value| { *value ^= 1; true };
    u16: |value| { *value ^= 1; true };
    u32: |value| { *value ^= 1; true };
    u64: |value| { *value ^= 1; true };
    i32: |value| { *value ^= 1; true };
    // An item of a structure, which is not followed. To answer with another would be followed by the C.
    *mut std::ffi::c_void: |_| false;
}

/// Runs C on the structure and Rust on a copy, and compares what they gave and left.
///
/// # Safety
/// As for the function itself; `rust` is its Rust side.
pub unsafe fn changes<S: Structure, R: Outcome>(
    c: *mut S::C,
    control: Control<'_, R>,
    rust: impl FnOnce(*mut S::C) -> R,
) -> Verdict {
    // SAFETY: the caller's; nobody uses the view any more when C runs.
    let Some(mut copy) = (unsafe { S::of(c) }).map(|view| view.copy()) else {
        // SAFETY: both sides have answered null.
        return unsafe { R::compare(control.run(), rust(c)) };
    };
    let from_c = control.run();
    let candidate = rust(S::pointer(&mut copy));
    // SAFETY: C has come back; both are whole.
    unsafe {
        R::compare(from_c, candidate)?;
        match (S::of(c), S::of(S::pointer(&mut copy))) {
            (Some(control), Some(candidate)) => control.compare(candidate),
            _ => Ok(()),
        }
    }
}

/// Runs both sides of a function that makes something.
///
/// # Safety
/// As for the function itself; `rust` is its Rust side.
pub unsafe fn makes<R: Outcome>(control: Control<'_, R>, rust: impl FnOnce() -> R) -> Verdict {
    // SAFETY: the two sides' own; nobody else knows the candidate.
    unsafe { R::compare(control.run(), rust()) }
}

/// Declares the swaps of one family. See the head of this file.
///
/// ```ignore
/// family! {
///     sequence: sequence;
///     /// Writes a number at Current (C: `WriteBufInt`, Mayaqua/Memory.c).
///     changes(0) write_buf_int = WriteBufInt(b: Buffer, value: UINT) -> bool_ { … }
/// }
/// ```
///
/// Made of it: a module per item, which the registry's line of its name refers to, and `Api`, a table of all of them, of
/// either side or of the dispatchers, which the sequence calls.
macro_rules! family {
    (
        sequence: $sequence:path;
        $(
            $(#[$meta:meta])*
            $kind:ident $(($($with:tt)+))? $name:ident = $symbol:ident($($args:tt)*) $(-> $ret:ty)? $body:block
        )*
    ) => {
        $($crate::family::item! {
            $kind [$($($with)+)?] [$sequence] [$(#[$meta])*] $name $symbol [$($args)*] [$($ret)?] $body
        })*

        /// Every function of the family, on one side or another.
        #[derive(Clone, Copy)]
        pub struct Api {
            $(
                #[doc = concat!("`", stringify!($symbol), "`.")]
                pub $name: $name::Function,
            )*
        }

        impl Api {
            /// The vendored C.
            pub const C: Api = Api { $($name: $name::C),* };
            /// The Rust sides.
            pub const RUST: Api = Api { $($name: $name::RUST),* };
            /// What everyone calls.
            pub const DISPATCHER: Api = Api { $($name: $name::DISPATCHER),* };
            /// The C with one function on Rust, for each of them.
            pub const ONE_ON_RUST: &[(&str, Api)] =
                &[$((stringify!($name), Api { $name: $name::RUST, ..Api::C })),*];
        }

        /// What the self-tests of the family hold Rust against.
        fn c_self_test() -> &'static Trace {
            static C: std::sync::OnceLock<Trace> = std::sync::OnceLock::new();
            C.get_or_init(|| $crate::family::self_test_trace($sequence, &Api::C))
        }
    };
}
pub(crate) use family;

/// One item: brings the parameters into the C's form, and says what the shadow is, and what a planted mismatch is.
macro_rules! item {
    (reads [$null:expr] $sequence:tt $meta:tt $name:ident $symbol:ident
        [$s:ident: $view:ty $(, $arg:ident: $ty:ty)* $(,)?] $ret:tt $body:block) => {
        $crate::family::module! {
            [pure] [] [answer => $crate::family::Outcome::spoil(&mut answer)] $sequence $meta $name $symbol
            [$s: *mut <$view as $crate::family::Structure>::C $(, $arg: $ty)*] $ret
            {
                // SAFETY: the caller's.
                let Some($s) = (unsafe { <$view as $crate::family::Structure>::of($s) }) else { return $null };
                let $s = &*$s;
                $body
            }
        }
    };
    (changes [$null:expr] $sequence:tt $meta:tt $name:ident $symbol:ident
        [$s:ident: $view:ty $(, $arg:ident: $ty:ty)* $(,)?] $ret:tt $body:block) => {
        $crate::family::module! {
            [cloned(shadow)]
            // SAFETY: the caller's.
            [control => unsafe { $crate::family::changes::<$view, _>($s, control, |$s| rust($s $(, $arg)*)) }]
            // SAFETY: the caller's; the call has ended.
            [answer => if let Some(view) = unsafe { <$view as $crate::family::Structure>::of($s) } {
                $crate::family::Structure::spoil(view);
            }]
            $sequence $meta $name $symbol
            [$s: *mut <$view as $crate::family::Structure>::C $(, $arg: $ty)*] $ret
            {
                // SAFETY: the caller's.
                let Some($s) = (unsafe { <$view as $crate::family::Structure>::of($s) }) else { return $null };
                $body
            }
        }
    };
    (makes [] $sequence:tt $meta:tt $name:ident $symbol:ident $args:tt $ret:tt $body:block) => {
        $crate::family::item! { @ [cloned(shadow)] $sequence $meta $name $symbol $args $ret $body }
    };
    (cloned [$($shadow:tt)+] $sequence:tt $meta:tt $name:ident $symbol:ident $args:tt $ret:tt $body:block) => {
        $crate::family::item! { @ [cloned($($shadow)+)] $sequence $meta $name $symbol $args $ret $body }
    };
    (pure [] $sequence:tt $meta:tt $name:ident $symbol:ident $args:tt $ret:tt $body:block) => {
        $crate::family::item! { @ [pure] $sequence $meta $name $symbol $args $ret $body }
    };
    (effect [$($failure:tt)+] $sequence:tt $meta:tt $name:ident $symbol:ident
        [$($arg:ident: $ty:ty),* $(,)?] $ret:tt $body:block) => {
        $crate::family::module! {
            [effect($($failure)+)] [] [answer => ()] $sequence $meta $name $symbol [$($arg: $ty),*] $ret $body
        }
    };
    (@ $contract:tt $sequence:tt $meta:tt $name:ident $symbol:ident
        [$($arg:ident: $ty:ty),* $(,)?] $ret:tt $body:block) => {
        $crate::family::module! {
            $contract
            // SAFETY: the caller's.
            [control => unsafe { $crate::family::makes(control, || rust($($arg),*)) }]
            [answer => $crate::family::Outcome::spoil(&mut answer)]
            $sequence $meta $name $symbol [$($arg: $ty),*] $ret $body
        }
    };
}
pub(crate) use item;

/// The module of an item.
macro_rules! module {
    ([$($contract:tt)+] [$($shadow:tt)*] [$answer:ident => $spoil:expr]
        [$sequence:path] [$(#[$meta:meta])*] $name:ident $symbol:ident [$($arg:ident: $ty:ty),*] [$($ret:ty)?] $body:block
    ) => {
        #[doc = concat!("The swap of `", stringify!($symbol), "`.")]
        #[allow(clippy::unused_unit, reason = "without a structure a function that gives nothing returns ()")]
        pub mod $name {
            use super::*;

            /// Either side, or the dispatcher before them.
            pub type Function = unsafe fn($($ty),*) $(-> $ret)?;

            pastey::paste! {
                #[cfg($name)]
                switch::swap! {
                    $(#[$meta])*
                    pub unsafe extern "C" fn $symbol($($arg: $ty),*) $(-> $ret)?;
                    swap: $crate::[<$name:upper>],
                    signature: softether_sys::$symbol,
                    c: [<c_ $symbol>],
                    contract: $($contract)+,
                    rust: rust,
                    self_test: self_test,
                }

                /// The vendored C.
                #[cfg($name)]
                // SAFETY: as for the function itself.
                pub const C: Function = |$($arg),*| unsafe { [<c_ $symbol>]($($arg),*) };
            }
            /// The vendored C: the only side that this build has.
            #[cfg(not($name))]
            // SAFETY: as for the function itself.
            pub const C: Function = |$($arg),*| unsafe { softether_sys::$symbol($($arg),*) };

            /// The Rust side.
            #[cfg($name)]
            pub const RUST: Function = rust;
            /// The only side that this build has.
            #[cfg(not($name))]
            pub const RUST: Function = C;

            /// What everyone calls.
            // SAFETY: as for the function itself.
            pub const DISPATCHER: Function = |$($arg),*| unsafe { softether_sys::$symbol($($arg),*) };

            /// The Rust side.
            ///
            /// # Safety
            /// The C function's own conditions.
            #[cfg(all($name, not(feature = "planted-faults")))]
            #[inline(always)]
            pub unsafe fn rust($($arg: $ty),*) $(-> $ret)? $body

            /// The Rust side with a fault, if one is planted.
            ///
            /// # Safety
            /// The C function's own conditions.
            #[cfg(all($name, feature = "planted-faults"))]
            #[allow(unused_mut, clippy::let_unit_value, reason = "some functions give nothing")]
            pub unsafe fn rust($($arg: $ty),*) $(-> $ret)? {
                unsafe fn sound($($arg: $ty),*) $(-> $ret)? $body
                $crate::planted::strike_before(stringify!($name));
                // SAFETY: the caller's.
                let mut $answer = unsafe { sound($($arg),*) };
                if $crate::planted::spoils(stringify!($name)) {
                    let _ = $spoil;
                }
                $answer
            }

            $crate::family::shadow! { $name [$($shadow)*] [$($arg: $ty),*] [$($ret)?] }

            #[cfg($name)]
            fn self_test() -> Result<(), String> {
                let rust = $crate::family::self_test_trace($sequence, &Api { $name: RUST, ..Api::C });
                c_self_test().compare(&rust)
            }
        }
    };
}
pub(crate) use module;

/// The shadow function of an item that has one of the family's.
macro_rules! shadow {
    ($name:ident [] $args:tt $ret:tt) => {};
    ($name:ident $shadow:tt $args:tt []) => {
        $crate::family::shadow! { $name $shadow $args [()] }
    };
    ($name:ident [$control:ident => $shadow:expr] [$($arg:ident: $ty:ty),*] [$ret:ty]) => {
        #[cfg($name)]
        #[allow(dead_code, reason = "what is pure is compared by its result, and some have a shadow of their own")]
        unsafe fn shadow($($arg: $ty,)* $control: switch::Control<'_, $ret>) -> switch::Verdict {
            $shadow
        }
    };
}
pub(crate) use shadow;

/// How many steps a self-test takes, on each side.
const SELF_TEST_STEPS: usize = 192;

/// What a short sequence leaves, which calls every function at least once.
pub fn self_test_trace<A>(sequence: fn(&A, &mut Random, &mut Trace), api: &A) -> Trace {
    let mut trace = Trace::new(SELF_TEST_STEPS);
    sequence(api, &mut Random::new(0x5EED), &mut trace);
    trace
}

/// What a sequence saw: per step the function's name and a hash of what it gave and left, without addresses.
#[derive(Debug)]
pub struct Trace {
    length: usize,
    steps: Vec<(&'static str, u64)>,
}

impl Trace {
    /// A trace of so many steps.
    pub fn new(length: usize) -> Trace {
        Trace { length, steps: Vec::with_capacity(length) }
    }

    /// Whether the sequence goes on.
    pub fn is_open(&self) -> bool {
        self.steps.len() < self.length
    }

    /// Notes a step.
    pub fn note(&mut self, name: &'static str, seen: impl Hash) {
        let mut hasher = DefaultHasher::new();
        seen.hash(&mut hasher);
        self.steps.push((name, hasher.finish()));
    }

    /// How often each function was called.
    pub fn calls(&self, name: &str) -> usize {
        self.steps.iter().filter(|(step, _)| *step == name).count()
    }

    /// Says where two traces part.
    ///
    /// # Errors
    /// If they do.
    pub fn compare(&self, rust: &Trace) -> Result<(), String> {
        for (step, (c, rust)) in self.steps.iter().zip(&rust.steps).enumerate() {
            if c != rust {
                return Err(format!("step {step}: c {} {:x}, rust {} {:x}", c.0, c.1, rust.0, rust.1));
            }
        }
        if self.steps.len() == rust.steps.len() { Ok(()) } else { Err("one side took more steps".to_owned()) }
    }
}

/// Numbers that are the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    turn: u32,
}

impl Random {
    /// Those of this seed.
    pub fn new(seed: u64) -> Random {
        Random { state: seed, turn: 0 }
    }

    /// Which of so many kinds of step comes next: each in its turn, then any.
    pub fn step(&mut self, kinds: u32) -> u32 {
        self.turn += 1;
        if self.turn <= kinds { self.turn - 1 } else { self.below(kinds) }
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        (self.number() % u64::from(end.max(1))) as u32
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: u32) -> Vec<u8> {
        (0..count).map(|_| self.number() as u8).collect()
    }
}
