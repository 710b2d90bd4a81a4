//! What is measured beside each other, and what each promises when it answers.

use kv_testkit::etcd_release::Release;

/// A set-up.
#[derive(Debug)]
pub(crate) struct SetUp {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) kind: Kind,
}

/// Which server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// This engine with the array freelist, as the file had it before the remedy: the whole list with each commit.
    Array,
    /// This engine with span maps, and two syncs a commit.
    TwoSync,
    /// This engine as the server has it: span maps, and a redo log.
    Spans,
    /// A proxy that forwards to Redis.
    Redis,
    /// A real one, with this type of freelist.
    Etcd(Release, &'static str),
}

impl Kind {
    /// What is known when the answer to a put comes.
    pub(crate) fn promise(self) -> &'static str {
        match self {
            Self::Array | Self::TwoSync => "the put is in the file, and synced",
            Self::Spans => "the put is in the file's log, and synced",
            Self::Redis => "the put is in the append-only file, and synced; there are no revisions and no compaction",
            Self::Etcd(..) => "the put is in the log, and synced; the file follows within 100 ms",
        }
    }

    /// What is done with the list of free pages.
    pub(crate) fn freelist(self) -> &'static str {
        match self {
            Self::Array => "sorted array, written with each commit",
            Self::TwoSync => "span maps, the changes in a log with each commit",
            Self::Spans => "span maps, none in the file while the redo log is there",
            Self::Redis => "none",
            Self::Etcd(_, "array") => "sorted array, never written (etcd writes none since 3.3)",
            Self::Etcd(..) => "hash maps, never written",
        }
    }
}

const fn etcd(name: &'static str, title: &'static str, release: Release, freelist: &'static str) -> SetUp {
    SetUp { name, title, kind: Kind::Etcd(release, freelist) }
}

pub(crate) const SETUPS: [SetUp; 8] = [
    SetUp { name: "array", title: "(a) kv, array", kind: Kind::Array },
    SetUp { name: "redis", title: "(b) proxy, Redis", kind: Kind::Redis },
    SetUp { name: "spans", title: "(c) kv, span maps", kind: Kind::Spans },
    SetUp { name: "spans-two-sync", title: "(c) kv, span maps, two syncs", kind: Kind::TwoSync },
    etcd("etcd-3.4-array", "etcd 3.4, array", Release::V3_4, "array"),
    etcd("etcd-3.4-map", "etcd 3.4, map", Release::V3_4, "map"),
    etcd("etcd-3.5", "etcd 3.5.1, map", Release::V3_5, "map"),
    etcd("etcd-3.7", "etcd 3.7, map", Release::V3_7, "map"),
];
