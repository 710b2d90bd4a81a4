//! Which system call fails, and how.

use std::io;

/// A system call under a [`PageStore`](crate::PageStore); [`Plan`] shows its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `pread`, one for each `read_at`. Counted only by plans that name it.
    Read,
    /// `pwritev`: one for each `write_at` or `write_durable_at`, more after a short or interrupted one.
    Write,
    /// `ftruncate`: the first half of `grow`, and all of `truncate`.
    SetLen,
    /// `fsync` or `fdatasync`: one for each `sync`, and the second halves of `grow` and `write_durable_at`.
    Sync,
}

/// How a call fails; [`Plan`] shows its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// `EIO`: the disk failed. Nothing of this call is done.
    Io,
    /// `ENOSPC`: the disk is full. Nothing of this call is done.
    Full,
    /// A write takes at most this many bytes, at least one, and says so. Other calls do not fail.
    Short(usize),
    /// `EINTR`: a signal came first, and the caller repeats the call. If the fault lasts for ever, it
    /// interrupts every other call, or no program would ever end. `SetLen` and `Sync` do not fail,
    /// because std repeats them itself.
    Interrupted,
}

impl Fault {
    /// The error that the caller sees, if it sees one.
    pub(super) fn error(self) -> Option<io::Error> {
        match self {
            Fault::Io => Some(io::Error::other("simulated I/O error")),
            Fault::Full => Some(io::ErrorKind::StorageFull.into()),
            Fault::Short(_) | Fault::Interrupted => None,
        }
    }
}

/// What the kernel does with dirty pages when a sync fails; [`SimOptions`](super::SimOptions) shows its
/// use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// They stay dirty: the next sync writes them.
    StaysDirty,
    /// They are marked clean and can be read, but no later sync writes them: bytes that have not
    /// reached the disk by then never will, unless they are written again (ext4, XFS).
    #[default]
    CleanNew,
    /// The cache shows the old bytes again, and the disk has them (Btrfs).
    Reverted,
}

/// Makes the `nth` call of a kind fail, counted from 1 after [`SimDisk::plan`](super::SimDisk::plan).
///
/// ```
/// use pagefile_std::sim::{Call, Fault, Plan, SimDisk};
/// use pagefile_std::PageStore;
///
/// let disk = SimDisk::with_bytes(&[0; 4096]);
/// disk.plan(Plan { call: Some(Call::Sync), nth: 2, fault: Fault::Io, for_ever: false });
/// disk.sync().unwrap();
/// disk.sync().unwrap_err();
/// assert!(disk.poisoned());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The kind of call to count; `None` counts all calls that change the disk: all but reads.
    pub call: Option<Call>,
    /// Which of them fails, counted from 1.
    pub nth: u64,
    /// How it fails.
    pub fault: Fault,
    /// Whether all later ones fail too.
    pub for_ever: bool,
}

/// A plan being carried out.
#[derive(Debug)]
pub(super) struct Progress {
    plan: Plan,
    seen: u64,
    interrupted: bool,
}

impl Progress {
    pub(super) fn of(plan: Plan) -> Progress {
        Progress { plan, seen: 0, interrupted: false }
    }

    /// Counts a call; says how it fails, if it does.
    pub(super) fn fault(&mut self, call: Call) -> Option<Fault> {
        let counted = match self.plan.call {
            None => call != Call::Read,
            Some(kind) => call == kind,
        };
        if !counted {
            return None;
        }
        self.seen += 1;
        if self.seen < self.plan.nth || (self.seen > self.plan.nth && !self.plan.for_ever) {
            return None;
        }
        if self.plan.fault == Fault::Interrupted {
            self.interrupted = !self.interrupted;
            return self.interrupted.then_some(Fault::Interrupted);
        }
        Some(self.plan.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(plan: Plan, calls: &[Call]) -> Vec<bool> {
        let mut progress = Progress::of(plan);
        calls.iter().map(|call| progress.fault(*call).is_some()).collect()
    }

    #[test]
    fn counts_its_own_kind() {
        let plan = Plan { call: Some(Call::Sync), nth: 2, fault: Fault::Io, for_ever: false };
        let calls = [Call::Sync, Call::Write, Call::Sync, Call::Sync];
        assert_eq!(faults(plan, &calls), [false, false, true, false]);
        assert_eq!(faults(Plan { for_ever: true, ..plan }, &calls), [false, false, true, true]);
    }

    #[test]
    fn counts_all_but_reads() {
        let plan = Plan { call: None, nth: 3, fault: Fault::Full, for_ever: false };
        let calls = [Call::SetLen, Call::Read, Call::Sync, Call::Write, Call::Write];
        assert_eq!(faults(plan, &calls), [false, false, false, true, false]);
    }

    #[test]
    fn interrupts_every_other_call() {
        let plan = Plan { call: None, nth: 1, fault: Fault::Interrupted, for_ever: true };
        assert_eq!(faults(plan, &[Call::Write; 4]), [true, false, true, false]);
    }
}
