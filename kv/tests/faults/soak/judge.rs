//! What the parent knows, what a life has said, and whether the file is what it has to be.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

use kv::surgery::RawFile;
use kv::{Db, FileOptions, Options, PageFile, ReadTx};
use kv_testkit::bbolt::Bbolt;
use kv_testkit::budget::seed;
use kv_testkit::peer::Peer;

use super::content::{ledger, read};
use super::life::WRITERS;
use super::oracle::Oracle;

/// What a life has said.
pub(super) struct Heard {
    /// The last acknowledged transaction of each writer.
    pub(super) acknowledged: Vec<u64>,
    /// Writers whose next transaction certainly did not happen.
    refused: Vec<usize>,
    pub(super) commits: u64,
    pub(super) snapshots: u64,
    pub(super) held: u64,
    pub(super) bytes_written: u64,
    pub(super) pages_moved: u64,
    pub(super) length: u64,
    /// What it should not have said.
    complaints: Vec<String>,
}

impl Heard {
    /// Nothing yet.
    pub(super) fn after(before: &[u64]) -> Self {
        let (refused, complaints) = (Vec::new(), Vec::new());
        let acknowledged = before.to_vec();
        let [commits, snapshots, held, bytes_written, pages_moved, length] = [0; 6];
        Self { acknowledged, refused, commits, snapshots, held, bytes_written, pages_moved, length, complaints }
    }

    /// Whether a commit has failed for want of room.
    pub(super) fn is_full(&self) -> bool {
        !self.refused.is_empty()
    }

    /// One line of it; see [`super::life`].
    pub(super) fn line(&mut self, line: String) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
        match words[0] {
            "done" => {
                let acknowledged = &mut self.acknowledged[number(1) as usize];
                assert_eq!(number(2), *acknowledged + 1, "a writer makes one after the other: {line}");
                *acknowledged += 1;
                self.commits += 1;
            }
            "refused" => self.refused.push(number(1) as usize),
            "snapshot" => self.snapshots += 1,
            "held" => (self.snapshots, self.held) = (self.snapshots + 1, self.held + 1),
            "shrunk" => self.pages_moved += number(1),
            "written" => (self.bytes_written, self.length) = (number(1), number(2)),
            _ => self.complaints.push(line),
        }
    }
}

/// The oracle of each writer, beside the file.
pub(super) struct Judge {
    file: PathBuf,
    oracles: Vec<Oracle>,
    peers: Vec<Peer>,
    /// Bytes of the file that were ever used.
    pub(super) used: u64,
}

impl Judge {
    /// Of a file that is not there yet.
    pub(super) fn new(file: PathBuf) -> Self {
        let peers = [Bbolt::Module, Bbolt::Debian].into_iter().filter_map(Peer::start).collect();
        let oracles = (0..WRITERS).map(|writer| Oracle::after(seed(), writer, 0)).collect();
        Self { file, oracles, peers, used: 0 }
    }

    /// The last transaction of each writer.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.oracles.iter().map(|oracle| oracle.number).collect()
    }

    /// Every acknowledged commit is in the file, with every value, and nothing else but, at most, the one of each writer
    /// that was under way.
    pub(super) fn after_life(&mut self, heard: &Heard, status: ExitStatus) {
        let full = status.success() && heard.refused.len() == self.oracles.len();
        assert!(full || status.signal() == Some(9), "{status}: {}", heard.complaints.join("\n"));
        if !self.file.exists() {
            return assert_eq!(heard.acknowledged, self.numbers(), "the file is there before anything is acknowledged");
        }
        self.judge_file(heard);
        if self.has_log() {
            // What was shown from memory is then brought into the trees, for bbolt, too.
            Db::open(&self.file).and_then(Db::close).expect("its redo log is done again");
            self.judge_file(heard);
        }
    }

    fn has_log(&self) -> bool {
        let options = FileOptions { read_only: true, ..FileOptions::default() };
        let pages = PageFile::open(&self.file, &options).expect("it opens after a kill");
        RawFile::new(pages, None).expect("a meta page").redo_log_pages().is_some()
    }

    /// As who only reads finds it.
    fn judge_file(&mut self, heard: &Heard) {
        let db = Options::new().read_only(true).open(&self.file).expect("it opens after a kill");
        let tx = db.begin_read();
        assert_eq!(tx.check().unwrap(), [], "after a life");
        for (writer, oracle) in self.oracles.iter_mut().enumerate() {
            let in_doubt = u64::from(!heard.refused.contains(&writer));
            let least = heard.acknowledged[writer];
            judge_writer(&tx, oracle, least..=least + in_doubt);
        }
        self.used = tx.size();
        assert_eq!(ledger(&tx), self.numbers().iter().sum(), "a transaction is there as a whole");
    }

    /// Has each bbolt check the file; how many did.
    pub(super) fn ask_peers(&mut self) -> u64 {
        for peer in self.peers.iter_mut().filter(|_| self.file.exists()) {
            peer.check(&self.file).unwrap_or_else(|complaint| panic!("bbolt {}: {complaint}", peer.version));
        }
        if self.file.exists() { self.peers.len() as u64 } else { 0 }
    }
}

/// Key by key; the oracle goes on to what is there.
fn judge_writer(tx: &ReadTx<'_>, oracle: &mut Oracle, acceptable: std::ops::RangeInclusive<u64>) {
    let (writer, mut keys) = (oracle.writer, BTreeMap::new());
    let number = read(tx, seed(), writer, |key, generation| _ = keys.insert(key, generation));
    assert!(acceptable.contains(&number), "writer {writer} is at {number}, and should be in {acceptable:?}");
    oracle.advance(number);
    let lost = oracle.keys.iter().find(|(key, generation)| keys.get(key) != Some(generation));
    assert_eq!(lost, None, "writer {writer}, transaction {number}: it is lost or old");
    let made_up = keys.iter().find(|(key, _)| !oracle.keys.contains_key(key));
    assert_eq!(made_up, None, "writer {writer}, transaction {number}: it is deleted or was never written");
}
