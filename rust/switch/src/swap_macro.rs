//! The `swap!` macro: one C function's signature, written once, becomes its exported dispatcher, the
//! declaration of its C twin, the check against bindgen's declaration, and its registry entry.

/// Defines the dispatcher of one swapped C function. Used once per file of the `swaps` crate.
///
/// ```text
/// switch::swap! {
///     /// Makes a BLOCK that owns `data`.
///     pub unsafe extern "C" fn NewBlock(data: *mut c_void, size: UINT, compress: c_int) -> *mut BLOCK;
///     swap: crate::NEW_BLOCK,              // the static `Swap`
///     signature: softether_sys::NewBlock,  // bindgen's declaration; another signature fails the build
///     c: c_NewBlock,                       // link name of the C twin
///     contract: cloned(shadow),            // see below
///     rust: rust,                          // unsafe fn of the same arguments and result
///     self_test: self_test,                // fn() -> Result<(), String>
/// }
/// ```
///
/// Contracts, which must be the one of the swap's [`Info`](crate::Info):
/// - `pure`: results are compared by [`compare_results`](crate::compare_results);
/// - `pure(compare)`: by `fn(&R, &R) -> Verdict`, control first;
/// - `cloned(shadow)`: `unsafe fn(arguments…, Control<'_, R>) -> Verdict` copies the state, calls
///   [`Control::run`](crate::Control::run), runs Rust on the copy and compares;
/// - `effect(failure)`: `failure` is the value to return after a panic. A line
///   `session: expression,` after the contract gives the `u64` session id that a percentage is drawn by,
///   from the arguments; without it the thread's session counts.
///
/// A line `input: (save, rerun),` at the end says how a call's input is written down where that was asked for
/// (`capture_to`), and how the call is made again from it:
/// - `save` is `unsafe fn(arguments…, &mut Vec<u8>) -> bool`, called before either side runs; `false` = it cannot be;
/// - `rerun` is `fn(&[u8]) -> bool`: calls the dispatcher with the same input; `false` = the bytes are none.
///
/// The file then has: the dispatcher under the C name, the C twin under its link name, and
/// `ENTRY: `[`Entry`](crate::Entry) for the registry. Arguments must be `Copy` and `Hash`.
///
/// A signature that is not bindgen's does not compile:
///
/// ```compile_fail,E0308
/// # use switch::{Contract, Info, Swap};
/// # static SWAP: Swap = Swap::new(Info {
/// #     index: 0, name: "f", symbol: "F", file: "", group: "", contract: Contract::Pure,
/// # });
/// mod sys {
///     unsafe extern "C" {
///         pub fn F(value: u32) -> u32;
///     }
/// }
/// switch::swap! {
///     pub unsafe extern "C" fn F(value: u64) -> u32;
///     swap: crate::SWAP,
///     signature: sys::F,
///     c: c_F,
///     contract: pure,
///     rust: rust,
///     self_test: self_test,
/// }
/// # unsafe fn rust(value: u64) -> u32 { 0 }
/// # fn self_test() -> Result<(), String> { Ok(()) }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! swap {
    (
        $(#[$meta:meta])*
        pub unsafe extern "C" fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?;
        swap: $swap:path,
        signature: $signature:path,
        c: $c:ident,
        contract: $contract:ident $(($($with:tt)+))?,
        $(session: $session:expr,)?
        rust: $rust:path,
        self_test: $self_test:path
        $(, input: ($save:path, $rerun:path))? $(,)?
    ) => {
        // The signature written here must be the C's, as bindgen reads it.
        const _: unsafe extern "C" fn($($ty),*) $(-> $ret)? = $signature;

        unsafe extern "C" {
            /// The C twin: the vendored function under its new link name.
            pub fn $c($($arg: $ty),*) $(-> $ret)?;
        }

        $(#[$meta])*
        ///
        /// # Safety
        /// The C function's own conditions.
        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
            if $crate::dispatch::is_c(&$swap) {
                // SAFETY: the caller keeps the C function's conditions.
                return unsafe { $c($($arg),*) };
            }
            // SAFETY: as above.
            unsafe { dispatch($($arg),*) }
        }

        /// A call that C does not serve at once.
        ///
        /// # Safety
        /// The C function's own conditions.
        #[inline(never)]
        unsafe extern "C" fn dispatch($($arg: $ty),*) $(-> $ret)? {
            $crate::swap!(@dispatch $contract [$($($with)+)?] [$($session)?] [$($save)?]
                [$($arg),*] $swap, $c, $rust)
        }

        /// This file's entry in the registry.
        pub static ENTRY: $crate::Entry = $crate::Entry {
            swap: &$swap,
            symbol: stringify!($name),
            contract: $crate::swap!(@contract $contract),
            self_test: $self_test,
            rerun: $crate::swap!(@rerun $($rerun)?),
            c_address: || $c as *const () as usize,
            rust_address: || $rust as *const () as usize,
        };
    };

    (@rerun) => { None };
    (@rerun $rerun:path) => { Some($rerun) };

    (@input [] [$($arg:ident),*]) => { None };
    (@input [$save:path] [$($arg:ident),*]) => {
        // SAFETY: the caller keeps the C function's conditions; `save` only reads.
        $crate::capture::taken(|input| unsafe { $save($($arg,)* input) })
    };

    (@contract pure) => { $crate::Contract::Pure };
    (@contract cloned) => { $crate::Contract::Cloned };
    (@contract effect) => { $crate::Contract::Effect };

    (@dispatch pure [] $session:tt $save:tt $args:tt $swap:path, $c:ident, $rust:path) => {
        $crate::swap!(@dispatch pure [$crate::compare_results] $session $save $args $swap, $c, $rust)
    };
    (@dispatch pure [$compare:path] [] $save:tt [$($arg:ident),*] $swap:path, $c:ident, $rust:path) => {
        $crate::dispatch::pure(
            &$swap,
            // SAFETY: the caller keeps the C function's conditions, which are those of both sides.
            move || unsafe { $c($($arg),*) },
            // SAFETY: as above.
            move || unsafe { $rust($($arg),*) },
            // What it was given is what it was: nothing has changed it.
            move |c, rust| $compare(c, rust).map_err(|it| it.input($crate::swap!(@input $save [$($arg),*]))),
            move || $crate::digest::<[u64]>(&[$($crate::digest(&$arg)),*]),
        )
    };
    (@dispatch cloned [$shadow:path] [] $save:tt [$($arg:ident),*] $swap:path, $c:ident, $rust:path) => {
        $crate::dispatch::cloned(
            &$swap,
            // SAFETY: the caller keeps the C function's conditions, which are those of both sides.
            move || unsafe { $c($($arg),*) },
            // SAFETY: as above.
            move || unsafe { $rust($($arg),*) },
            move |control| {
                let input = $crate::swap!(@input $save [$($arg),*]);
                // SAFETY: as above; the shadow function runs on the same arguments.
                unsafe { $shadow($($arg,)* control) }.map_err(|difference| difference.input(input))
            },
            move || $crate::digest::<[u64]>(&[$($crate::digest(&$arg)),*]),
        )
    };
    (@dispatch effect [$failure:expr] [] $save:tt $args:tt $swap:path, $c:ident, $rust:path) => {
        $crate::swap!(@dispatch effect [$failure] [$crate::current_session()] $save $args $swap, $c, $rust)
    };
    (@dispatch effect [$failure:expr] [$session:expr] [] [$($arg:ident),*]
        $swap:path, $c:ident, $rust:path) => {
        $crate::dispatch::effect(
            &$swap,
            move || $session,
            // SAFETY: the caller keeps the C function's conditions, which are those of both sides.
            move || unsafe { $c($($arg),*) },
            // SAFETY: as above.
            move || unsafe { $rust($($arg),*) },
            move || $failure,
        )
    };
}
