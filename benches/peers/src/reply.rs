//! What an engine answers: a line.

use std::io::Write;
use std::time::Duration;

use crate::Result;

/// What a task took, and what it read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Reply {
    /// The sum of the digests of what was read.
    pub sum: u64,
    /// Time on the wall.
    pub wall: Duration,
    /// Processor time of the whole process, the system's work for it and what went on in the background included.
    pub cpu: Duration,
    /// Wall time of each write transaction.
    pub transactions: Vec<Duration>,
}

impl Reply {
    /// Sends it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, to: &mut impl Write) -> Result<()> {
        write!(to, "ok {} {} {}", self.sum, self.wall.as_nanos(), self.cpu.as_nanos())?;
        for transaction in &self.transactions {
            write!(to, " {}", transaction.as_nanos())?;
        }
        writeln!(to)?;
        Ok(to.flush()?)
    }

    /// Sends that it failed.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_error(message: &str, to: &mut impl Write) -> Result<()> {
        writeln!(to, "error {}", message.replace('\n', " "))?;
        Ok(to.flush()?)
    }

    /// Understands a line.
    ///
    /// # Errors
    /// What the engine said, and if that is no answer.
    pub fn parse(line: &str) -> Result<Self> {
        let figures = match line.split_once(' ') {
            Some(("ok", figures)) => figures,
            Some(("error", message)) => return Err(message.to_owned().into()),
            _ => return Err(format!("{line:?} is no answer").into()),
        };
        let figures: Vec<u64> = figures.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
        let [sum, wall, cpu, transactions @ ..] = &figures[..] else {
            return Err(format!("{line:?} is no answer").into());
        };
        Ok(Self {
            sum: *sum,
            wall: Duration::from_nanos(*wall),
            cpu: Duration::from_nanos(*cpu),
            transactions: transactions.iter().copied().map(Duration::from_nanos).collect(),
        })
    }

    /// Adds what another task took and read.
    pub fn add(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.wall += other.wall;
        self.cpu += other.cpu;
        self.transactions.extend(other.transactions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_understood() {
        let time = Duration::from_nanos;
        for transactions in [vec![], vec![time(5), time(7_000_000_000)]] {
            let reply = Reply { sum: u64::MAX, wall: time(12), cpu: time(3), transactions };
            let mut line = Vec::new();
            reply.write(&mut line).unwrap();
            assert_eq!(Reply::parse(std::str::from_utf8(&line).unwrap().trim_end()).unwrap(), reply);
        }
        let mut line = Vec::new();
        Reply::write_error("full\ndisk", &mut line).unwrap();
        assert_eq!(line, b"error full disk\n");
        assert_eq!(Reply::parse("error full disk").unwrap_err().to_string(), "full disk");
        assert!(Reply::parse("ok 1 2").is_err() && Reply::parse("").is_err());
    }
}
