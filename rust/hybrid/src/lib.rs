//! The static library that the Zig client links.
