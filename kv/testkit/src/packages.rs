//! Packages of Python and npm that tests need, downloaded once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bbolt::left_out;
use crate::found::{found, missing};
use crate::kept::{directory, succeeded, under_lock};

/// A directory, `name` beside the test programs, with a Python package as in `aetcd==1.0.0`, and what it needs. None if
/// the calling test is skipped.
///
/// # Panics
/// If it is missing, and `KV_PEERS=require`.
#[must_use]
pub fn python(package: &str, name: &str) -> Option<PathBuf> {
    if left_out() || !found("python3", "python3-pip") {
        return None;
    }
    installed(name, package, |under_way| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
        pip.arg("--target").arg(under_way).arg(package);
        pip
    })
}

/// A directory, `name` beside the test programs, with the `package.json` of `sources`, its lock, and what they name. None
/// if the calling test is skipped.
///
/// # Panics
/// If it is missing, and `KV_PEERS=require`.
#[must_use]
pub fn npm(sources: &Path, name: &str) -> Option<PathBuf> {
    if left_out() || !found("npm", "npm") {
        return None;
    }
    installed(name, "what package.json names", |under_way| {
        fs::create_dir_all(under_way).expect("the target directory is writable");
        for file in ["package.json", "package-lock.json"] {
            fs::copy(sources.join(file), under_way.join(file)).expect("the sources are there");
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--silent", "--no-audit", "--ignore-scripts"]).current_dir(under_way);
        npm
    })
}

/// A directory that is there once it is whole.
fn installed(name: &str, what: &str, install: impl Fn(&Path) -> Command) -> Option<PathBuf> {
    let whole = directory().join(name);
    let under_way = directory().join(format!("{name}.part"));
    let installing = || {
        if whole.is_dir() {
            return Ok(());
        }
        let _ = fs::remove_dir_all(&under_way);
        let mut command = install(&under_way);
        succeeded(&command.output().map_err(|error| error.to_string())?)?;
        fs::rename(&under_way, &whole).map_err(|error| error.to_string())
    };
    if let Err(complaint) = under_lock(installing) {
        let complaint = complaint.lines().last().unwrap_or_default();
        missing(&format!("{what} is missing, and could not be installed: {complaint}"));
        return None;
    }
    Some(whole)
}
