//! What commits with a redo log need below the tree: the ring of units in the file ([`ring`]), and the changed pages in
//! memory that the file does not have before the next checkpoint ([`resident`]).

mod resident;
mod ring;

pub(crate) use resident::{Frozen, Generation, Resident, ResidentView, SLOTS_MAX};
pub(crate) use ring::{Ring, Unit, read_units};
