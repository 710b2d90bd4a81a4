//! The same programs run against this server and a real etcd beside it, and every answer and every event is compared.

mod answer;
mod generate;
mod peer;
mod step;

use std::collections::BTreeSet;
use std::mem;
use std::time::{Duration, Instant};

use kv_testkit::Random;
use kv_testkit::budget::{Budget, number, seed};
use kv_testkit::etcd_release::Release;
use kv_testkit::figure;
use tokio::time::sleep;

use self::answer::forget_leases_of_bare_keys;
use self::generate::Generator;
use self::peer::{Peer, Seen};
use self::step::Step;

/// Programs beside each release, by budget; `KV_ETCD_PROGRAMS` is another number.
const PROGRAMS: [u64; 4] = [50, 2_000, 20_000, 200_000];
const STEPS: usize = 40;

/// etcd looks for watches that are behind so often.
const CATCHING_UP: Duration = Duration::from_millis(130);

/// Two servers that must not be told apart.
struct Pair {
    release: Release,
    ours: Peer,
    real: Peer,
    generator: Generator,
    /// What was asked so far.
    program: Vec<Step>,
    /// Whether a watch was made that begins in the past.
    behind: bool,
    /// The latest revision that a watch begins at: before it, etcd 3.7 does not say how far its stream is.
    latest_start: i64,
}

impl Pair {
    async fn connect(release: Release, ours: &str, real: &str) -> Self {
        let (ours, real) = (Peer::connect(ours).await, Peer::connect(real).await);
        Self {
            release,
            ours,
            real,
            generator: Generator::of(release),
            program: Vec::new(),
            behind: false,
            latest_start: 0,
        }
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
        while matches!(step, Step::Progress) && self.generator.revision < self.latest_start {
            self.settle().await;
        }
        match step {
            Step::Cancel(watch) if !self.generator.is_open(watch) => return,
            Step::Cancel(watch) => self.generator.ended(watch),
            Step::Watch(ref request) => {
                self.behind |= request.start_revision != 0;
                self.latest_start = self.latest_start.max(request.start_revision);
            }
            _ => {}
        }
        self.program.push(step.clone());
        let (mut ours, mut real) = (self.ours.answer(&step).await, self.real.answer(&step).await);
        if self.release == Release::V3_7 {
            ours.iter_mut().chain(&mut real).for_each(forget_leases_of_bare_keys);
        }
        // Of two mistakes in a transaction, etcd 3.4 and 3.5.1 name another one first than 3.7 does: a key that is not there
        // before a lease that is not, for one.
        let any_mistake = self.release != Release::V3_7 && matches!(step, Step::Txn(_)) && ours.is_err();
        if !(any_mistake && real.is_err()) {
            assert_eq!(ours, real, "left ours, right etcd's, after {:#?}", self.program);
        }
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
        let ids: BTreeSet<&i64> = ours.keys().chain(real.keys()).collect();
        for id in ids {
            let (ours, real) = (ours.get(id), real.get(id));
            assert_eq!(ours, real, "watch {id}, left ours, right etcd's, after {:#?}", self.program);
            if real.is_some_and(Seen::is_cancelled) {
                self.generator.ended(*id);
            }
            if self.release == Release::V3_7 && real.is_some_and(Seen::is_compacted) {
                self.real.forget(*id).await;
            }
        }
    }
}

/// Runs the programs against both.
pub(crate) async fn compare(release: Release, ours: &str, real: &str) {
    let programs = number("KV_ETCD_PROGRAMS", *Budget::of_this_run().of(&PROGRAMS));
    let began = Instant::now();
    let mut pair = Pair::connect(release, ours, real).await;
    for number in 0..programs {
        pair.run(Random::of(seed(), number)).await;
    }
    figure::print(&format!("programs beside etcd {}", release.name()), programs, "", seed(), began);
}
