//! Run-time cutover: modes, contracts, shadow comparison, demotion and counters.
