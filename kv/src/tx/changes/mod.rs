//! Changes told: what each commit has changed, to whoever has subscribed.
//!
//! A transaction that begins while somebody listens keeps a [`ChangeLog`]. Its commit, once it is visible and before the next
//! one can begin, hands the log to the [`Listeners`], and each of them takes what its [`Scope`] has into an [`Inbox`] of
//! bounded size. Nothing here waits for a listener: what does not fit is counted, and told as missed.

mod change;
mod inbox;
mod listeners;
mod log;
mod scope;
#[cfg(feature = "stream")]
mod stream;

pub use change::{Change, Name};
pub use inbox::{Changes, Event};
pub(crate) use listeners::Listeners;
pub(crate) use log::ChangeLog;
pub use scope::Scope;
