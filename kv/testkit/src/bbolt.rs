//! Go's bbolt, built from `kv/tests/peers`: the newest, a module whose version `go.mod` pins, and the old one of Debian's
//! package, which is what etcd 3.4 and 3.5 write with.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::found::{found, missing, skip};
use crate::go;
use crate::kept::{directory, succeeded, under_lock};

/// Which bbolt.
#[derive(Clone, Copy, Debug)]
pub enum Bbolt {
    /// 1.5, from Go's module proxy or what was downloaded before.
    Module,
    /// 1.3, from Debian's package.
    Debian,
}

/// Where Debian's Go packages put their sources.
const GOPATH: &str = "/usr/share/gocode";
/// The minor version of Go 1 that bbolt 1.5 asks for.
const GO_OF_MODULE: u32 = 25;

impl Bbolt {
    /// The program of that directory with this bbolt, built once in each test program; Go's own cache makes that quick
    /// when nothing has changed. None if the calling test is skipped.
    ///
    /// # Panics
    /// If it does not build, or something is missing and `KV_PEERS=require`.
    #[must_use]
    pub fn program(self) -> Option<&'static Path> {
        static PROGRAMS: [OnceLock<PathBuf>; 2] = [const { OnceLock::new() }; 2];
        let kept = &PROGRAMS[self as usize];
        if let Some(program) = kept.get() {
            return Some(program);
        }
        let built = match self {
            // A Go that is too old is no reason to fail for `KV_PEERS=require`: Debian's is.
            Self::Module => go::program(&sources(), "bbolt-1.5", GO_OF_MODULE)?,
            Self::Debian => debians()?,
        };
        Some(kept.get_or_init(|| built))
    }

    /// Its version.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Module => "1.5",
            Self::Debian => "1.3",
        }
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers")
}

/// The program with the bbolt of Debian's package.
fn debians() -> Option<PathBuf> {
    if left_out() || !found("go", "golang-go golang-github-coreos-bbolt-dev") {
        return None;
    }
    if !Path::new(GOPATH).join("src/go.etcd.io/bbolt").is_dir() {
        missing("bbolt 1.3 is missing, install it: apt-get install golang-github-coreos-bbolt-dev");
        return None;
    }
    let program = directory().join("bbolt-1.3");
    let mut go = go::command();
    go.args(["build", "-o", program.to_str().expect("UTF-8"), "."]).current_dir(sources());
    go.env("GO111MODULE", "off").env("GOPATH", GOPATH);
    let built = under_lock(|| succeeded(&go.output().expect("go was found")));
    built.unwrap_or_else(|complaint| panic!("the program with bbolt 1.3 does not build:\n{complaint}"));
    Some(program)
}

/// Whether `KV_PEERS=skip` leaves the other engines out, and with them the calling test.
#[must_use]
pub fn left_out() -> bool {
    let left_out = env::var_os("KV_PEERS").is_some_and(|value| value == "skip");
    if left_out {
        skip("KV_PEERS=skip leaves other engines out");
    }
    left_out
}
