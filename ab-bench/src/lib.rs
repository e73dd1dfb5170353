//! The lab, the A/B harness and the benchmarks.
