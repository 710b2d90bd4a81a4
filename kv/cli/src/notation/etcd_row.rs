//! Rows of etcd's bucket `key`, decoded.

use kv_etcd::mvcc::{KeyValue, Revision};
use serde::Serialize;

use super::record::{Encoding, Text};

/// etcd's bucket that has a row for each change.
pub(crate) const ETCD_ROWS: &str = "key";

/// A change.
#[derive(Clone, Debug)]
pub(crate) struct EtcdRow {
    pub(crate) revision: Revision,
    /// Whether it deletes the key; then only the key and the revision are known.
    pub(crate) delete: bool,
    pub(crate) kv: KeyValue,
}

impl EtcdRow {
    /// # Errors
    /// What makes the pair no row of etcd's.
    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Self, &'static str> {
        let (revision, delete) = Revision::parse(key)?;
        Ok(Self { revision, delete, kv: KeyValue::parse(value)? })
    }

    pub(crate) fn json(&self) -> RowJson {
        let put = (!self.delete).then(|| Pair::new(&self.kv, true));
        let delete = self.delete.then(|| Encoding::Text.text(&self.kv.key));
        RowJson { revision: self.revision.main, sub: self.revision.sub, put, delete }
    }
}

/// A change in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct RowJson {
    revision: i64,
    sub: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    put: Option<Pair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<Text>,
}

/// A key of etcd's and its value in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Pair {
    key: Text,
    create_revision: i64,
    mod_revision: i64,
    version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Text>,
    #[serde(skip_serializing_if = "is_zero")]
    lease: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(lease: &i64) -> bool {
    *lease == 0
}

impl Pair {
    pub(crate) fn new(kv: &KeyValue, with_value: bool) -> Self {
        Self {
            key: Encoding::Text.text(&kv.key),
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
            value: with_value.then(|| Encoding::Text.text(&kv.value)),
            lease: kv.lease,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_decoded_and_others_are_refused() {
        let put =
            EtcdRow::decode(b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0", b"\x0a\x03foo\x10\x02\x18\x02\x20\x01\x2a\x01\xff")
                .unwrap();
        assert_eq!(
            serde_json::to_string(&put.json()).unwrap(),
            r#"{"revision":2,"sub":0,"put":{"key":"foo","create_revision":2,"mod_revision":2,"version":1,"value":{"base64":"/w=="}}}"#
        );
        let delete = EtcdRow::decode(b"\0\0\0\0\0\0\0\x03_\0\0\0\0\0\0\0\x01t", b"\x0a\x03foo").unwrap();
        assert_eq!(serde_json::to_string(&delete.json()).unwrap(), r#"{"revision":3,"sub":1,"delete":"foo"}"#);
        assert!(EtcdRow::decode(b"term", b"").is_err());
        assert!(EtcdRow::decode(b"\0\0\0\0\0\0\0\x02_\0\0\0\0\0\0\0\0", b"\x0a").is_err());
    }
}
