//! Opening databases, making new files, and what signals do to a command.

pub(crate) mod interrupt;
pub(crate) mod new_file;
pub(crate) mod open;
pub(crate) mod size_limit;
pub(crate) mod survey;
pub(crate) mod walk;
