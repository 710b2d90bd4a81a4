//! Opening files, making new ones, and what an interrupt leaves.

pub(crate) mod interrupt;
pub(crate) mod new_file;
pub(crate) mod open;
