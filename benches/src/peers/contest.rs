//! Rounds: every engine does the same work in turn, so that what else the machine does falls on all of them.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::stopwatch::{Spent, measure};
use super::{CONTESTANTS, Durability, Engine, Kind, Result, Work};
use crate::workload::Random;

type Engines = Vec<Box<dyn Engine>>;

/// A comparison that is going on: the stores, and how they are open.
pub struct Contest {
    dirs: Vec<TempDir>,
    engines: Engines,
    open: Option<Durability>,
    pairs: u64,
    rounds: usize,
    fresh: u64,
    random: Random,
}

/// The outcome of one work, for one engine.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Processor time of an operation: the median of the rounds.
    pub cpu: Duration,
    /// Time on the wall of an operation: the median of the rounds.
    pub wall: Duration,
    /// How many times as fast as the first engine by processor time: the median of the rounds' ratios.
    pub cpu_ratio: f64,
    /// The same by time on the wall.
    pub wall_ratio: f64,
    /// The least and the largest of the rounds' ratios by processor time.
    pub cpu_ratios: (f64, f64),
}

impl Contest {
    /// Stores for `pairs` pairs, in new directories inside `dir` that vanish with the contest.
    ///
    /// # Errors
    /// If a directory cannot be created.
    pub fn new(dir: &Path, pairs: u64, rounds: usize) -> Result<Self> {
        let dirs = CONTESTANTS.iter().map(|_| TempDir::new_in(dir)).collect::<std::io::Result<_>>()?;
        let random = Random::new(0x5EED);
        Ok(Self { dirs, engines: Vec::new(), open: None, pairs, rounds: rounds.max(1), fresh: pairs, random })
    }

    /// Runs `work` with all engines in every round, and compares them. A work that is not a load needs a load before it.
    ///
    /// # Errors
    /// Those of the engines.
    pub fn hold(&mut self, work: &Work) -> Result<Vec<Standing>> {
        let mut rounds = Vec::new();
        for round in 0..self.rounds {
            if let Kind::Load(_) = work.kind {
                self.begin_anew()?;
            }
            self.reopen(work.durability)?;
            if round == 0 && !matches!(work.kind, Kind::Load(_)) {
                // Once for nothing: caches fill, what earlier work left unwritten goes out.
                self.round(work, 0)?;
            }
            rounds.push(self.round(work, round)?);
        }
        Ok((0..CONTESTANTS.len()).map(|engine| standing(&rounds, engine)).collect())
    }

    /// Loads the stores without measuring.
    ///
    /// # Errors
    /// Those of the engines.
    pub fn load(&mut self, work: &Work) -> Result<()> {
        self.begin_anew()?;
        self.reopen(work.durability)?;
        self.round(work, 0).map(|_| ())
    }

    /// One turn for each engine; the first turn goes to another one each round. Answers times per operation.
    fn round(&mut self, work: &Work, round: usize) -> Result<Vec<Spent>> {
        let numbers = work.numbers(self.pairs, &mut self.fresh, &mut self.random);
        let operations = u32::try_from(work.count(&numbers))?.max(1);
        let mut expected = work.expected(&numbers);
        let mut spent = vec![None; self.engines.len()];
        for turn in 0..self.engines.len() {
            let engine = (turn + round) % self.engines.len();
            let (sum, time) = measure(|| work.run(&*self.engines[engine], &numbers));
            let sum = sum?;
            if *expected.get_or_insert(sum) != sum {
                return Err(format!("{} read other values in {:?}", CONTESTANTS[engine].0, work.name).into());
            }
            spent[engine] = Some(Spent { cpu: time.cpu / operations, wall: time.wall / operations });
        }
        Ok(spent.into_iter().flatten().collect())
    }

    fn begin_anew(&mut self) -> Result<()> {
        self.engines.clear();
        self.open = None;
        for dir in &self.dirs {
            for file in std::fs::read_dir(dir.path())? {
                std::fs::remove_file(file?.path())?;
            }
        }
        Ok(())
    }

    fn reopen(&mut self, durability: Durability) -> Result<()> {
        if self.open != Some(durability) {
            self.engines.clear();
            let stores = CONTESTANTS.iter().zip(&self.dirs);
            self.engines = stores.map(|((_, open), dir)| open(dir.path(), durability)).collect::<Result<_>>()?;
            self.open = Some(durability);
        }
        Ok(())
    }
}

fn standing(rounds: &[Vec<Spent>], engine: usize) -> Standing {
    let figures = |figure: &dyn Fn(&[Spent]) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(|round| figure(round)).collect();
        figures.sort_by(f64::total_cmp);
        figures
    };
    let median = |figures: Vec<f64>| figures[figures.len() / 2];
    let cpu = |round: &[Spent], engine: usize| round[engine].cpu.as_secs_f64();
    let wall = |round: &[Spent], engine: usize| round[engine].wall.as_secs_f64();
    let cpu_ratios = figures(&|round| cpu(round, 0) / cpu(round, engine));
    Standing {
        cpu: Duration::from_secs_f64(median(figures(&|round| cpu(round, engine)))),
        wall: Duration::from_secs_f64(median(figures(&|round| wall(round, engine)))),
        wall_ratio: median(figures(&|round| wall(round, 0) / wall(round, engine))),
        cpu_ratios: (cpu_ratios[0], cpu_ratios[cpu_ratios.len() - 1]),
        cpu_ratio: median(cpu_ratios),
    }
}
