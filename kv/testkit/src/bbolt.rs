//! Go's bbolt, built from `kv/tests/peers`: the newest, a module whose version `go.mod` pins, and the old one of Debian's
//! package, which is what etcd 3.4 and 3.5 write with.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, OnceLock};

use crate::found::{found, missing, skip};

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
        self.is_there().then(|| PROGRAMS[self as usize].get_or_init(|| self.build()).as_path())
    }

    /// Its version.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Module => "1.5",
            Self::Debian => "1.3",
        }
    }

    /// Whether there is what it is built from.
    fn is_there(self) -> bool {
        if left_out() || !found("go", "golang-go golang-github-coreos-bbolt-dev") {
            return false;
        }
        match self {
            Self::Debian => {
                let there = Path::new(GOPATH).join("src/go.etcd.io/bbolt").is_dir();
                if !there {
                    missing("bbolt 1.3 is missing, install it: apt-get install golang-github-coreos-bbolt-dev");
                }
                there
            }
            Self::Module => self.has_modules(),
        }
    }

    /// Downloads the modules where that was not done before. A Go that is too old is no reason to fail for
    /// `KV_PEERS=require`: Debian's is.
    fn has_modules(self) -> bool {
        static DOWNLOADED: OnceLock<Result<(), String>> = OnceLock::new();
        let go = go_version();
        if go < GO_OF_MODULE {
            skip(&format!("bbolt 1.5 needs Go 1.{GO_OF_MODULE} or newer, and `go version` says 1.{go}"));
            return false;
        }
        let download = || succeeded(&self.go(&["mod", "download"]));
        let downloaded = DOWNLOADED.get_or_init(|| under_lock(download));
        if let Err(complaint) = downloaded {
            let complaint = complaint.lines().last().unwrap_or_default();
            missing(&format!("bbolt 1.5 is missing, get it: cd kv/tests/peers && go mod download ({complaint})"));
        }
        downloaded.is_ok()
    }

    fn build(self) -> PathBuf {
        let program = directory().join(format!("bbolt-{}", self.version()));
        let built = under_lock(|| succeeded(&self.go(&["build", "-o", program.to_str().expect("UTF-8"), "."])));
        built.unwrap_or_else(|complaint| {
            panic!("the program with bbolt {} does not build:\n{complaint}", self.version())
        });
        program
    }

    /// Runs Go on the sources.
    fn go(self, arguments: &[&str]) -> Output {
        let mut go = Command::new("go");
        go.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers"));
        go.envs([("GOFLAGS", "-buildvcs=false"), ("CGO_ENABLED", "0"), ("GOWORK", "off")]);
        match self {
            Self::Module => go.env("GO111MODULE", "on"),
            Self::Debian => go.env("GO111MODULE", "off").env("GOPATH", GOPATH),
        };
        if env::var_os("HOME").is_none() {
            go.env("GOCACHE", directory().join("go-cache")).env("GOMODCACHE", directory().join("go-modules"));
            // Or `cargo clean` could not remove the modules.
            go.env("GOFLAGS", "-buildvcs=false -modcacherw");
        }
        go.output().expect("go was found")
    }
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

/// The minor version of Go 1; 0 for what is not a release.
///
/// # Panics
/// If there is no Go.
#[must_use]
pub fn go_version() -> u32 {
    let said = Command::new("go").arg("version").output().expect("go was found").stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let minor = said.split_whitespace().find_map(|word| word.strip_prefix("go1."));
    minor.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).unwrap_or(0)
}

/// Where the programs are kept: beside the test programs.
fn directory() -> &'static Path {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let test_program = env::current_exe().expect("a test program has a path");
        test_program.with_file_name("peers")
    });
    &DIRECTORY
}

fn succeeded(output: &Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Several test programs may come here at once.
fn under_lock<T>(work: impl FnOnce() -> T) -> T {
    fs::create_dir_all(directory()).expect("the target directory is writable");
    let lock = File::create(directory().join("peer.lock")).expect("the target directory is writable");
    lock.lock().expect("a lock in the target directory");
    work()
}
