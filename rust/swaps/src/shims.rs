//! The frame of the swaps whose C function is a few lines: each is one item of [`shims!`], in the file of its family.
//!
//! A call of the Rust side:
//! 1. The roles of the parameters ([`role::Role`]) view what the C passes: a string as a slice, a block as room to write in.
//! 2. The item's body, safe code, gives the answer and says what is to be written. Nothing is changed so far: after a panic
//!    C finds everything as it was.
//! 3. The answer ([`answer::Answer`]) becomes what C expects, Mayaqua memory included, and what was said is written.
//!
//! In shadow C runs after 2, and what it gave and left is held against what was said. The roles also draw the arguments of
//! tests (`draw.rs`), so that an item needs no self-test, differential test or benchmark of its own.
//!
//! No shim takes a lock or keeps what it is passed; memory that it hands out is the caller's, to be freed by `Free`.

pub mod answer;
pub mod draw;
#[allow(dead_code, reason = "a build without HTTP needs less of it")]
pub mod http;
#[allow(dead_code, reason = "a build without PACK needs less of it")]
pub mod pack;
pub mod place;
pub mod role;

/// The functions of one family, each a swap of the registry's line of its name.
///
/// ```ignore
/// shims! {
///     /// Copies a string, cut to the block's size (C: `StrCpy`, Mayaqua/Str.c).
///     cloned str_cpy = StrCpy(dst[size]: Room, src: Text) -> UINT { … }
/// }
/// ```
///
/// The contract is `pure` (nothing is written or made) or `cloned`. `dst[size]` are two parameters of the C: where, and how
/// many. In the body each parameter is what its role views; it gives the answer's value.
macro_rules! shims {
    ($(
        $(#[$meta:meta])*
        $contract:ident $name:ident = $symbol:ident($($arg:ident $([$len:ident])?: $role:ty),* $(,)?) -> $answer:ty $body:block
    )*) => {$(
        #[cfg($name)]
        #[doc = concat!("The swap of `", stringify!($symbol), "`.")]
        #[allow(unused_mut, unused_parens, unused_variables, clippy::redundant_closure_call, reason = "not every item needs all")]
        #[allow(clippy::too_many_arguments, reason = "the C's")]
        pub mod $name {
            use super::*;
            use $crate::shims::{answer::Answer, draw, role::Role};

            /// Either side, or the dispatcher before them.
            pub type Function =
                unsafe fn($(<$role as Role>::C, $($crate::shims::length!($len),)?)*) -> <$answer as Answer>::C;

            pastey::paste! {
                $crate::shims::swap_of! {
                    $contract [$answer]
                    $(#[$meta])*
                    pub unsafe extern "C" fn $symbol(
                        $($arg: <$role as Role>::C, $($len: $crate::shims::length!($len),)?)*
                    ) -> <$answer as Answer>::C;
                    $crate::[<$name:upper>], softether_sys::$symbol, [<c_ $symbol>]
                }

                /// The vendored C.
                // SAFETY: as for the function itself.
                pub const C: Function = |$($arg $(, $len)?),*| unsafe { [<c_ $symbol>]($($arg $(, $len)?),*) };
            }
            /// The Rust side.
            pub const RUST: Function = rust;
            /// What everyone calls.
            // SAFETY: as for the function itself.
            pub const DISPATCHER: Function = |$($arg $(, $len)?),*| unsafe { $symbol($($arg $(, $len)?),*) };

            /// 1 and 2, then `finish`.
            ///
            /// # Safety
            /// The C function's own conditions, which are what the roles say of their arguments.
            #[inline(always)]
            unsafe fn run<T>(
                $($arg: <$role as Role>::C, $($len: $crate::shims::length!($len),)?)*
                finish: impl FnOnce(<$answer as Answer>::Value<'_>, ($(<$role as Role>::View<'_>,)*)) -> T,
            ) -> T {
                #[cfg(feature = "planted-faults")]
                $crate::planted::strike_before(stringify!($name));
                // SAFETY: the caller's.
                $(let mut $arg = unsafe { <$role as Role>::view($crate::shims::raw!($arg $($len)?)) };)*
                let answer: <$answer as Answer>::Value<'_> = (|| $body)();
                #[cfg(feature = "planted-faults")]
                let answer = if $crate::planted::spoils(stringify!($name)) {
                    $(<$role as Role>::spoil(&mut $arg);)*
                    <$answer as Answer>::spoil(answer)
                } else {
                    answer
                };
                finish(answer, ($($arg,)*))
            }

            /// The Rust side.
            ///
            /// # Safety
            /// The C function's own conditions.
            pub unsafe fn rust(
                $($arg: <$role as Role>::C, $($len: $crate::shims::length!($len),)?)*
            ) -> <$answer as Answer>::C {
                // SAFETY: the caller's.
                unsafe {
                    run($($arg, $($len,)?)* |answer, ($($arg,)*)| {
                        let answer = <$answer as Answer>::give(answer);
                        $(<$role as Role>::commit($arg);)*
                        answer
                    })
                }
            }

            /// Runs Rust up to its writing, then C, and compares.
            #[allow(dead_code, reason = "what is pure is compared by its result")]
            unsafe fn shadow(
                $($arg: <$role as Role>::C, $($len: $crate::shims::length!($len),)?)*
                control: switch::Control<'_, <$answer as Answer>::C>,
            ) -> switch::Verdict {
                // SAFETY: the caller's.
                unsafe {
                    run($($arg, $($len,)?)* |answer, ($(mut $arg,)*)| {
                        $(<$role as Role>::hold(&mut $arg);)*
                        let control = control.run();
                        <$answer as Answer>::compare(control, answer)?;
                        $(<$role as Role>::compare(&$arg)?;)*
                        Ok(())
                    })
                }
            }

            fn self_test() -> Result<(), String> {
                draw::agree(trace(C, draw::Cases::SELF_TEST), trace(RUST, draw::Cases::SELF_TEST))
            }

            /// Writes the arguments down; `false` if one of them cannot be.
            ///
            /// # Safety
            /// The C function's own conditions.
            #[allow(unused_unsafe, reason = "not every item has parameters")]
            unsafe fn save(
                $($arg: <$role as Role>::C, $($len: $crate::shims::length!($len),)?)*
                input: &mut Vec<u8>,
            ) -> bool {
                // SAFETY: the caller's.
                unsafe { true $(&& <$role as Role>::save($crate::shims::raw!($arg $($len)?), input))* }
            }

            /// Calls the dispatcher with what `save` wrote; `false` if it is none of it.
            fn rerun(input: &[u8]) -> bool {
                let mut saved = $crate::saved::Saved::new(input);
                let mut draw = draw::Draw::of(&[]);
                $(
                    let Some($crate::shims::raw!($arg $($len)?)) = <$role as Role>::load(&mut saved, &mut draw) else {
                        return false;
                    };
                )*
                if !saved.is_read() {
                    return false;
                }
                // SAFETY: the roles made what the function wants, and the answer is used no more.
                unsafe { <$answer as Answer>::free(DISPATCHER($($arg $(, $len)?),*)) };
                true
            }

            /// What a side gives and leaves, case by case, without addresses.
            pub fn trace(function: Function, cases: draw::Cases) -> Vec<String> {
                cases.each(|draw| case(function, draw))
            }

            /// One case; `None` if it was there before.
            pub fn case(function: Function, draw: &mut draw::Draw) -> Option<String> {
                $(let $crate::shims::raw!($arg $($len)?) = <$role as Role>::draw(draw);)*
                if draw.is_spent() {
                    return None;
                }
                // SAFETY: the roles made what the function wants.
                let answer = unsafe { function($($arg $(, $len)?),*) };
                // SAFETY: the answer is the function's, and used no more.
                let answer = unsafe { <$answer as Answer>::describe_and_free(answer) };
                Some(format!("{answer} {}", draw.digest()))
            }

            /// What one iteration of the benchmark does: one of several random cases, in turn.
            pub fn work(function: Function) -> impl FnMut() {
                let is_restored = matches!(ENTRY.contract, switch::Contract::Cloned);
                let mut work = draw::Work::new(|draw| ($(<$role as Role>::draw(draw),)*));
                move || {
                    let ($($crate::shims::raw!($arg $($len)?),)*) = work.next(is_restored);
                    // SAFETY: the roles made what the function wants, and the answer is used no more.
                    unsafe { <$answer as Answer>::free(std::hint::black_box(function($($arg $(, $len)?),*))) };
                }
            }
        }
    )*

    /// The family's items.
    pub static ITEMS: &[$crate::shims::draw::Item] = &[$(
        #[cfg($name)]
        $crate::shims::draw::Item {
            name: stringify!($name),
            c: |draw| $name::case($name::C, draw),
            rust: |draw| $name::case($name::RUST, draw),
        },
    )*];
    };
}
pub(crate) use shims;

/// The `swap!` of an item, by its contract.
macro_rules! swap_of {
    (pure [$answer:ty] $($swap:tt)*) => {
        fn compare(c: &<$answer as Answer>::C, rust: &<$answer as Answer>::C) -> switch::Verdict {
            <$answer as $crate::shims::answer::Plain>::compare_plain(c, rust)
        }
        $crate::shims::swap_of! { @ (pure(compare)) $($swap)* }
    };
    (cloned [$answer:ty] $($swap:tt)*) => { $crate::shims::swap_of! { @ (cloned(shadow)) $($swap)* } };
    (@ ($($contract:tt)*) $(#[$meta:meta])* pub unsafe extern "C" fn $name:ident($($args:tt)*) -> $ret:ty;
        $swap:path, $signature:path, $c:ident) => {
        switch::swap! {
            $(#[$meta])*
            pub unsafe extern "C" fn $name($($args)*) -> $ret;
            swap: $swap,
            signature: $signature,
            c: $c,
            contract: $($contract)*,
            rust: rust,
            self_test: self_test,
            input: (save, rerun),
        }
    };
}
pub(crate) use swap_of;

/// The type of a length's parameter.
macro_rules! length {
    ($len:ident) => {
        softether_sys::UINT
    };
}
pub(crate) use length;

/// A parameter, or the two that one role takes together.
macro_rules! raw {
    ($arg:ident) => {
        $arg
    };
    ($arg:ident $len:ident) => {
        ($arg, $len)
    };
}
pub(crate) use raw;
