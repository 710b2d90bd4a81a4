//! Programs in Go, built from the sources of a module beside the tests.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bbolt::left_out;
use crate::found::{found, missing, skip};
use crate::kept::{directory, succeeded, under_lock};

/// The program of the module in `sources`, at its own `name` beside the test programs. It is built each time, which takes
/// a moment when nothing has changed: Go keeps what it compiled. None if the calling test is skipped: there is no Go, or
/// one below 1.`minor`, or what it needs cannot be downloaded.
///
/// # Panics
/// If it does not build, or something is missing and `KV_PEERS=require`.
#[must_use]
pub fn program(sources: &Path, name: &str, minor: u32) -> Option<PathBuf> {
    if left_out() || !found("go", "golang-go") {
        return None;
    }
    let go = go_version();
    if go < minor {
        skip(&format!("{name} needs Go 1.{minor} or newer, and `go version` says 1.{go}"));
        return None;
    }
    let run = |arguments: &[&str]| {
        let ran = command().args(arguments).env("GO111MODULE", "on").current_dir(sources).output();
        succeeded(&ran.expect("go was found"))
    };
    if let Err(complaint) = under_lock(|| run(&["mod", "download"])) {
        let complaint = complaint.lines().last().unwrap_or_default();
        missing(&format!("{name} is missing, get it: cd {} && go mod download ({complaint})", sources.display()));
        return None;
    }
    let program = directory().join(name);
    let built = under_lock(|| run(&["build", "-o", program.to_str().expect("UTF-8"), "."]));
    built.unwrap_or_else(|complaint| panic!("{name} does not build:\n{complaint}"));
    Some(program)
}

/// Neither the directory nor the history of the sources is in a program, nor what debuggers ask for.
const FLAGS: &str = "-buildvcs=false -trimpath -ldflags=-s";

/// Go, with nothing from outside of the sources.
pub(crate) fn command() -> Command {
    let mut go = Command::new("go");
    go.envs([("GOFLAGS", FLAGS), ("CGO_ENABLED", "0"), ("GOWORK", "off")]);
    if env::var_os("HOME").is_none() {
        go.env("GOCACHE", directory().join("go-cache")).env("GOMODCACHE", directory().join("go-modules"));
        // Or `cargo clean` could not remove the modules.
        go.env("GOFLAGS", format!("{FLAGS} -modcacherw"));
    }
    go
}

/// The minor version of Go 1; 0 for what is not a release.
fn go_version() -> u32 {
    let said = Command::new("go").arg("version").output().expect("go was found").stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let minor = said.split_whitespace().find_map(|word| word.strip_prefix("go1."));
    minor.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).unwrap_or(0)
}
