//! What an operator writes about etcd: where it is, what we show it, and whose keys are ours.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

/// Members of one cluster, at most. etcd itself advises against more than seven.
const ENDPOINTS_MAX: usize = 9;

/// Longest namespace, in bytes.
const NAMESPACE_BYTES_MAX: usize = 32;

/// Longest host, in bytes, as DNS has it.
const HOST_BYTES_MAX: usize = 253;

/// How etcd is reached. TLS on both sides always; etcd needs `--client-cert-auth`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EtcdConfig {
    /// Every member, so that the store goes on when one of them is away.
    pub endpoints: EtcdEndpoints,
    /// Our certificate, its authorities after it. All three files are read again for each new
    /// connection, so that renewed ones are taken without a word.
    pub chain_file: PathBuf,
    pub key_file: PathBuf,
    /// The authorities that may certify members.
    pub trust_file: PathBuf,
    #[serde(default)]
    pub namespace: EtcdNamespace,
}

/// One to nine members, none twice.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "Vec<EtcdEndpoint>")]
pub struct EtcdEndpoints(Vec<EtcdEndpoint>);

/// A member's address for clients, such as `etcd-1.mesh.example:2379`. The host is what the
/// member's certificate must say.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct EtcdEndpoint {
    text: Box<str>,
    host_bytes: usize,
}

/// The first part of all our keys, so that a cluster can serve several stores.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct EtcdNamespace(Box<str>);

/// A value in the configuration that cannot be used, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EtcdMalformed {
    #[error("{count} endpoints, want 1 to {ENDPOINTS_MAX}")]
    Endpoints { count: usize },
    #[error("endpoint {0} is there twice")]
    Twice(EtcdEndpoint),
    #[error("endpoint {text:?} is no host and port, want such as etcd-1.mesh.example:2379")]
    Endpoint { text: String },
    #[error(
        "namespace {text:?}, want 1 to {NAMESPACE_BYTES_MAX} of a-z, 0-9 and '-', such as mesh"
    )]
    Namespace { text: String },
}

impl EtcdEndpoints {
    pub fn new(endpoints: Vec<EtcdEndpoint>) -> Result<Self, EtcdMalformed> {
        if !(1..=ENDPOINTS_MAX).contains(&endpoints.len()) {
            return Err(EtcdMalformed::Endpoints { count: endpoints.len() });
        }
        for (at, endpoint) in endpoints.iter().enumerate() {
            if endpoints[..at].contains(endpoint) {
                return Err(EtcdMalformed::Twice(endpoint.clone()));
            }
        }
        Ok(Self(endpoints))
    }

    pub fn iter(&self) -> impl Iterator<Item = &EtcdEndpoint> {
        self.0.iter()
    }
}

impl EtcdEndpoint {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A name of DNS or an address; one of IPv6 without its brackets.
    pub fn host(&self) -> &str {
        self.text[..self.host_bytes].trim_start_matches('[').trim_end_matches(']')
    }
}

impl EtcdNamespace {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for EtcdNamespace {
    fn default() -> Self {
        Self("mesh".into())
    }
}

impl FromStr for EtcdEndpoint {
    type Err = EtcdMalformed;

    fn from_str(text: &str) -> Result<Self, EtcdMalformed> {
        let malformed = || EtcdMalformed::Endpoint { text: text.chars().take(80).collect() };
        let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let may_be_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let is_host = !host.is_empty() && host.bytes().all(may_be_host);
        let is_address =
            is_bracketed && host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_ok();
        let is_port = port.parse::<u16>().is_ok_and(|port| 0 < port);
        if HOST_BYTES_MAX < host.len() || !is_port || !(is_host || is_address) {
            return Err(malformed());
        }
        Ok(Self { text: text.into(), host_bytes: host.len() })
    }
}

impl FromStr for EtcdNamespace {
    type Err = EtcdMalformed;

    fn from_str(text: &str) -> Result<Self, EtcdMalformed> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(1..=NAMESPACE_BYTES_MAX).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(EtcdMalformed::Namespace { text: text.chars().take(80).collect() });
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<Vec<EtcdEndpoint>> for EtcdEndpoints {
    type Error = EtcdMalformed;

    fn try_from(endpoints: Vec<EtcdEndpoint>) -> Result<Self, EtcdMalformed> {
        Self::new(endpoints)
    }
}

impl TryFrom<String> for EtcdEndpoint {
    type Error = EtcdMalformed;

    fn try_from(text: String) -> Result<Self, EtcdMalformed> {
        text.parse()
    }
}

impl TryFrom<String> for EtcdNamespace {
    type Error = EtcdMalformed;

    fn try_from(text: String) -> Result<Self, EtcdMalformed> {
        text.parse()
    }
}

impl fmt::Display for EtcdEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> EtcdEndpoint {
        text.parse().unwrap()
    }

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for (text, host) in [
            ("etcd-1.mesh.example:2379", "etcd-1.mesh.example"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]:2379", "::1"),
        ] {
            assert_eq!((endpoint(text).host(), endpoint(text).as_str()), (host, text));
        }
        let long = format!("{}:2379", "h".repeat(254));
        let bad = ["", "host", "host:", ":1", "h:0", "h:65536", "https://h:1", "::1:1", "[x]:1"];
        for text in bad.into_iter().chain([long.as_str()]) {
            assert!(text.parse::<EtcdEndpoint>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn endpoints_are_bounded_and_none_is_there_twice() {
        let several = |count: usize| {
            let all = (1..=count).map(|port| endpoint(&format!("h:{port}"))).collect();
            EtcdEndpoints::new(all)
        };
        assert_eq!(several(0), Err(EtcdMalformed::Endpoints { count: 0 }));
        assert!(several(ENDPOINTS_MAX).is_ok());
        assert_eq!(several(10), Err(EtcdMalformed::Endpoints { count: 10 }));
        let twice = EtcdEndpoints::new(vec![endpoint("h:1"), endpoint("h:1")]);
        assert_eq!(twice, Err(EtcdMalformed::Twice(endpoint("h:1"))));
    }

    #[test]
    fn a_configuration_is_read_whole_or_refused() {
        let good = "
            endpoints = ['a:2379', 'b:2379']
            chain_file = 'c'\nkey_file = 'k'\ntrust_file = 't'";
        let config: EtcdConfig = toml::from_str(good).unwrap();
        assert_eq!(config.namespace.as_str(), "mesh");
        assert_eq!(config.endpoints.iter().count(), 2);
        for bad in ["namespace = 'A/b'", "namespace = ''", "password = 'x'"] {
            assert!(toml::from_str::<EtcdConfig>(&format!("{good}\n{bad}")).is_err(), "{bad}");
        }
    }
}
