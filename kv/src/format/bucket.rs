//! A bucket as it lies in its parent's leaf: 16 bytes of header, and for an inline bucket the page itself.

use super::bytes::u64_at;
use super::{Header, Leaf, Malformed, Node, PAGE_HEADER};

/// Bytes of a bucket header.
pub(crate) const BUCKET_HEADER: usize = 16;

/// `root` 0 means inline: the bucket's only leaf follows the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct BucketHeader {
    pub(crate) root: u64,
    pub(crate) sequence: u64,
}

impl BucketHeader {
    pub(crate) fn parse(value: &[u8]) -> Result<Self, Malformed> {
        const SHORT: Malformed = Malformed("bucket header is shorter than 16 bytes");
        Ok(Self { root: u64_at(value, 0).ok_or(SHORT)?, sequence: u64_at(value, 8).ok_or(SHORT)? })
    }

    pub(crate) fn to_bytes(self) -> [u8; BUCKET_HEADER] {
        (u128::from(self.root) | (u128::from(self.sequence) << 64)).to_le_bytes()
    }

    /// The leaf of an inline bucket whose header and page are `value`.
    pub(crate) fn inline_leaf(value: &[u8]) -> Result<Leaf<'_>, Malformed> {
        let page = value
            .get(BUCKET_HEADER..)
            .filter(|page| page.len() >= PAGE_HEADER)
            .ok_or(Malformed("inline bucket is shorter than its page header"))?;
        let header = Header::parse(page)?;
        let Node::Leaf(leaf) = Node::parse(page, header)? else {
            return Err(Malformed("inline bucket is not a leaf"));
        };
        // Nothing looks for pages below an inline bucket, so none may hang there.
        if (0..leaf.count()).any(|index| leaf.is_bucket(index)) {
            return Err(Malformed("inline bucket holds a bucket"));
        }
        Ok(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Kind;

    #[test]
    fn an_inline_bucket_holds_no_bucket() {
        let inline = |flags: u32| {
            let mut value = [0u8; BUCKET_HEADER + PAGE_HEADER + 16 + 1];
            let page = value.split_at_mut(BUCKET_HEADER).1;
            crate::format::set_header(page, Header { id: 0, kind: Kind::Leaf, count: 1, overflow: 0 });
            for (at, word) in [(16, flags), (20, 16), (24, 1), (28, 0)] {
                super::super::bytes::put(page, at, &word.to_le_bytes());
            }
            value
        };
        assert_eq!(BucketHeader::inline_leaf(&inline(0)).map(|leaf| leaf.count()), Ok(1));
        assert!(BucketHeader::inline_leaf(&inline(1)).is_err());
    }

    #[test]
    fn a_header_survives_its_bytes() {
        let header = BucketHeader { root: 0x0102_0304_0506_0708, sequence: u64::MAX - 1 };
        assert_eq!(BucketHeader::parse(&header.to_bytes()), Ok(header));
        assert_eq!(header.to_bytes().first_chunk(), Some(&header.root.to_le_bytes()));
    }
}
