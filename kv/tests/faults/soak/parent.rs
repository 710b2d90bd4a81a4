//! The parent: starts one life after the other, kills it, hears what it has done, and has the file judged.

use std::fs::{File, read_to_string};
use std::io::{IsTerminal, Write, stderr};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::print;
use tempfile::TempDir;

use super::TEST;
use super::judge::{Heard, Judge};
use super::life::{BEFORE, LIFE, LIMITED};
use crate::child::{Running, command, kernel_is_left_out, say, start};

/// One life in so many may write only to a part of the file that it finds, and to these bytes more.
const LIMITED_ONE_IN: u64 = 8;
const GROWTH_MAX: u64 = 1 << 18;

/// The longest life.
const LIFE_MAX: Duration = Duration::from_secs(30);

/// A life shorter than this may be over before it says anything.
const SILENT: Duration = Duration::from_millis(300);

/// bbolt checks the file after one life in so many, and after the last.
const PEERS_ONE_IN: u64 = 8;

/// How often a terminal is told.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// What has been done so far.
#[derive(Default, Debug)]
struct Done {
    lives: u64,
    kills: u64,
    full: u64,
    commits: u64,
    snapshots: u64,
    held: u64,
    bytes_written: u64,
    pages_moved: u64,
    length_max: u64,
    peer_checks: u64,
}

struct Soak {
    place: Kept,
    log: File,
    random: Random,
    judge: Judge,
    done: Done,
    began: Instant,
    told: Instant,
    goal: Duration,
}

/// A directory that stays after a failure.
struct Kept(Option<TempDir>);

impl Kept {
    fn join(&self, name: &str) -> PathBuf {
        self.0.as_ref().expect("there until the end").path().join(name)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .take()
                .into_iter()
                .for_each(|dir| say(format!("the file and oracle.log are kept in {}", dir.keep().display())));
        }
    }
}

/// Lives for that long, and prints the figures.
pub(super) fn soak(goal: Duration) {
    let place = Kept(Some(tempfile::tempdir().unwrap()));
    let log = File::create(place.join("oracle.log")).unwrap();
    let (random, judge, now) = (Random::new(seed()), Judge::new(place.join("db")), Instant::now());
    writeln!(&log, "seed {}", seed()).unwrap();
    let mut soak = Soak { place, log, random, judge, done: Done::default(), began: now, told: now, goal };
    while soak.began.elapsed() < goal {
        soak.one_life();
        if soak.done.lives.is_multiple_of(PEERS_ONE_IN) {
            soak.done.peer_checks += soak.judge.ask_peers();
        }
    }
    soak.done.peer_checks += soak.judge.ask_peers();
    soak.figures();
}

impl Soak {
    fn one_life(&mut self) {
        self.done.lives += 1;
        let limited = self.done.lives % LIMITED_ONE_IN == 3 && !kernel_is_left_out();
        let span = self.span(limited);
        let limit = limited.then(|| GROWTH_MAX + self.judge.used / 100 * self.random.below_u64(100));
        let before = self.judge.numbers();
        write!(self.log, "life {}, {span:?}, limit {limit:?}, from {before:?}", self.done.lives).unwrap();
        let (heard, status) = self.kill_after(span, self.start(limit, &before), Heard::after(&before));
        write!(self.log, ", acknowledged {:?}, {status}", heard.acknowledged).unwrap();
        self.judge.after_life(&heard, status);
        writeln!(self.log, ", found {:?}", self.judge.numbers()).unwrap();
        self.count(&heard, !status.success());
    }

    /// Hears what the child says, kills it after its time unless it has ended, and hears the rest.
    fn kill_after(&mut self, span: Duration, mut child: Running, mut heard: Heard) -> (Heard, ExitStatus) {
        let death = Instant::now() + span;
        if span < SILENT {
            std::thread::sleep(span);
        }
        while Instant::now() < death {
            let Some(line) = child.line() else { break };
            heard.line(line);
            self.tell(&heard);
        }
        std::thread::sleep(Duration::from_micros(self.random.below_u64(4000)));
        child.kill();
        let (rest, status) = child.end();
        for line in rest {
            heard.line(line);
        }
        (heard, status)
    }

    /// How long the next life is: a quarter of them end while they open the file, and a quarter are long.
    fn span(&mut self, limited: bool) -> Duration {
        let long = LIFE_MAX.min(self.goal / 4);
        let max = match self.random.below(4) {
            _ if limited => long,
            0 => SILENT,
            1 => long,
            _ => long / 8,
        };
        let span = max * self.random.within(1, 1000) as u32 / 1000;
        span.min(self.goal.saturating_sub(self.began.elapsed()))
    }

    /// Starts a life that may write to no more than `limit` bytes of the file.
    fn start(&self, limit: Option<u64>, before: &[u64]) -> Running {
        let file = self.place.join("db");
        // Without the trap the signal would end the process. The unit is 512 bytes in most shells, and 1024 in others.
        let script = limit.map(|bytes| format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", bytes / 512));
        let words = script.as_ref().map_or(vec!["env"], |script| vec!["sh", "-c", script, "sh"]);
        let mut command = command(&words, TEST, file.as_os_str());
        let before: Vec<String> = before.iter().map(u64::to_string).collect();
        command.env(LIFE, self.done.lives.to_string()).env(BEFORE, before.join(","));
        command.env(LIMITED, u8::from(limit.is_some()).to_string());
        start(command)
    }

    fn count(&mut self, heard: &Heard, killed: bool) {
        let done = &mut self.done;
        done.kills += u64::from(killed);
        done.full += u64::from(heard.is_full());
        done.commits += heard.commits;
        done.snapshots += heard.snapshots;
        done.held += heard.held;
        done.bytes_written += heard.bytes_written;
        done.pages_moved += heard.pages_moved;
        done.length_max = done.length_max.max(heard.length);
    }

    /// What was done, to a terminal.
    fn tell(&mut self, heard: &Heard) {
        if self.told.elapsed() < TOLD_EVERY || !stderr().is_terminal() {
            return;
        }
        self.told = Instant::now();
        let Done { lives, commits, snapshots, .. } = self.done;
        say(format!(
            "soak: {} of {} s, life {lives}, {} commits, {} snapshots, the file has {} KiB",
            self.began.elapsed().as_secs(),
            self.goal.as_secs(),
            commits + heard.commits,
            snapshots + heard.snapshots,
            heard.length / 1024
        ));
    }

    fn figures(&self) {
        let Done { lives, kills, full, commits, snapshots, held, bytes_written, pages_moved, length_max, peer_checks } =
            self.done;
        let mib = |bytes: u64| bytes / (1 << 20);
        let written = format!(
            "{} MiB written, {pages_moved} pages moved to make the file shorter, which had at most {} MiB",
            mib(bytes_written),
            mib(length_max)
        );
        print("soak: acknowledged commits", commits, &format!(", {written}"), seed(), self.began);
        print(
            "soak: snapshots verified",
            snapshots,
            &format!(", {held} of them held and verified again"),
            seed(),
            self.began,
        );
        let judged = format!(", {full} full disks; the file checked {lives} times, by bbolt {peer_checks} times");
        print("soak: kills", kills, &judged, seed(), self.began);
        assert!(commits > 0 && snapshots > 0 && kills > 0, "{:?}", self.done);
    }
}

#[test]
fn what_a_failure_leaves_is_kept() {
    let path = std::panic::catch_unwind(|| {
        let place = Kept(Some(tempfile::tempdir().unwrap()));
        std::fs::write(place.join("db"), "bytes").unwrap();
        std::panic::resume_unwind(Box::new(place.join("db")));
    });
    let path: PathBuf = *path.unwrap_err().downcast().unwrap();
    assert_eq!(read_to_string(&path).unwrap(), "bytes");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
