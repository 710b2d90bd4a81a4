//! Rows of etcd's buckets, in words.

use kv_etcd::mvcc::{LeaseRow, Revision};

use super::items::Path;
use super::value::{self, Form};
use crate::notation::{ETCD_ROWS, EtcdRow as Change, named};

const LEASES: &[u8] = b"lease";
const META: &[u8] = b"meta";

/// A row of one of etcd's buckets.
#[derive(Clone, Debug)]
pub(super) enum EtcdRow {
    /// Of `key`.
    Change(Change),
    /// Of `lease`.
    Lease(LeaseRow),
    /// Of `meta`: a number, as of the last change that is in the file.
    Number(&'static str, u64),
    /// Of `meta`: how far a compaction is.
    Compaction(&'static str, Revision),
}

/// The bucket at `path`, if it is one of etcd's, which all lie at the top.
fn bucket(path: &Path) -> &[u8] {
    match &path[..] {
        [bucket] => bucket,
        _ => b"",
    }
}

/// The key of a row as the tree shows it, if it is not text.
pub(super) fn name(path: &Path, key: &[u8]) -> Option<String> {
    if bucket(path) == ETCD_ROWS.as_bytes() {
        let (revision, delete) = Revision::parse(key).ok()?;
        return Some(format!("{}.{}{}", revision.main, revision.sub, if delete { " delete" } else { "" }));
    }
    number(key).filter(|_| bucket(path) == LEASES).map(|id| format!("lease {id:x}"))
}

/// A number as etcd writes it: the most significant byte first.
fn number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() == size_of::<u64>()).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

impl EtcdRow {
    pub(super) fn decode(path: &Path, key: &[u8], value: &[u8]) -> Option<Self> {
        let bucket = bucket(path);
        if bucket == ETCD_ROWS.as_bytes() {
            return Change::decode(key, value).ok().map(Self::Change);
        }
        if bucket == LEASES {
            let row = LeaseRow::parse(value).ok()?;
            return (number(key) == Some(row.id.cast_unsigned())).then_some(Self::Lease(row));
        }
        if bucket != META {
            return None;
        }
        let revision = || Revision::parse(value).ok().map(|(revision, _)| revision);
        match key {
            b"consistent_index" => Some(Self::Number("index in etcd's log", number(value)?)),
            b"term" => Some(Self::Number("term of etcd's log", number(value)?)),
            b"scheduledCompactRev" => Some(Self::Compaction("begun", revision()?)),
            b"finishedCompactRev" => Some(Self::Compaction("done", revision()?)),
            _ => None,
        }
    }

    /// The row in lines of at most `width` columns, as far as that is up to it.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        match self {
            Self::Change(row) => change(row, width),
            Self::Lease(row) => lease(row),
            Self::Number(what, number) => vec![format!("{what}  {number}")],
            Self::Compaction(what, revision) => vec![format!("compaction {what}  up to revision {}", revision.main)],
        }
    }
}

fn change(row: &Change, width: usize) -> Vec<String> {
    let mut lines = vec![
        format!("revision  {}.{}", row.revision.main, row.revision.sub),
        format!("{}  {}", if row.delete { "delete  " } else { "put     " }, named(&row.kv.key)),
    ];
    if row.delete {
        return lines;
    }
    let kv = &row.kv;
    lines.push(format!("created   {}", kv.create_revision));
    lines.push(format!("version   {}", kv.version));
    if kv.lease != 0 {
        lines.push(format!("lease     {:x}", kv.lease));
    }
    let (form, value) = value::lines(Form::Auto, &Path::new(), b"", &kv.value, width);
    lines.push(format!("value     {} bytes, {}", kv.value.len(), form.name()));
    lines.push(String::new());
    lines.extend(value);
    lines
}

fn lease(row: &LeaseRow) -> Vec<String> {
    let mut lines = vec![format!("lease     {:x}", row.id), format!("granted   {} s", row.ttl)];
    if row.remaining_ttl != 0 {
        lines.push(format!("left      {} s at its last checkpoint", row.remaining_ttl));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bucket: &str, key: &[u8], value: &[u8]) -> Option<Vec<String>> {
        let (form, lines) = value::lines(Form::Auto, &vec![bucket.into()], key, value, 40);
        (form == Form::Etcd).then_some(lines)
    }

    #[test]
    fn a_change_is_decoded_in_its_bucket_only() {
        let (key, value) = (b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0", b"\x0a\x03foo\x10\x02\x18\x02\x20\x01\x2a\x03bar");
        let lines = shown("key", key, value).unwrap();
        assert_eq!(lines[..2], ["revision  2.0", "put       foo"]);
        assert_eq!(lines.last().unwrap(), "bar");
        assert_eq!(shown("other", key, value), None);
        let inside = vec![b"outer".to_vec(), b"key".to_vec()];
        assert_eq!(value::lines(Form::Auto, &inside, key, value, 40).0, Form::Hex);
        assert!(value::lines(Form::Etcd, &Path::new(), b"k", b"v", 40).1[0].contains("no row"));
    }

    #[test]
    fn a_lease_is_decoded_if_it_has_the_id_of_its_key() {
        let (key, path) = (b"\x6b\x93\xa2\x0e\x1a\x37\x24\x09", vec![b"lease".to_vec()]);
        let value = b"\x08\x89\xc8\xdc\xd1\xe1\xc1\xe8\xc9\x6b\x10\x64\x18\x0c";
        assert_eq!(name(&path, key).unwrap(), "lease 6b93a20e1a372409");
        let lines = ["lease     6b93a20e1a372409", "granted   100 s", "left      12 s at its last checkpoint"];
        assert_eq!(shown("lease", key, value).unwrap(), lines);
        assert_eq!(shown("lease", key, &value[..12]).unwrap(), lines[..2], "without a checkpoint");
        assert_eq!(shown("lease", &[7; 8], value), None);
        assert_eq!(shown("lease", key, b"\xff"), None);
        // Ids below zero are ids.
        assert_eq!(name(&path, &[0xff; 8]).unwrap(), "lease ffffffffffffffff");
    }

    #[test]
    fn what_meta_says_is_decoded() {
        let index = [0, 0, 0, 0, 0, 0, 0, 51];
        let revision = b"\0\0\0\0\0\0\0\x2a_\0\0\0\0\0\0\0\0";
        assert_eq!(shown("meta", b"consistent_index", &index).unwrap(), ["index in etcd's log  51"]);
        assert_eq!(shown("meta", b"term", &index).unwrap(), ["term of etcd's log  51"]);
        assert_eq!(shown("meta", b"scheduledCompactRev", revision).unwrap(), ["compaction begun  up to revision 42"]);
        assert_eq!(shown("meta", b"finishedCompactRev", revision).unwrap(), ["compaction done  up to revision 42"]);
        for (key, value) in [(&b"term"[..], &b"7"[..]), (b"finishedCompactRev", &index), (b"confState", b"{}")] {
            assert_eq!(shown("meta", key, value), None);
        }
    }
}
