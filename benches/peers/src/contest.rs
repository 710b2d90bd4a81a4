//! Rounds: every engine does the same work in turn, so that what else the machine does falls on all of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use indicatif::ProgressBar;
use tempfile::TempDir;

use crate::child::Child;
use crate::engines::Peer;
use crate::journal::{Figures, Journal, Outcome, Subject};
use crate::oracle::Oracle;
use crate::work::{Contents, Kind, Round, USUAL_LOAD, Work, everything};
use crate::{Durability, Reply, Result};

/// The programs that hold engines.
#[derive(Clone, Debug)]
pub struct Programs {
    /// This crate's own.
    pub here: PathBuf,
    /// The one made of `go`.
    pub go: PathBuf,
}

impl Programs {
    /// Builds the program of the engines in Go; quick if nothing has changed.
    ///
    /// # Errors
    /// If there is no Go that can.
    pub fn build_go(&self) -> Result<()> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("go");
        let mut go = Command::new("go");
        let built = go.current_dir(sources).args(["build", "-buildvcs=false", "-o"]).arg(&self.go).output();
        let built = built.map_err(|error| format!("`go` cannot be run ({error}); install Go 1.25 or newer"))?;
        if built.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&built.stderr).trim().into()) }
    }

    /// Starts the process of an engine with its store in `dir`, and answers what opening that took.
    ///
    /// # Errors
    /// If that fails.
    pub fn start(&self, peer: &Peer, dir: &Path, durability: Durability) -> Result<(Child, Reply)> {
        let mut command = match peer.open {
            Some(_) => Command::new(&self.here),
            None => Command::new(&self.go),
        };
        if peer.open.is_some() {
            command.arg("serve");
        }
        Child::start(command.arg(peer.name).arg(dir).arg(durability.name()))
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Pairs in the stores.
    pub pairs: u64,
    /// How many times each work is measured.
    pub rounds: usize,
}

/// Rounds for nothing have a number of their own.
const WARM_UP: usize = 4095;

/// An engine and its store.
struct Entrant {
    peer: &'static Peer,
    dir: TempDir,
    child: Option<(Durability, Child)>,
    contents: Contents,
}

/// A comparison that is going on.
pub struct Contest<'j> {
    extent: Extent,
    programs: Programs,
    entrants: Vec<Entrant>,
    journal: &'j mut Journal,
    progress: ProgressBar,
    oracles: HashMap<u64, Rc<Oracle>>,
}

impl<'j> Contest<'j> {
    /// Stores in new directories inside `dir` that vanish with the contest. `progress` counts turns.
    ///
    /// # Errors
    /// If a directory cannot be created.
    pub fn new(
        dir: &Path,
        extent: Extent,
        peers: &[&'static Peer],
        programs: Programs,
        journal: &'j mut Journal,
        progress: ProgressBar,
    ) -> Result<Self> {
        let entrant = |peer: &&'static Peer| {
            Ok(Entrant { peer, dir: TempDir::new_in(dir)?, child: None, contents: Contents::Nothing })
        };
        let entrants = peers.iter().map(entrant).collect::<Result<_>>()?;
        Ok(Self { extent, programs, entrants, journal, progress, oracles: HashMap::new() })
    }

    /// Measures what is still missing of a work.
    ///
    /// # Errors
    /// Those of the journal; what fails for one engine is kept there.
    pub fn hold(&mut self, work: &Work) -> Result<()> {
        for round in 0..self.extent.rounds {
            let turns: Vec<usize> =
                (0..self.entrants.len()).filter(|&entrant| self.is_missing(work, round, entrant)).collect();
            if turns.is_empty() {
                continue;
            }
            let oracle = self.oracle(work.pairs(self.extent.pairs));
            let numbers = work.round(&oracle, round);
            // Before anyone's turn, so that those follow each other.
            for &entrant in &turns {
                self.say(entrant, "prepares for", work);
                if let Err(error) = self.prepare(entrant, work, round == 0) {
                    self.fail(work, entrant, &error.to_string())?;
                }
            }
            // The first turn goes to another one each round.
            for turn in 0..turns.len() {
                let entrant = turns[(turn + round) % turns.len()];
                if !self.is_missing(work, round, entrant) {
                    continue;
                }
                self.say(entrant, "does", work);
                match self.turn(entrant, work, &numbers) {
                    Ok(figures) => {
                        let subject = self.subject(work, round, entrant);
                        self.journal.keep(subject, Outcome::Done(figures))?;
                        self.progress.inc(1);
                    }
                    Err(error) => self.fail(work, entrant, &error.to_string())?,
                }
            }
        }
        Ok(())
    }

    /// Turns of a work that are still missing.
    #[must_use]
    pub fn missing(&self, work: &Work) -> usize {
        let turns = |round| (0..self.entrants.len()).filter(|&entrant| self.is_missing(work, round, entrant)).count();
        (0..self.extent.rounds).map(turns).sum()
    }

    fn subject(&self, work: &Work, round: usize, entrant: usize) -> Subject {
        let engine = self.entrants[entrant].peer.name.to_owned();
        Subject { work: work.name.to_owned(), round, engine, pairs: self.extent.pairs }
    }

    fn is_missing(&self, work: &Work, round: usize, entrant: usize) -> bool {
        let outcome = self.journal.outcome(&self.subject(work, round, entrant));
        self.entrants[entrant].peer.does(work.name) && outcome.is_none()
    }

    fn oracle(&mut self, pairs: u64) -> Rc<Oracle> {
        self.oracles.entry(pairs).or_insert_with(|| Rc::new(Oracle::new(pairs))).clone()
    }

    fn say(&self, entrant: usize, does: &str, work: &Work) {
        self.progress.set_message(format!("{} {does} {}", self.entrants[entrant].peer.title, work.name));
    }

    /// The engine gives up this work, in all rounds, and its store.
    fn fail(&mut self, work: &Work, entrant: usize, why: &str) -> Result<()> {
        for round in 0..self.extent.rounds {
            if self.is_missing(work, round, entrant) {
                self.journal.keep(self.subject(work, round, entrant), Outcome::Failed(why.to_owned()))?;
                self.progress.inc(1);
            }
        }
        let entrant = &mut self.entrants[entrant];
        if let Some((_, child)) = entrant.child.take() {
            child.kill();
        }
        entrant.contents = Contents::Unknown;
        Ok(())
    }

    /// Has the store hold what the work needs, open as it needs, and in memory.
    fn prepare(&mut self, entrant: usize, work: &Work, first: bool) -> Result<()> {
        let oracle = self.oracle(self.extent.pairs);
        let before = work.before();
        if self.entrants[entrant].contents < before || before == Contents::Nothing {
            self.entrants[entrant].empty()?;
            if before > Contents::Nothing {
                let load = USUAL_LOAD.round(&oracle, 0);
                self.entrants[entrant].open(&self.programs, USUAL_LOAD.durability)?;
                self.entrants[entrant].run(&load)?;
                self.entrants[entrant].contents = Contents::JustLoaded;
            }
        }
        let entrant = &mut self.entrants[entrant];
        if work.kind == Kind::Memory {
            entrant.child = None;
        }
        let opened = entrant.open(&self.programs, work.durability)?;
        if opened && before > Contents::Nothing && work.kind != Kind::Memory {
            // Once through everything: what the file has is in memory, and in the process's map of it.
            entrant.child()?.ask(&everything(&oracle))?;
        }
        if (opened || first) && matches!(work.kind, Kind::Read(..) | Kind::ScanAll | Kind::Put(_)) {
            // Once for nothing: caches fill, what earlier work left unwritten goes out.
            entrant.run(&work.round(&oracle, WARM_UP))?;
            entrant.contents = work.after().min(entrant.contents);
        }
        Ok(())
    }

    fn turn(&mut self, entrant: usize, work: &Work, round: &Round) -> Result<Figures> {
        let entrant = &mut self.entrants[entrant];
        entrant.contents = Contents::Unknown;
        let (reply, anonymous) = entrant.run(round)?;
        entrant.contents = work.after();
        Ok(Figures::new(&reply, round.operations, anonymous))
    }
}

impl Entrant {
    fn empty(&mut self) -> Result<()> {
        self.child = None;
        for entry in std::fs::read_dir(self.dir.path())? {
            let path = entry?.path();
            if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
        }
        self.contents = Contents::Nothing;
        Ok(())
    }

    /// Opens the store unless it is open so; answers whether it was not.
    fn open(&mut self, programs: &Programs, durability: Durability) -> Result<bool> {
        if self.child.as_ref().is_some_and(|(open, _)| *open == durability) {
            return Ok(false);
        }
        self.child = None;
        self.child = Some((durability, programs.start(self.peer, self.dir.path(), durability)?.0));
        Ok(true)
    }

    fn child(&mut self) -> Result<&mut Child> {
        self.child.as_mut().map(|(_, child)| child).ok_or_else(|| "the store is not open".into())
    }

    /// Does a round and sees whether it was done. Answers what it took, and the process's own memory after it.
    fn run(&mut self, round: &Round) -> Result<(Reply, Option<u64>)> {
        let mut whole = Reply::default();
        for task in &round.tasks {
            whole.add(self.child()?.ask(task)?);
        }
        let anonymous = self.child()?.anonymous();
        if whole.sum != round.sum {
            return Err("it has read other values than were put".into());
        }
        if let Some((task, sum)) = &round.proof
            && self.child()?.ask(task)?.sum != *sum
        {
            return Err("the store does not hold afterwards what it should".into());
        }
        Ok((whole, anonymous))
    }
}
