//! The machine that measured.

use std::fs::read_to_string;
use std::path::Path;

/// Processor, system, memory, and the file system of `dir`, as far as the system tells.
#[must_use]
pub fn describe(dir: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let parts = [
        Some(format!("{cores} cores{}", processor().map_or(String::new(), |name| format!(" of {name}")))),
        memory().map(|gigabytes| format!("{gigabytes} GiB of memory")),
        Some(format!("{}{}", std::env::consts::OS, kernel().map_or(String::new(), |kernel| format!(" {kernel}")))),
        file_system(dir).map(|name| format!("the stores on {name}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn processor() -> Option<String> {
    let text = read_to_string("/proc/cpuinfo").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'))?.1;
    Some(name.trim().to_owned())
}

fn memory() -> Option<u64> {
    let text = read_to_string("/proc/meminfo").ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))?;
    Some(kilobytes.parse::<u64>().ok()?.div_ceil(1 << 20))
}

fn kernel() -> Option<String> {
    let release = read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(release.trim().split(['-', '+']).next()?.to_owned())
}

/// The file system that is mounted deepest above `dir`.
fn file_system(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let text = read_to_string("/proc/mounts").ok()?;
    let mounts = text.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((Path::new(words.next()?), words.next()?)).filter(|(place, _)| dir.starts_with(place))
    });
    mounts.max_by_key(|(place, _)| place.as_os_str().len()).map(|(_, name)| name.to_owned())
}
