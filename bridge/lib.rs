//! SoftEther's own C.
