//! Looking around in a database, in a terminal.
//!
//! - `items`: what is asked of the database: the items beside a place, a value, a page. Everything is read when it is to be
//!   shown, so a file of any size opens at once
//! - `database`: the open file that answers
//! - `input`: keys and mouse
//! - `state`: the model: input in, state out; `tree` moves in it, `prompt` asks
//! - `value`: a value as text, hex, JSON, or as etcd's row, of which `etcd` knows
//! - `shown`: what is to be seen of the state
//! - `view`: that on a screen
//! - `screen`: the loop between terminal, state and view
//! - `picture`: a screen as SVG

mod database;
mod etcd;
mod input;
mod items;
mod picture;
mod prompt;
mod screen;
mod shown;
mod state;
mod tree;
mod value;
mod view;

pub(crate) use database::Database;
pub(crate) use input::{Input, inputs};
pub(crate) use picture::draw as picture;
pub(crate) use screen::run;
pub(crate) use state::State;
