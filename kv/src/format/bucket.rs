//! A bucket as it lies in its parent's leaf: 16 bytes of header, and for an inline bucket the page itself.

use super::bytes::u64_at;
use super::{Header, Kind, Leaf, Malformed, Node, PAGE_HEADER};

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
        match Node::parse(page, header)? {
            Node::Leaf(leaf) if header.kind == Kind::Leaf => Ok(leaf),
            _ => Err(Malformed("inline bucket is not a leaf")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_its_bytes() {
        let header = BucketHeader { root: 0x0102_0304_0506_0708, sequence: u64::MAX - 1 };
        assert_eq!(BucketHeader::parse(&header.to_bytes()), Ok(header));
        assert_eq!(header.to_bytes().first_chunk(), Some(&header.root.to_le_bytes()));
    }
}
