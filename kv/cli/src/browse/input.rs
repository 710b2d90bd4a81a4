//! Keys and mouse, as the model knows them.

use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};

/// One thing that a person does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Tab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Click { column: u16, row: u16 },
    WheelUp { column: u16 },
    WheelDown { column: u16 },
    Resize { columns: u16, rows: u16 },
    Quit,
}

/// What an event of the terminal is, if it is anything here.
pub(crate) fn of_event(event: &Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind == KeyEventKind::Release => None,
        Event::Key(key) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            (key.code == KeyCode::Char('c')).then_some(Input::Quit)
        }
        Event::Key(key) => of_key(key.code),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Input::Click { column: mouse.column, row: mouse.row }),
            MouseEventKind::ScrollUp => Some(Input::WheelUp { column: mouse.column }),
            MouseEventKind::ScrollDown => Some(Input::WheelDown { column: mouse.column }),
            _ => None,
        },
        Event::Resize(columns, rows) => Some(Input::Resize { columns: *columns, rows: *rows }),
        _ => None,
    }
}

fn of_key(code: KeyCode) -> Option<Input> {
    Some(match code {
        KeyCode::Char(c) => Input::Char(c),
        KeyCode::Enter => Input::Enter,
        KeyCode::Esc => Input::Escape,
        KeyCode::Backspace => Input::Backspace,
        KeyCode::Tab => Input::Tab,
        KeyCode::Up => Input::Up,
        KeyCode::Down => Input::Down,
        KeyCode::Left => Input::Left,
        KeyCode::Right => Input::Right,
        KeyCode::PageUp => Input::PageUp,
        KeyCode::PageDown => Input::PageDown,
        KeyCode::Home => Input::Home,
        KeyCode::End => Input::End,
        _ => return None,
    })
}

/// Keys as an argument spells them: characters, and names in `<>`, such as `<Down>`.
///
/// # Errors
/// A name that no key has.
pub(crate) fn inputs(text: &str) -> Result<Vec<Input>, String> {
    let (mut inputs, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let key = rest.strip_prefix('<').and_then(|named| named.split_once('>'));
        if let Some((name, after)) = key.filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphabetic())) {
            inputs.push(named(name).ok_or_else(|| format!("there is no key <{name}>"))?);
            rest = after;
        } else {
            inputs.push(Input::Char(c));
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(inputs)
}

fn named(name: &str) -> Option<Input> {
    Some(match name {
        "Enter" => Input::Enter,
        "Esc" => Input::Escape,
        "Backspace" => Input::Backspace,
        "Tab" => Input::Tab,
        "Up" => Input::Up,
        "Down" => Input::Down,
        "Left" => Input::Left,
        "Right" => Input::Right,
        "PageUp" => Input::PageUp,
        "PageDown" => Input::PageDown,
        "Home" => Input::Home,
        "End" => Input::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelt_by_their_names() {
        assert_eq!(
            inputs("g<<Down>x<Enter>").unwrap(),
            [Input::Char('g'), Input::Char('<'), Input::Down, Input::Char('x'), Input::Enter]
        );
        assert!(inputs("<Nonsense>").is_err());
        assert_eq!(inputs("a<b").unwrap().len(), 3);
    }

    #[test]
    fn control_c_quits_and_releases_are_nothing() {
        use ratatui::crossterm::event::KeyEvent;
        let control = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert_eq!(of_event(&control), Some(Input::Quit));
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::NONE);
        assert_eq!(of_event(&Event::Key(key)), Some(Input::Char('c')));
        let released = KeyEvent { kind: KeyEventKind::Release, ..key };
        assert_eq!(of_event(&Event::Key(released)), None);
    }
}
