//! A case: programs that engines run by turns on one file.

use std::fmt;

use crate::model::Model;
use crate::program::{Settings, Step, program_text};

/// One engine's share of a case.
#[derive(Clone, Debug)]
pub struct Turn {
    /// How the engine opens the file.
    pub settings: Settings,
    /// What it does.
    pub program: Vec<Step>,
}

/// Programs to run one after the other on one file.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the file holds at first.
    pub start: Model,
    /// One after the other.
    pub turns: Vec<Turn>,
}

impl fmt::Display for Case {
    /// The form that [`parse`](crate::parse) reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.turns.iter().try_for_each(|turn| write!(f, "turn {}\n{}", turn.settings, program_text(&turn.program)))
    }
}
