//! The figures, in a file that grows by a line for each as soon as it is there.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// What was measured.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) size: String,
    pub(crate) setup: String,
    pub(crate) load: String,
    pub(crate) clients: usize,
    pub(crate) round: usize,
}

/// What came of it. Times are in microseconds, if their names do not say otherwise.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
    pub(crate) puts: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    /// Processor time of a put.
    pub(crate) server: f64,
    pub(crate) client: f64,
    /// Puts that were answered, and the longest latency, in each second.
    pub(crate) throughput: Vec<u64>,
    pub(crate) longest: Vec<u64>,
    /// Bytes in the directory afterwards, and of memory that is the server's alone.
    pub(crate) disk: u64,
    pub(crate) memory: u64,
    /// Milliseconds until the store that was closed afterwards answers again.
    pub(crate) open: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    subject: Subject,
    figures: Figures,
}

/// All figures so far.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    lines: Vec<Line>,
}

impl Journal {
    /// Opens the file, or begins it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| path.display().to_string())?,
        };
        // The last line of a run that was killed may be half of one: it is measured again.
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self { path: path.to_owned(), lines })
    }

    pub(crate) fn has(&self, subject: &Subject) -> bool {
        self.lines.iter().any(|line| line.subject == *subject)
    }

    pub(crate) fn note(&mut self, subject: Subject, figures: Figures) -> anyhow::Result<()> {
        let line = Line { subject, figures };
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        // In one piece, at the beginning of a line.
        file.write_all(format!("\n{}\n", serde_json::to_string(&line)?).as_bytes())?;
        self.lines.push(line);
        Ok(())
    }

    /// All rounds of a set-up with a load.
    pub(crate) fn rounds(&self, size: &str, setup: &str, load: &str) -> Vec<&Figures> {
        let found = self.lines.iter().filter(|line| {
            let Subject { size: its_size, setup: its_setup, load: its_load, .. } = &line.subject;
            (its_size.as_str(), its_setup.as_str(), its_load.as_str()) == (size, setup, load)
        });
        found.map(|line| &line.figures).collect()
    }
}
