//! The programs that hold engines.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use kv_testkit::found::{missing, skip};
use peers::contest::Programs;
use peers::engines::Peer;

/// Those with this engine; none if the test has to do without, because there is no Go that is new enough.
pub(crate) fn programs(peer: &Peer) -> Option<Programs> {
    static GO: OnceLock<Result<(), String>> = OnceLock::new();
    let here = Path::new(env!("CARGO_BIN_EXE_peers")).to_owned();
    let programs = Programs { go: here.with_file_name("peers-go"), here };
    if peer.open.is_none()
        && let Err(why) = GO.get_or_init(|| programs.build_go().map_err(|error| error.to_string()))
    {
        if Command::new("go").arg("version").output().is_ok() {
            skip(why);
        } else {
            missing(why);
        }
        return None;
    }
    Some(programs)
}
