//! Where a registry is kept: the section `[registry]` of the centre, and the store that it names.

use std::path::PathBuf;
use std::sync::Arc;

use mesh_store::{Embedded, EtcdConfig, EtcdStore, EtcdTlsError, SteadyClock, Store, StoreError};
use serde::Deserialize;

/// `[registry]`: where the registry is kept, and what a change of it needs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrySection {
    #[serde(default)]
    pub store: StoreKind,
    /// The embedded store: one file, for one process.
    #[serde(default)]
    pub file: Option<PathBuf>,
    #[serde(default)]
    pub etcd: Option<EtcdConfig>,
    /// How many approvals which change needs; without a file, none.
    #[serde(default)]
    pub rules_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    #[default]
    Embedded,
    Etcd,
}

/// A store that is open. Cheap to clone.
#[derive(Clone, Debug)]
pub enum OpenStore {
    Embedded(Arc<Embedded>),
    Etcd(Arc<EtcdStore>),
}

/// A store that cannot be opened. Each sentence names the field to look at.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("registry.file is missing; the embedded store needs one")]
    NoFile,
    #[error("registry.etcd is missing; a registry on etcd needs it")]
    NoEtcd,
    #[error(
        "registry.file {}: is not there; lay a registry out with `hubctl registry init`",
        .0.display()
    )]
    Absent(PathBuf),
    #[error("registry: {0}")]
    Store(#[from] StoreError),
    #[error("registry.etcd")]
    Tls(#[from] EtcdTlsError),
}

impl RegistrySection {
    /// The embedded store in `file`.
    pub fn of_file(file: PathBuf) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// The rules between its fields, for those who check a configuration.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |field, message: &str| Err((field, message.to_owned()));
        match (self.store, &self.file, &self.etcd) {
            (StoreKind::Embedded, None, _) => wrong("registry.file", "is missing"),
            (StoreKind::Embedded, Some(_), Some(_)) => {
                wrong("registry.etcd", "belongs to store = \"etcd\"")
            }
            (StoreKind::Etcd, _, None) => wrong("registry.etcd", "is missing"),
            (StoreKind::Etcd, Some(_), Some(_)) => {
                wrong("registry.file", "belongs to store = \"embedded\"")
            }
            (StoreKind::Embedded, Some(_), None) | (StoreKind::Etcd, None, Some(_)) => Ok(()),
        }
    }

    /// The files that it names, by field.
    pub fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        let mut files = Vec::new();
        files.extend(self.file.iter_mut().map(|file| ("registry.file", file)));
        files.extend(self.rules_file.iter_mut().map(|file| ("registry.rules_file", file)));
        if let Some(etcd) = &mut self.etcd {
            files.push(("registry.etcd.chain_file", &mut etcd.chain_file));
            files.push(("registry.etcd.key_file", &mut etcd.key_file));
            files.push(("registry.etcd.trust_file", &mut etcd.trust_file));
        }
        files
    }

    /// What can be said of the store without opening it, which only one process may.
    pub fn is_there(&self) -> Result<(), PlaceError> {
        match (self.store, &self.file) {
            // The store would make an empty one, and an empty registry denies everything.
            (StoreKind::Embedded, Some(file)) if !file.is_file() => {
                Err(PlaceError::Absent(file.clone()))
            }
            (StoreKind::Embedded | StoreKind::Etcd, _) => Ok(()),
        }
    }

    /// Opens the store; an embedded one that is not there yet is made.
    pub async fn open(&self) -> Result<OpenStore, PlaceError> {
        match self.store {
            StoreKind::Embedded => {
                let file = self.file.as_ref().ok_or(PlaceError::NoFile)?;
                let store = Embedded::open(file, Arc::new(SteadyClock::default())).await?;
                Ok(OpenStore::Embedded(Arc::new(store)))
            }
            StoreKind::Etcd => {
                let etcd = self.etcd.as_ref().ok_or(PlaceError::NoEtcd)?;
                Ok(OpenStore::Etcd(Arc::new(EtcdStore::open(etcd)?)))
            }
        }
    }
}

impl OpenStore {
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Etcd(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// Lets go of it, so that another process may open it.
    pub async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Etcd(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_names_one_store() {
        let etcd = "[etcd]\nendpoints = [\"localhost:2379\"]\nchain_file = \"c\"\n\
                    key_file = \"k\"\ntrust_file = \"t\"\n";
        #[rustfmt::skip]
        let cases = [
            ("file = \"r\"\n",                            "",     Ok(())),
            ("",                                          "",     Err("registry.file")),
            ("store = \"etcd\"\n",                        etcd,   Ok(())),
            ("store = \"etcd\"\n",                        "",     Err("registry.etcd")),
            ("file = \"r\"\n",                            etcd,   Err("registry.etcd")),
            ("store = \"etcd\"\nfile = \"r\"\n",          etcd,   Err("registry.file")),
        ];
        for (fields, table, want) in cases {
            let text = format!("{fields}{table}");
            let section: RegistrySection = toml::from_str(&text).expect("it reads");
            assert_eq!(section.check().map_err(|(field, _)| field), want, "{text}");
        }
    }
}
