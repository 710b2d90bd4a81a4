//! The loop between terminal, state and view.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::execute;
use ratatui::{DefaultTerminal, try_init, try_restore};

use super::input::of_event;
use super::items::Items;
use super::state::State;
use super::view;

/// Shows the database until the person quits. The terminal is as it was afterwards, also after a panic.
///
/// # Errors
/// What the terminal refuses.
pub(crate) fn run(state: &mut State, items: &dyn Items, colours: bool) -> io::Result<()> {
    let mut terminal = try_init()?;
    let mouse = execute!(io::stdout(), EnableMouseCapture);
    let shown = mouse.and_then(|()| until_done(&mut terminal, state, items, colours));
    let released = execute!(io::stdout(), DisableMouseCapture);
    shown.and(released).and(try_restore())
}

/// How long a search waits for a key before it goes on. With no time at all nothing is looked at.
const LOOK: Duration = Duration::from_millis(1);

fn until_done(terminal: &mut DefaultTerminal, state: &mut State, items: &dyn Items, colours: bool) -> io::Result<()> {
    while !state.is_done() {
        let screen = state.screen(items);
        terminal.draw(|frame| view::draw(&screen, colours, frame))?;
        // A search goes on while nobody types.
        if state.is_busy() && !event::poll(LOOK)? {
            state.work(items);
        } else if let Some(input) = of_event(&event::read()?) {
            state.take(input, items);
        }
    }
    Ok(())
}
