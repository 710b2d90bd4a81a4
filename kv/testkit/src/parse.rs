//! Reads cases from their text form, as failures are reported.

use kv::FreelistSync;

use crate::case::{Case, Turn};
use crate::model::Model;
use crate::program::{Action, BucketPath, Command, ROOT_TEXT, Settings, Step, Transaction, Value};
use crate::text::parse_hex;

/// A case on a new file: `turn PAGE-SIZE array|hashmap each-commit|on-close|log`, and
/// the lines of its program, over again.
///
/// # Panics
/// If the text has another form.
#[must_use]
pub fn case(text: &str) -> Case {
    let mut turns: Vec<Turn> = Vec::new();
    let mut commands = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "turn" {
            turns.push(Turn { settings: settings(&words[1..]), program: Vec::new() });
            continue;
        }
        let turn = turns.last_mut().expect("a turn comes first");
        match words[0] {
            "begin" => commands.clear(),
            "reopen" => turn.program.push(Step::Reopen),
            end @ ("commit" | "rollback") => {
                let transaction = Transaction { commands: commands.split_off(0), commits: end == "commit" };
                turn.program.push(Step::Transaction(transaction));
            }
            _ => commands.push(command(&words)),
        }
    }
    Case { start: Model::default(), turns }
}

fn settings(words: &[&str]) -> Settings {
    let freelist_sync = match words[2] {
        "each-commit" => FreelistSync::Every,
        "on-close" => FreelistSync::OnClose,
        _ => FreelistSync::Log,
    };
    Settings::new(words[0].parse().expect("a page size"), words[1] == "hashmap", freelist_sync)
}

fn command(words: &[&str]) -> Command {
    let key = |index: usize| value(words[index]).bytes();
    let number = |index: usize| words[index].parse::<u64>().expect("a number");
    let action = match words[0] {
        "create" => Action::Create,
        "create-if-absent" => Action::CreateIfAbsent,
        "delete-bucket" => Action::DeleteBucket,
        "move" => Action::Move(path(words[2])),
        "thin" => Action::Thin(words[2].parse().expect("a number")),
        "delete-range" => Action::DeleteRange(key(2), key(3)),
        "clear" => Action::Clear,
        "retain" => Action::Retain(words[2].parse().expect("a number")),
        "put" => Action::Put(key(2), value(words[3])),
        "del" => Action::Delete(key(2)),
        "get" => Action::Get(key(2)),
        "seek" => Action::Seek(key(2)),
        "scan" => Action::Scan,
        "sweep" => Action::Sweep(key(2), words[3].parse().expect("a number")),
        "set-seq" => Action::SetSequence(number(2)),
        "next-seq" => Action::NextSequence,
        other => panic!("no command: {other}"),
    };
    Command { path: path(words[1]), action }
}

fn path(text: &str) -> BucketPath {
    if text == ROOT_TEXT { Vec::new() } else { text.split('/').map(|name| value(name).bytes()).collect() }
}

fn value(text: &str) -> Value {
    let Some((len, seed)) = text.strip_prefix('#').and_then(|text| text.split_once(':')) else {
        return Value::Plain(parse_hex(text));
    };
    Value::Expanded { len: len.parse().expect("a length"), seed: seed.parse().expect("a seed") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;
    use crate::text::expand;

    #[test]
    fn a_case_is_read_as_it_was_printed() {
        for (seed, for_bbolt) in (0..20).flat_map(|seed| [(seed, true), (seed, false)]) {
            let printed = generate::case(seed, Model::default(), for_bbolt).to_string();
            assert_eq!(case(&printed).to_string(), printed, "seed {seed}");
        }
        assert_eq!(value("#9:1").bytes(), expand(9, 1));
    }
}
