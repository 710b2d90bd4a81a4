//! The same programs run against this server and a real etcd beside it, and every answer and every event is compared.

mod answer;
mod generate;
mod peer;
mod step;

use std::mem;
use std::time::{Duration, Instant};

use kv_testkit::Random;
use kv_testkit::budget::{Budget, seed};
use kv_testkit::figure;
use tokio::time::sleep;

use self::generate::Generator;
use self::peer::{Peer, Seen};
use self::step::Step;

/// Programs, by budget.
const PROGRAMS: [u64; 4] = [100, 2_000, 20_000, 200_000];
const STEPS: usize = 40;

/// etcd looks for watches that are behind so often.
const CATCHING_UP: Duration = Duration::from_millis(130);

/// Two servers that must not be told apart.
struct Pair {
    ours: Peer,
    real: Peer,
    generator: Generator,
    /// What was asked so far.
    program: Vec<Step>,
    /// Whether a watch was made that begins in the past.
    behind: bool,
}

impl Pair {
    async fn connect(ours: &str, real: &str) -> Self {
        let (ours, real) = (Peer::connect(ours).await, Peer::connect(real).await);
        Self { ours, real, generator: Generator::default(), program: Vec::new(), behind: false }
    }

    async fn run(&mut self, random: Random) {
        self.generator.begin(random);
        self.program.clear();
        for _ in 0..STEPS {
            let step = self.generator.step();
            self.step(step).await;
        }
        while let Some(watch) = self.generator.any_watch() {
            self.step(Step::Cancel(watch)).await;
        }
        self.settle().await;
    }

    async fn step(&mut self, step: Step) {
        if step.needs_settled_watches() {
            self.settle().await;
        }
        match step {
            Step::Cancel(watch) if !self.generator.is_open(watch) => return,
            Step::Cancel(watch) => self.generator.ended(watch),
            Step::Watch(ref request) => self.behind |= request.start_revision != 0,
            _ => {}
        }
        self.program.push(step.clone());
        let (ours, real) = (self.ours.answer(&step).await, self.real.answer(&step).await);
        assert_eq!(ours, real, "left ours, right etcd's, after {:#?}", self.program);
        if let Ok(real) = real {
            self.generator.seen(&step, real.revision());
        }
    }

    /// Lets all watches come to the end, and compares what they saw.
    async fn settle(&mut self) {
        if mem::take(&mut self.behind) {
            sleep(CATCHING_UP).await;
        }
        let (ours, real) = (self.ours.settle().await, self.real.settle().await);
        self.generator.revision += 1;
        for id in ours.keys().chain(real.keys()) {
            let (ours, real) = (ours.get(id), real.get(id));
            assert_eq!(ours, real, "watch {id}, left ours, right etcd's, after {:#?}", self.program);
            if real.is_some_and(Seen::is_cancelled) {
                self.generator.ended(*id);
            }
        }
    }
}

/// Runs the programs against both.
pub(crate) async fn compare(ours: &str, real: &str) {
    let (programs, began) = (*Budget::of_this_run().of(&PROGRAMS), Instant::now());
    let mut pair = Pair::connect(ours, real).await;
    for number in 0..programs {
        pair.run(Random::of(seed(), number)).await;
    }
    figure::print("programs beside a real etcd", programs, "", seed(), began);
}
