//! Nothing: the tests are what this crate is for. It is apart from `mayaqua` since trybuild compiles a crate's dependencies for
//! tests once more, and those of `mayaqua` are large.

#![forbid(unsafe_code)]
