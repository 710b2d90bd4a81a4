//! The versions of the engines, from the files that pin them.

/// Engines and the packages that they are.
const PACKAGES: [(&str, &str); 10] = [
    ("LMDB, by lmdb-rkv-sys", "lmdb-rkv-sys"),
    ("redb", "redb"),
    ("libmdbx, by mdbx-sys", "mdbx-sys"),
    ("canopydb", "canopydb"),
    ("SQLite, by libsqlite3-sys", "libsqlite3-sys"),
    ("fjall", "fjall"),
    ("RocksDB, by librocksdb-sys", "librocksdb-sys"),
    ("kv", "kv-bbolt"),
    ("bbolt", "go.etcd.io/bbolt"),
    ("Pebble", "github.com/cockroachdb/pebble/v2"),
];

/// `name version, name version, ...`
pub(super) fn versions() -> String {
    let known = PACKAGES.iter().filter_map(|(title, package)| Some(format!("{title} {}", version(package)?)));
    known.collect::<Vec<_>>().join(", ")
}

fn version(package: &str) -> Option<&'static str> {
    let locked = include_str!("../../Cargo.lock").split("[[package]]").find_map(|entry| {
        let mut lines = entry.trim_start().lines();
        let name = lines.next()?.strip_prefix("name = \"")?.strip_suffix('"')?;
        let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
        (name == package).then_some(version)
    });
    let required = || {
        include_str!("../../go/go.mod").lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [name, version] if name == package => version.strip_prefix('v'),
            _ => None,
        })
    };
    locked.or_else(required)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_a_version() {
        for (_, package) in PACKAGES {
            let version = version(package);
            assert!(version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit())), "{package}");
        }
    }
}
