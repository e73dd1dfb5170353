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
        self_test: $self_test:path $(,)?
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
            $crate::swap!(@dispatch $contract [$($($with)+)?] [$($session)?]
                [$($arg),*] $swap, $c, $rust)
        }

        /// This file's entry in the registry.
        pub static ENTRY: $crate::Entry = $crate::Entry {
            swap: &$swap,
            symbol: stringify!($name),
            contract: $crate::swap!(@contract $contract),
            self_test: $self_test,
            c_address: || $c as *const () as usize,
            rust_address: || $rust as *const () as usize,
        };
    };

    (@contract pure) => { $crate::Contract::Pure };
    (@contract cloned) => { $crate::Contract::Cloned };
    (@contract effect) => { $crate::Contract::Effect };

    (@dispatch pure [] $session:tt $args:tt $swap:path, $c:ident, $rust:path) => {
        $crate::swap!(@dispatch pure [$crate::compare_results] $session $args $swap, $c, $rust)
    };
    (@dispatch pure [$compare:path] [] [$($arg:ident),*] $swap:path, $c:ident, $rust:path) => {
        $crate::dispatch::pure(
            &$swap,
            // SAFETY: the caller keeps the C function's conditions, which are those of both sides.
            move || unsafe { $c($($arg),*) },
            // SAFETY: as above.
            move || unsafe { $rust($($arg),*) },
            $compare,
            move || $crate::digest::<[u64]>(&[$($crate::digest(&$arg)),*]),
        )
    };
    (@dispatch cloned [$shadow:path] [] [$($arg:ident),*] $swap:path, $c:ident, $rust:path) => {
        $crate::dispatch::cloned(
            &$swap,
            // SAFETY: the caller keeps the C function's conditions, which are those of both sides.
            move || unsafe { $c($($arg),*) },
            // SAFETY: as above.
            move || unsafe { $rust($($arg),*) },
            // SAFETY: as above; the shadow function runs on the same arguments.
            move |control| unsafe { $shadow($($arg,)* control) },
            move || $crate::digest::<[u64]>(&[$($crate::digest(&$arg)),*]),
        )
    };
    (@dispatch effect [$failure:expr] [] $args:tt $swap:path, $c:ident, $rust:path) => {
        $crate::swap!(@dispatch effect [$failure] [$crate::current_session()] $args $swap, $c, $rust)
    };
    (@dispatch effect [$failure:expr] [$session:expr] [$($arg:ident),*]
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
