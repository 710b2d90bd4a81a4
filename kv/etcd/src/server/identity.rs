//! Who the only member is: ids that etcd would give it for the same flags.

use std::fmt::Write as _;

use sha1::{Digest, Sha1};

use crate::api::Identity;

/// What the member and its cluster are called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Naming {
    /// The member's name.
    pub name: String,
    /// Where other members would find it. It says who the member is; nobody listens there.
    pub peer_urls: Vec<String>,
    /// What sets the cluster apart from others with the same addresses.
    pub cluster_token: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            peer_urls: vec!["http://localhost:2380".to_owned()],
            cluster_token: "etcd-cluster".to_owned(),
        }
    }
}

impl Naming {
    /// The ids are hashes of the addresses and the token, so they outlive the process without being kept.
    pub(crate) fn identity(&self, client_urls: Vec<String>) -> Identity {
        assert!(!client_urls.is_empty(), "clients find a member somewhere");
        let mut sorted = self.peer_urls.clone();
        sorted.sort();
        let member = id(format!("{}{}", sorted.concat(), self.cluster_token).as_bytes());
        // The most significant byte comes first.
        let mut bytes = member.to_le_bytes();
        bytes.reverse();
        Identity {
            cluster: id(&bytes),
            member,
            name: self.name.clone(),
            peer_urls: self.peer_urls.clone(),
            client_urls,
        }
    }
}

impl Identity {
    /// The member as etcd notes it in its file.
    pub(crate) fn to_json(&self) -> String {
        let list = |urls: &[String]| urls.iter().map(|url| quoted(url)).collect::<Vec<_>>().join(",");
        format!(
            "{{\"id\":{},\"peerURLs\":[{}],\"name\":{},\"clientURLs\":[{}]}}",
            self.member,
            list(&self.peer_urls),
            quoted(&self.name),
            list(&self.client_urls)
        )
    }
}

fn id(text: &[u8]) -> u64 {
    let hash = Sha1::digest(text);
    assert!(hash.len() > size_of::<u64>(), "an id is a part of a hash");
    hash[..8].iter().fold(0, |id, byte| id << 8 | u64::from(*byte))
}

/// As JSON writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    debug_assert!(!quoted.contains(|character| character < ' '), "JSON has no control characters in a text");
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What etcd prints when it is started without flags.
    #[test]
    fn the_ids_are_those_of_etcd() {
        let identity = Naming::default().identity(vec!["http://localhost:2379".to_owned()]);
        assert_eq!(format!("{:x} {:x}", identity.member, identity.cluster), "8e9e05c52164694d cdf818194e3a8c32");
        assert_eq!(
            identity.to_json(),
            "{\"id\":10276657743932975437,\"peerURLs\":[\"http://localhost:2380\"],\"name\":\"default\",\
             \"clientURLs\":[\"http://localhost:2379\"]}"
        );
    }

    #[test]
    fn a_name_is_quoted() {
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
