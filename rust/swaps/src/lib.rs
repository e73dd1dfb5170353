//! One file per swapped C function.
