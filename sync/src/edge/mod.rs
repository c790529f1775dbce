//! The edge node's end: see [`io`] for the seam to its shell.

mod io;

pub use io::*;
