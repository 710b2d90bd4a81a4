//! Where to listen, as etcd's flags write it.

use std::fmt;
use std::str::FromStr;

/// A place to listen at, or to be found at: `http://127.0.0.1:2379`, or `https://` with TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    secure: bool,
    authority: String,
}

impl Url {
    /// Whether it is an `https` address, spoken to by TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host and port, as in `127.0.0.1:2379`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl Url {
    /// etcd's default for clients.
    pub(crate) fn default_for_clients() -> Self {
        Self { secure: false, authority: "localhost:2379".to_owned() }
    }

    /// The same host.
    pub(crate) fn at_port(&self, port: u16) -> Self {
        debug_assert!(self.authority.contains(':'), "an address has a port");
        let host = self.authority.rsplit_once(':').map_or(&*self.authority, |(host, _)| host);
        let moved = Self { secure: self.secure, authority: format!("{host}:{port}") };
        debug_assert_eq!(moved.to_string().parse().as_ref(), Ok(&moved), "an address reads as it is written");
        moved
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http{}://{}", if self.secure { "s" } else { "" }, self.authority)
    }
}

/// Why a text is no [`Url`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// It begins with neither `http://` nor `https://`.
    #[error("{0} begins with neither http:// nor https://")]
    Scheme(String),
    /// It names no port.
    #[error("{0} names no port; write it as http://127.0.0.1:2379")]
    Port(String),
    /// Something follows the port.
    #[error("{0} goes on after the port: only host and port can be listened at")]
    Path(String),
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (secure, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(UrlError::Scheme(text.to_owned())),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('/') {
            return Err(UrlError::Path(text.to_owned()));
        }
        let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(UrlError::Port(text.to_owned()));
        }
        assert!(authority.contains(':') && !authority.contains('/'), "an address is a host and a port");
        Ok(Self { secure, authority: authority.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_etcd_writes_them() {
        for (text, secure, authority) in [
            ("http://127.0.0.1:2379", false, "127.0.0.1:2379"),
            ("https://localhost:2379/", true, "localhost:2379"),
            ("http://[::1]:0", false, "[::1]:0"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.is_secure(), url.authority()), (secure, authority), "{text}");
            assert_eq!(url.to_string(), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_cannot_be_listened_at_is_refused_with_its_text() {
        let refusal = |text: &str| text.parse::<Url>().unwrap_err().to_string();
        assert!(refusal("127.0.0.1:2379").contains("neither http:// nor https://"));
        assert!(refusal("unix://etcd.sock").contains("unix://etcd.sock"));
        for text in ["http://localhost", "http://:2379", "http://localhost:port", "http://localhost:65536"] {
            assert!(refusal(text).contains("names no port"), "{text}");
        }
        assert!(refusal("http://localhost:2379/v3").contains("goes on after the port"));
    }
}
