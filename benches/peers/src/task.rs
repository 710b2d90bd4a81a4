//! What an engine is asked to do, and how that goes over a pipe: a line, and behind it the numbers, eight bytes each,
//! little-endian.

use std::io::{BufRead, Write};

use crate::{Keys, Pairs, Result, Shape};

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Puts the pairs, `size` in a transaction.
    Put,
    /// The same, with the engine's call for many threads.
    Batch,
    /// Deletes the pairs, `size` in a transaction.
    Delete,
    /// Deletes a fixed range of keys.
    DeleteRange,
    /// Deletes half of all pairs by a condition.
    Retain,
    /// Gets the pairs, `size` in a transaction.
    Get,
    /// Gets the pairs, `size` in a call, in one transaction.
    GetMany,
    /// Scans `size` items from each pair on, in one transaction.
    Scan,
}

impl Operation {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Put, "put"),
        (Self::Batch, "batch"),
        (Self::Delete, "delete"),
        (Self::DeleteRange, "delete-range"),
        (Self::Retain, "retain"),
        (Self::Get, "get"),
        (Self::GetMany, "get-many"),
        (Self::Scan, "scan"),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(operation, _)| *operation == self).map_or("", |(_, name)| name)
    }
}

/// A task for an engine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// What is done.
    pub operation: Operation,
    /// How many at a time, at least 1.
    pub size: usize,
    /// By how many threads, each with its part of the numbers; at least 1.
    pub threads: usize,
    /// What the pairs look like.
    pub shape: Shape,
    /// Which pairs.
    pub numbers: Vec<u64>,
}

impl Task {
    /// A task of one thread with usual pairs.
    #[must_use]
    pub const fn new(operation: Operation, size: usize, numbers: Vec<u64>) -> Self {
        Self { operation, size, threads: 1, shape: Shape::USUAL, numbers }
    }

    /// Its pairs.
    #[must_use]
    pub fn pairs(&self) -> Pairs<'_> {
        Pairs { numbers: &self.numbers, shape: self.shape }
    }

    /// Whether it changes the store.
    #[must_use]
    pub const fn writes(&self) -> bool {
        !matches!(self.operation, Operation::Get | Operation::GetMany | Operation::Scan)
    }

    /// Sends it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, to: &mut impl Write) -> Result<()> {
        let keys = if self.shape.keys == Keys::Random { "random" } else { "ascending" };
        let Self { size, threads, .. } = self;
        let (name, bytes, count) = (self.operation.name(), self.shape.value_bytes, self.numbers.len());
        writeln!(to, "{name} {size} {threads} {keys} {bytes} {count}")?;
        for number in &self.numbers {
            to.write_all(&number.to_le_bytes())?;
        }
        Ok(to.flush()?)
    }

    /// Receives the next one; none if there are no more.
    ///
    /// # Errors
    /// Those of reading, and if that is no task.
    pub fn read(from: &mut impl BufRead) -> Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let [operation, size, threads, keys, bytes, count] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(format!("{line:?} is no task").into());
        };
        let found = Operation::NAMES.iter().find(|(_, name)| *name == operation);
        let (operation, _) = found.ok_or_else(|| format!("{operation:?} is no operation"))?;
        let keys = if keys == "random" { Keys::Random } else { Keys::Ascending };
        let (size, threads) = (size.parse()?, threads.parse()?);
        if size == 0 || threads == 0 {
            return Err(format!("{line:?} is of nothing").into());
        }
        let mut numbers = vec![0u64; count.parse()?];
        let mut word = [0; 8];
        for number in &mut numbers {
            from.read_exact(&mut word)?;
            *number = u64::from_le_bytes(word);
        }
        let shape = Shape { keys, value_bytes: bytes.parse()? };
        Ok(Some(Self { operation: *operation, size, threads, shape, numbers }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let mut sent = Vec::new();
        let mut tasks = Vec::new();
        for (index, (operation, _)) in Operation::NAMES.into_iter().enumerate() {
            let shape = Shape { keys: Keys::Ascending, value_bytes: 1000 * index };
            let numbers = (0..index as u64).map(|number| number << 40 | 0x0A0D).collect();
            tasks.push(Task { shape, threads: index + 1, ..Task::new(operation, usize::MAX, numbers) });
        }
        for task in &tasks {
            task.write(&mut sent).unwrap();
        }
        let mut from = &sent[..];
        for task in tasks {
            assert_eq!(Task::read(&mut from).unwrap(), Some(task));
        }
        assert_eq!(Task::read(&mut from).unwrap(), None);
    }
}
