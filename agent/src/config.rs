//! Everything an operator of an agent can set.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::uri::{Authority, Scheme, Uri};
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::limits::DEADLINE_MAX;
use mesh_core::operation::RequestPath;
use mesh_node::section::DirectorySection;
use mesh_rt::config::{Admin, Check, Drain, Log, Mesh, TlsFiles, loopback};
use serde::Deserialize;

/// See the module. A field without a default must be written down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The system that the agent stands beside: the only one that it asks and answers for.
    pub system: SystemAddress,
    pub mesh: Mesh,
    pub directory: DirectorySection,
    /// `trust_file` is the authority that vouches for the upper neighbour, and for nobody else.
    pub tls: TlsFiles,
    pub upper: Upper,
    pub local: Local,
    pub admin: Admin,
    /// What answers for the services of `system`; none for a system that only asks.
    #[serde(default)]
    pub backends: Vec<Backend>,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    pub drain: Drain,
}

/// `[upper]`: the hub of the system's cluster, or the centre where there is none. Which of them it
/// must be, the directory says.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upper {
    pub address: SocketAddr,
}

/// `[local]`: where the system's own programs ask.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Local {
    /// A loopback address: whoever reaches it asks in the name of `system`.
    pub listen: SocketAddr,
}

/// `[[backends]]`: what answers for one service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    pub service: ServiceAddress,
    pub url: BackendUrl,
    /// Caps the total time of an exchange at this agent.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// Where a backend answers, such as `http://127.0.0.1:9000/base`. Plain HTTP/1.1.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct BackendUrl {
    authority: Authority,
    /// Put before every path; empty, or with a slash at its beginning and none at its end.
    base: Box<str>,
}

/// Text that is no address of a backend, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("backends.url: {text:?} {why}, want such as http://127.0.0.1:9000/base")]
pub struct ParseUrlError {
    text: String,
    why: &'static str,
}

impl Check for Config {
    fn check(&self) -> Result<(), (&'static str, String)> {
        self.directory.check()?;
        self.admin.check()?;
        loopback("local.listen", self.local.listen)?;
        let Self { system, mesh, backends, .. } = self;
        let mesh = &mesh.domain().mesh;
        if system.agency.mesh != *mesh {
            return Err(("system", format!("{system} is not of the mesh {mesh}")));
        }
        for (index, backend) in backends.iter().enumerate() {
            backend.check(system)?;
            let service = &backend.service;
            if backends[..index].iter().any(|earlier| earlier.service == *service) {
                return Err(("backends.service", format!("{service} is there twice")));
            }
        }
        Ok(())
    }

    fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        let mut files = vec![("directory.key_file", &mut self.directory.key_file)];
        files.extend(self.tls.files());
        files
    }

    fn folders(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        vec![("directory.state_dir", &mut self.directory.state_dir)]
    }
}

impl Backend {
    /// What the service may take at most, where this agent says so.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }

    fn check(&self, system: &SystemAddress) -> Result<(), (&'static str, String)> {
        let Self { service, timeout_ms, .. } = self;
        if service.system != *system {
            return Err(("backends.service", format!("{service} is no service of {system}")));
        }
        let most = DEADLINE_MAX.as_millis() as u64;
        match timeout_ms {
            Some(timeout_ms) if !(1..=most).contains(timeout_ms) => {
                Err(("backends.timeout_ms", format!("{timeout_ms} is not 1 to {most}")))
            }
            _ => Ok(()),
        }
    }
}

impl BackendUrl {
    /// Host and port.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What stands before the path of a request.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl TryFrom<String> for BackendUrl {
    type Error = ParseUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        read_url(&text).map_err(|why| ParseUrlError { text, why })
    }
}

fn read_url(text: &str) -> Result<BackendUrl, &'static str> {
    let uri: Uri = text.parse().map_err(|_| "is no URL")?;
    if uri.scheme() != Some(&Scheme::HTTP) {
        return Err("does not begin with http://");
    }
    let authority = uri.authority().ok_or("has no host")?;
    if authority.as_str().contains('@') {
        return Err("has a user name");
    }
    // A port that is none is left out of `port_u16`, not refused.
    let has_port = authority.as_str().len() != authority.host().len();
    if authority.host().is_empty() || (has_port && authority.port_u16().is_none_or(|p| p == 0)) {
        return Err("has no host, or no port between 1 and 65535");
    }
    // The parser of URIs drops a fragment without a word.
    if uri.query().is_some() || text.contains('#') {
        return Err("has a query or fragment");
    }
    let base = uri.path().strip_suffix('/').unwrap_or(uri.path());
    if !base.is_empty() {
        RequestPath::new(base).map_err(|_| "has a path that is not well formed")?;
    }
    Ok(BackendUrl { authority: authority.clone(), base: base.into() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const WHOLE: &str = r#"system = "ir/gov/tax/debts"
directory = { key_file = "directory.pem", state_dir = "state" }
[mesh]
id = "ir"
domain = "mesh.ir"
[tls]
chain_file = "chain.pem"
key_file = "key.pem"
trust_file = "trust.pem"
[upper]
address = "127.0.0.1:7100"
[local]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[[backends]]
service = "ir/gov/tax/debts/debt.v1"
url = "http://127.0.0.1:9000/base/"
timeout_ms = 500
[[backends]]
service = "ir/gov/tax/debts/debt.v2"
url = "http://registry"
"#;

    /// As the program reads it, from a file.
    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        std::fs::write(&file, text).unwrap();
        let read = mesh_rt::config::load(&file).map_err(|error| error.to_string());
        read.map_err(|error| error.replace(&format!("{}:", file.display()), ""))
    }

    #[test]
    fn what_is_not_written_has_a_default() {
        let mut config = read(WHOLE).unwrap();
        let [first, second] = &config.backends[..] else { panic!("{config:?}") };
        assert_eq!((first.url.authority().as_str(), first.url.base()), ("127.0.0.1:9000", "/base"));
        assert_eq!(first.timeout(), Some(Duration::from_millis(500)));
        assert_eq!((second.url.authority().as_str(), second.url.base()), ("registry", ""));
        assert_eq!(second.timeout(), None);
        let files = config.files();
        let names: Vec<_> = files.iter().map(|(field, _)| *field).collect();
        assert_eq!(
            names,
            ["directory.key_file", "tls.chain_file", "tls.key_file", "tls.trust_file"]
        );
        assert!(files.iter().all(|(_, path)| Path::new(path).is_absolute()), "{files:?}");
    }

    #[test]
    fn a_system_that_only_asks_has_no_backend() {
        let (asks, _) = WHOLE.split_once("[[backends]]").unwrap();
        assert!(read(asks).unwrap().backends.is_empty());
    }

    #[test]
    fn says_what_to_change() {
        let want = "want such as http://127.0.0.1:9000/base";
        let url = "http://127.0.0.1:9000/base/";
        let bad_url = |why: &str| format!("18: backends.url: {why}, {want}");
        #[rustfmt::skip]
        let cases: &[(&str, &str, String)] = &[
            // Replace, by, and what the message is.
            ("ir/gov/tax/debts\"", "ir/gov/tax\"",
             "1: system: system address has 3 parts, want mesh/class/agency/system".into()),
            ("ir/gov/tax/debts\"", "xx/gov/tax/debts\"",
             "1: system: xx/gov/tax/debts is not of the mesh ir".into()),
            ("ir/gov/tax/debts\"", "ir/gov/tax/desk\"",
             "17: backends.service: ir/gov/tax/debts/debt.v1 is no service of \
              ir/gov/tax/desk".into()),
            ("debt.v2", "debt.v1",
             "21: backends.service: ir/gov/tax/debts/debt.v1 is there twice".into()),
            ("debt.v1", "debt",
             "17: backends.service: service \"debt\" has no major version, want such as \
              tax-debt.v1".into()),
            ("[local]\nlisten = \"127.0.0.1:0\"", "[local]\nlisten = \"0.0.0.0:80\"",
             "13: local.listen: 0.0.0.0:80 is no loopback address, want such as \
              127.0.0.1:80".into()),
            ("timeout_ms = 500", "timeout_ms = 0",
             "19: backends.timeout_ms: 0 is not 1 to 3600000".into()),
            ("timeout_ms = 500", "timeout_ms = 3600001",
             "19: backends.timeout_ms: 3600001 is not 1 to 3600000".into()),
            ("timeout_ms", "timeout",
             "19: backends: unknown field `timeout`, expected one of `service`, `url`, \
              `timeout_ms`".into()),
            ("address = \"127.0.0.1:7100\"", "address = \"127.0.0.1:7100\"\ntrust_file = \"x\"",
             "12: upper: unknown field `trust_file`, expected `address`".into()),
            (url, "https://127.0.0.1",
             bad_url("\"https://127.0.0.1\" does not begin with http://")),
            (url, "127.0.0.1:9000",
             bad_url("\"127.0.0.1:9000\" does not begin with http://")),
            (url, "http://",
             bad_url("\"http://\" is no URL")),
            (url, "http://a@b",
             bad_url("\"http://a@b\" has a user name")),
            (url, "http://a:0",
             bad_url("\"http://a:0\" has no host, or no port between 1 and 65535")),
            (url, "http://a:99999",
             bad_url("\"http://a:99999\" has no host, or no port between 1 and 65535")),
            (url, "http://a?b",
             bad_url("\"http://a?b\" has a query or fragment")),
            (url, "http://a/#b",
             bad_url("\"http://a/#b\" has a query or fragment")),
            (url, "http://a/../b",
             bad_url("\"http://a/../b\" has a path that is not well formed")),
        ];
        for (from, to, want) in cases {
            assert!(WHOLE.contains(from), "{from:?}");
            let message = read(&WHOLE.replacen(from, to, 1)).expect_err(want);
            assert_eq!(message, *want, "{from:?} → {to:?}");
        }
    }

    #[test]
    fn the_example_is_one() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/agent.toml");
        let config: Config = mesh_rt::config::load(Path::new(example)).unwrap();
        assert_eq!(config.backends[0].service.system, config.system);
    }
}
