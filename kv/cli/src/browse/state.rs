//! The model: what a person has done so far, and what is to be seen of it.

use super::input::Input;
use super::items::{Change, Found, Items, Map, Path, Place};
use super::prompt::{Prompt, Question, place};
use super::tree::{Row, Tree};
use super::value::Form;
use super::view::Areas;
use crate::failure::Result;
use crate::notation::named;

/// Items that a search looks at before it looks for input again.
const SEARCH_STEP: usize = 20_000;
/// Rows that a turn of the wheel moves.
const WHEEL: isize = 3;

/// What keys do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Mode {
    #[default]
    Look,
    Ask(Prompt),
    Confirm(Change),
}

/// A search that goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Search {
    path: Path,
    after: Option<Vec<u8>>,
    text: Vec<u8>,
    looked: usize,
}

/// Everything but the database.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(super) name: String,
    pub(super) columns: u16,
    pub(super) rows: u16,
    pub(super) tree: Tree,
    pub(super) mode: Mode,
    pub(super) form: Form,
    /// The first line of the value that is shown.
    pub(super) scroll: usize,
    /// Whether arrows move in the value, and not in the tree.
    pub(super) in_value: bool,
    /// Whether pages are shown, and the map of the file once it was drawn.
    pub(super) show_pages: bool,
    pub(super) map: Option<Map>,
    pub(super) search: Option<Search>,
    /// What was searched for last.
    pub(super) sought: Vec<u8>,
    pub(super) message: String,
    pub(super) done: bool,
}

impl State {
    /// The beginning: the first bucket of the file called `name` is selected.
    pub(crate) fn new(name: String, columns: u16, rows: u16, items: &dyn Items) -> Result<Self> {
        let mut tree = Tree::default();
        tree.first(items)?;
        Ok(Self {
            name,
            columns,
            rows,
            tree,
            mode: Mode::Look,
            form: Form::Auto,
            scroll: 0,
            in_value: false,
            show_pages: false,
            map: None,
            search: None,
            sought: Vec::new(),
            message: String::new(),
            done: false,
        })
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    /// Whether a search goes on, which [`work`](Self::work) does step by step.
    pub(crate) const fn is_busy(&self) -> bool {
        self.search.is_some()
    }

    pub(super) fn areas(&self) -> Areas {
        Areas::of(self.columns, self.rows, self.show_pages)
    }

    pub(super) fn height(&self) -> usize {
        self.areas().tree_lines()
    }

    /// Takes an input. What the database refuses becomes the message.
    pub(crate) fn take(&mut self, input: Input, items: &dyn Items) {
        self.search = None;
        let taken = match (input, self.mode.clone()) {
            (Input::Quit, _) => {
                self.done = true;
                Ok(())
            }
            (Input::Resize { columns, rows }, _) => {
                (self.columns, self.rows, self.map) = (columns, rows, None);
                Ok(())
            }
            (input, Mode::Look) => self.look(input, items),
            (input, Mode::Ask(prompt)) => self.ask(input, prompt, items),
            (input, Mode::Confirm(change)) => self.confirm(input, &change, items),
        };
        self.note(taken);
    }

    pub(super) fn note(&mut self, result: Result<()>) {
        if let Err(failure) = result {
            self.message = failure.message(None).1;
        }
    }

    fn look(&mut self, input: Input, items: &dyn Items) -> Result<()> {
        self.message.clear();
        let (page, height) = (self.height().saturating_sub(1).max(1), self.height());
        let page = isize::try_from(page).unwrap_or(1);
        match input {
            Input::Char('q') => self.done = true,
            Input::Up | Input::Char('k') => self.move_by(items, -1)?,
            Input::Down | Input::Char('j') => self.move_by(items, 1)?,
            Input::PageUp => self.move_by(items, -page)?,
            Input::PageDown => self.move_by(items, page)?,
            Input::Home if self.in_value => self.scroll = 0,
            Input::Home => self.in_tree(|tree| tree.first(items))?,
            Input::End if self.in_value => self.scroll = usize::MAX,
            Input::End => self.in_tree(|tree| tree.last(items, height))?,
            Input::Right | Input::Enter | Input::Char('l') => self.tree.unfold(),
            Input::Left | Input::Char('h') => self.in_tree(|tree| {
                tree.fold();
                Ok(())
            })?,
            Input::Tab => self.in_value = !self.in_value,
            Input::Char('v') => (self.form, self.scroll) = (self.form.next(), 0),
            Input::Char('p') => (self.show_pages, self.map) = (!self.show_pages, None),
            Input::Char('n') => self.search_on(),
            Input::Escape => drop(self.tree.set_filter(items, &self.tree.here(), Vec::new())?),
            Input::Click { column, row } => self.click(items, column, row)?,
            Input::WheelUp { column } => self.wheel(items, column, -WHEEL)?,
            Input::WheelDown { column } => self.wheel(items, column, WHEEL)?,
            Input::Char(c) => self.begin(c, items)?,
            _ => {}
        }
        Ok(())
    }

    /// The keys that ask for more.
    fn begin(&mut self, key: char, items: &dyn Items) -> Result<()> {
        let here = self.tree.here();
        let question = match key {
            'g' => Question::GoTo(here),
            '/' => Question::Search(here),
            'f' => Question::Filter(here),
            'a' | 'e' | 'd' | 'b' if !items.writable() => {
                self.message = "opened for reading: `kv browse --write` changes the file".into();
                return Ok(());
            }
            'a' => Question::Key(self.bucket_for_keys(here)),
            'b' => Question::Bucket(here),
            'd' => {
                self.ask_to_delete();
                return Ok(());
            }
            'e' => return self.edit(items),
            _ => return Ok(()),
        };
        self.mode = Mode::Ask(Prompt::new(question));
        Ok(())
    }

    /// The root has buckets only: a key is put into the bucket that is selected there.
    fn bucket_for_keys(&self, here: Path) -> Path {
        match &self.tree.selected {
            Some(row) if here.is_empty() && row.item.is_bucket() => row.inside(),
            _ => here,
        }
    }

    fn ask_to_delete(&mut self) {
        let Some(Row { path, item }) = self.tree.selected.clone() else { return };
        self.mode = Mode::Confirm(if item.is_bucket() {
            Change::DeleteBucket { path, name: item.key }
        } else {
            Change::Delete { path, key: item.key }
        });
    }

    /// Asks for a new value, beginning with the old one if it can be typed.
    fn edit(&mut self, items: &dyn Items) -> Result<()> {
        const TYPED_MAX: usize = 4096;
        let Some(Row { path, item }) = self.tree.selected.clone() else { return Ok(()) };
        match item.len {
            None => self.message = "a bucket has no value".into(),
            Some(len) if len > TYPED_MAX => {
                self.message =
                    format!("a value of more than {TYPED_MAX} bytes is not typed: see `kv put --value-from`");
            }
            Some(_) => {
                let old = items.value(&path, &item.key, TYPED_MAX)?.unwrap_or_default();
                let question = Question::Value(path, item.key);
                self.mode = Mode::Ask(Prompt { question, text: named(&old) });
            }
        }
        Ok(())
    }

    fn ask(&mut self, input: Input, mut prompt: Prompt, items: &dyn Items) -> Result<()> {
        match input {
            Input::Escape => self.mode = Mode::Look,
            Input::Enter => {
                let bytes = prompt.bytes()?;
                self.mode = Mode::Look;
                self.message.clear();
                self.answer(prompt.question, bytes, items)?;
            }
            Input::Char(c) => {
                self.message.clear();
                prompt.text.push(c);
                self.mode = Mode::Ask(prompt);
            }
            Input::Backspace => {
                self.message.clear();
                prompt.text.pop();
                self.mode = Mode::Ask(prompt);
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, question: Question, bytes: Vec<u8>, items: &dyn Items) -> Result<()> {
        match question {
            Question::GoTo(path) => self.go_to(path, &bytes, items),
            Question::Search(path) => {
                self.sought = bytes;
                self.search_from(path, None);
                Ok(())
            }
            Question::Filter(path) => {
                self.scroll = 0;
                if !self.tree.set_filter(items, &path, bytes.clone())? {
                    self.message = format!("no key{} begins with {}", place(&path), named(&bytes));
                }
                Ok(())
            }
            Question::Key(path) => {
                self.mode = Mode::Ask(Prompt::new(Question::Value(path, bytes)));
                Ok(())
            }
            Question::Value(path, key) => {
                self.mode = Mode::Confirm(Change::Put { path, key, value: bytes });
                Ok(())
            }
            Question::Bucket(path) => {
                self.mode = Mode::Confirm(Change::NewBucket { path, name: bytes });
                Ok(())
            }
        }
    }

    fn go_to(&mut self, path: Path, key: &[u8], items: &dyn Items) -> Result<()> {
        let Some(item) = items.item(&path, Place::From(key), b"")? else {
            self.message = format!("no key{} comes at or after {}", place(&path), named(key));
            return Ok(());
        };
        if item.key != key {
            self.message = format!("there is no {}: this is the next key", named(key));
        }
        self.scroll = 0;
        self.tree.select(Row { path, item }, self.height());
        Ok(())
    }

    fn search_from(&mut self, path: Path, after: Option<Vec<u8>>) {
        self.search = Some(Search { path, after, text: self.sought.clone(), looked: 0 });
    }

    /// Looks for the same again, after what is selected.
    fn search_on(&mut self) {
        if let Some(row) = self.tree.selected.clone().filter(|_| !self.sought.is_empty()) {
            self.search_from(row.path, Some(row.item.key));
        }
    }

    /// The next step of the search that goes on.
    pub(crate) fn work(&mut self, items: &dyn Items) {
        let Some(mut search) = self.search.take() else { return };
        match items.search(&search.path, search.after.as_deref(), &search.text, SEARCH_STEP) {
            Ok(Found::Item(item)) => {
                self.message.clear();
                self.scroll = 0;
                self.tree.select(Row { path: search.path, item }, self.height());
            }
            Ok(Found::Nowhere) => {
                let place = place(&search.path);
                self.message = format!("no key{place} from here to the end has {}", named(&search.text));
            }
            Ok(Found::NotYet(after)) => {
                search.looked += SEARCH_STEP;
                self.message = format!("looked at {} keys; any key ends the search", search.looked);
                search.after = Some(after);
                self.search = Some(search);
            }
            Err(failure) => self.note(Err(failure)),
        }
    }

    fn confirm(&mut self, input: Input, change: &Change, items: &dyn Items) -> Result<()> {
        match input {
            Input::Char('y' | 'Y') => {
                self.mode = Mode::Look;
                items.change(change)?;
                self.map = None;
                self.message = "done".into();
                self.show_change(change, items)
            }
            Input::Char(_) | Input::Escape => {
                self.mode = Mode::Look;
                self.message = "nothing was changed".into();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn show_change(&mut self, change: &Change, items: &dyn Items) -> Result<()> {
        self.scroll = 0;
        match change {
            Change::Put { path, key, .. } | Change::NewBucket { path, name: key } => {
                if let Some(item) = items.item(path, Place::From(key), b"")? {
                    self.tree.select(Row { path: path.clone(), item }, self.height());
                }
                Ok(())
            }
            Change::Delete { .. } | Change::DeleteBucket { .. } => self.tree.gone(items),
        }
    }

    fn in_tree(&mut self, to: impl FnOnce(&mut Tree) -> Result<()>) -> Result<()> {
        self.scroll = 0;
        to(&mut self.tree)
    }

    fn move_by(&mut self, items: &dyn Items, rows: isize) -> Result<()> {
        if self.in_value {
            self.scroll = self.scroll.saturating_add_signed(rows);
            return Ok(());
        }
        let height = self.height();
        self.in_tree(|tree| tree.step(items, rows, height))
    }

    fn wheel(&mut self, items: &dyn Items, column: u16, rows: isize) -> Result<()> {
        self.in_value = !self.areas().is_tree(column);
        self.move_by(items, rows)
    }

    /// A click selects; on what is selected, it unfolds or folds.
    fn click(&mut self, items: &dyn Items, column: u16, row: u16) -> Result<()> {
        self.in_value = !self.areas().is_tree(column);
        let Some(line) = self.areas().tree_line(column, row) else { return Ok(()) };
        let (before, height) = (self.tree.selected.clone(), self.height());
        if self.tree.click(items, line, height)? && self.tree.selected == before {
            let unfolded = before.is_some_and(|row| self.tree.is_unfolded(&row.inside()));
            if unfolded { self.tree.fold() } else { self.tree.unfold() }
        } else {
            self.scroll = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::inputs;
    use super::super::shown::{Line, Screen};
    use super::super::tree::tests::Model;
    use super::*;

    fn zoo() -> Model {
        Model::with(&[
            (&["birds"], None),
            (&["birds", "owl"], Some("hoot")),
            (&["cats"], None),
            (&["cats", "leo"], Some("roar")),
            (&["cats", "tom"], Some("meow")),
            (&["cats", "wild"], None),
            (&["cats", "wild", "lynx"], Some("hiss")),
        ])
    }

    /// Types `keys`; the screen after them.
    fn after(model: &Model, keys: &str) -> Screen {
        let mut state = State::new("zoo.db".into(), 80, 20, model).unwrap();
        for input in inputs(keys).unwrap() {
            state.take(input, model);
            while state.is_busy() {
                state.work(model);
            }
            state.screen(model);
        }
        state.screen(model)
    }

    fn tree(screen: &Screen) -> Vec<String> {
        let text = |line: &Line| format!("{}{}{}", " ".repeat(line.depth), line.mark, line.text);
        let mut lines: Vec<String> = screen.rows.iter().map(text).collect();
        if let Some(line) = lines.get_mut(screen.selected) {
            line.push_str(" <");
        }
        lines
    }

    #[test]
    fn buckets_unfold_and_fold() {
        let zoo = zoo();
        assert_eq!(tree(&after(&zoo, "")), ["+birds <", "+cats"]);
        assert_eq!(tree(&after(&zoo, "<Right><Down>")), ["-birds", "  owl <", "+cats"]);
        assert_eq!(
            tree(&after(&zoo, "j<Enter>jjj<Enter><End>")),
            ["+birds", "-cats", "  leo", "  tom", " -wild", "   lynx <"]
        );
        assert_eq!(tree(&after(&zoo, "<Right><Down><Left>")), ["-birds <", "  owl", "+cats"]);
        assert_eq!(tree(&after(&zoo, "<Right><Down><Left><Left>")), ["+birds <", "+cats"]);
        assert_eq!(after(&zoo, "j<Enter>j").value, ["roar"]);
    }

    #[test]
    fn a_key_is_gone_to_found_and_filtered() {
        let zoo = zoo();
        assert_eq!(tree(&after(&zoo, "j<Enter>gtom<Enter>"))[3], "  tom <");
        let next = after(&zoo, "j<Enter>gm<Enter>");
        assert_eq!((&tree(&next)[3][..], &next.message[..]), ("  tom <", "there is no m: this is the next key"));
        assert!(after(&zoo, "j<Enter>gz<Enter>").message.contains("no key in cats comes at or after z"));
        assert_eq!(tree(&after(&zoo, "j<Enter>/o<Enter>"))[2], "  leo <");
        assert_eq!(tree(&after(&zoo, "j<Enter>/o<Enter>n"))[3], "  tom <");
        assert!(after(&zoo, "j<Enter>/o<Enter>nn").message.starts_with("no key in cats from here to the end has o"));
        assert_eq!(tree(&after(&zoo, "j<Enter>ft<Enter>")), ["+birds", "-cats  [t*]", "  tom <"]);
        assert_eq!(tree(&after(&zoo, "j<Enter>ft<Enter><Esc>")).len(), 5);
        assert!(after(&zoo, "j<Enter>fz<Enter>").message.contains("no key in cats begins with z"));
    }

    #[test]
    fn nothing_is_changed_without_a_yes() {
        for no in ["n", "<Esc>", "x"] {
            let zoo = zoo();
            let screen = after(&zoo, &format!("j<Enter>jd{no}"));
            assert_eq!(screen.message, "nothing was changed");
            assert_eq!(zoo.all.borrow().len(), 7);
        }
        let zoo = zoo();
        assert_eq!(after(&zoo, "j<Enter>jd").message, "delete leo in cats?");
        assert_eq!(tree(&after(&zoo, "j<Enter>jdy")), ["+birds", "-cats", "  tom <", " +wild"]);
        assert_eq!(zoo.all.borrow().len(), 6);
    }

    #[test]
    fn keys_and_buckets_are_made_changed_and_deleted() {
        let zoo = zoo();
        let put = after(&zoo, "aemu<Enter>boom<Enter>");
        assert_eq!(put.message, "put emu = boom (4 bytes) in birds?");
        let put = after(&zoo, "aemu<Enter>boom<Enter>y");
        assert_eq!((tree(&put)[1].as_str(), &put.value[..]), ("  emu <", &["boom".to_owned()][..]));
        let edited = after(&zoo, "<Enter>je<Backspace>K<Enter>y");
        assert_eq!(edited.value, ["booK"]);
        after(&zoo, "bfish<Enter>y");
        assert!(zoo.all.borrow().contains_key(&vec![b"fish".to_vec()]));
        assert_eq!(after(&zoo, "jd").message, "delete bucket cats and everything in it?");
        assert_eq!(tree(&after(&zoo, "jdy")), ["+birds", "+fish <"]);
        let wrong = after(&zoo, "<Enter>je<Backspace><Backspace><Backspace><Backspace>hex:zz<Enter>");
        assert!(wrong.typing && wrong.message.contains("is not hex"), "{}", wrong.message);
    }

    #[test]
    fn the_mouse_selects_unfolds_and_scrolls() {
        let zoo = zoo();
        let mut state = State::new("zoo.db".into(), 80, 20, &zoo).unwrap();
        let click = Input::Click { column: 3, row: 3 };
        state.take(click, &zoo);
        assert_eq!(tree(&state.screen(&zoo)), ["+birds", "+cats <"]);
        state.take(click, &zoo);
        assert_eq!(tree(&state.screen(&zoo)).len(), 5);
        state.take(Input::WheelDown { column: 3 }, &zoo);
        assert_eq!(tree(&state.screen(&zoo))[4], " +wild <");
        state.take(Input::WheelDown { column: 70 }, &zoo);
        assert!(state.screen(&zoo).in_value);
        state.take(Input::Click { column: 3, row: 19 }, &zoo);
        state.take(Input::Quit, &zoo);
        assert!(state.is_done());
    }

    #[test]
    fn pages_and_the_map_are_shown_when_asked_for() {
        let zoo = zoo();
        let screen = after(&zoo, "");
        assert_eq!((screen.pages, screen.map), (None, None));
        let screen = after(&zoo, "p");
        assert_eq!((screen.pages.unwrap()[0].page, screen.map.unwrap().each), (7, 2));
    }

    /// No input at any size of the terminal ends it with a panic, and no loop of screens loses the selected row.
    #[test]
    fn any_input_at_any_size() {
        let mut random = kv_testkit::Random::new(3);
        let keys = inputs(
            "jklhgvpn/fabdexyq0<Up><Down><Left><Right><Enter><Esc><Tab><Home><End><PageUp><PageDown><Backspace>",
        )
        .unwrap();
        for _ in 0..60 {
            let zoo = zoo();
            let mut state = State::new("zoo.db".into(), 80, 24, &zoo).unwrap();
            for _ in 0..80 {
                let small = |random: &mut kv_testkit::Random| u16::try_from(random.below(120)).unwrap();
                let input = match random.below(12) {
                    0 => Input::Resize { columns: small(&mut random), rows: small(&mut random) },
                    1 => Input::Click { column: small(&mut random), row: small(&mut random) },
                    2 => Input::WheelUp { column: small(&mut random) },
                    _ => keys[random.below(keys.len())],
                };
                state.take(input, &zoo);
                state.work(&zoo);
                let screen = state.screen(&zoo);
                assert!(screen.rows.is_empty() || screen.selected < screen.rows.len());
            }
        }
    }
}
