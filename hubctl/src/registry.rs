//! `hubctl apply`, `get` and `describe`: what the registry at the centre holds, and changing it.
//!
//! `apply` reads a file or a folder of `*.toml` files in the form of `hubctl directory compile`,
//! without its header, and makes the registry hold what they say. What they do not mention stays,
//! unless `--prune` is given; keys of links are never pruned, and more than one object in ten only
//! with `--yes`. Changes go as change sets of at most 90; more are a sequence that `apply` resumes
//! when it is run again. `hubctl change` lists, shows and decides of change sets.
//!
//! Exit code 1 if the registry refused, could not be asked, or what was done cuts nodes off; 2 if
//! the files or the arguments must be changed.

use clap::ValueEnum;
use mesh_core::directory::Directory;
use mesh_core::directory::change::{ByKey, Key, ObjectKind};
use mesh_core::directory::history::Head;
use mesh_core::node::{MeshDomain, NodeName};
use mesh_core::reason::Reason;
use mesh_proto::directory::read_object;
use mesh_proto::registry::{PAGE_OBJECTS_MAX, Page};
use mesh_rt::exit::CmdError;

pub(crate) use self::apply::{ApplyArgs, Making, apply, make};
pub(crate) use self::change::{Change, change};
pub(crate) use self::describe::{DescribeArgs, describe};
pub(crate) use self::json::value;
pub(crate) use self::list::{GetArgs, get};
pub(crate) use self::remove::{RemoveArgs, remove};
use crate::client::{AskError, ConnectError, NodeClient, Unanswered};
use crate::config::Config;

mod apply;
mod change;
mod changes;
mod cut_off;
mod describe;
mod json;
mod list;
mod parts;
mod propose;
mod prune;
mod remove;

/// How often a reading begins anew because somebody changed the registry meanwhile.
const READINGS_MAX: usize = 5;

/// What the registry holds at one revision.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) head: Head,
    pub(crate) mesh: MeshDomain,
    pub(crate) objects: ByKey,
}

/// The kinds of objects that operators ask for, as words on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Kind {
    #[value(name = "clusters", alias = "cluster")]
    Cluster,
    #[value(name = "agencies", alias = "agency")]
    Agency,
    #[value(name = "systems", alias = "system")]
    System,
    #[value(name = "services", alias = "service")]
    Service,
    #[value(name = "agreements", alias = "agreement")]
    Agreement,
    #[value(name = "link-keys", alias = "link-key")]
    LinkKey,
    #[value(name = "directory-keys", alias = "directory-key")]
    DirectoryKey,
}

/// The registry holds nothing under a name.
#[derive(Debug, thiserror::Error)]
#[error("the registry has no {kind} {name}; `hubctl get {word}` lists them all")]
struct Unknown {
    kind: &'static str,
    name: String,
    word: String,
}

/// A name on the command line that cannot be one of its kind.
#[derive(Debug, thiserror::Error)]
#[error("{name:?} is no name of a {kind}: {why}")]
struct BadName {
    kind: &'static str,
    name: String,
    why: String,
}

/// The node of `config` that keeps the registry.
pub(crate) fn centre(config: &Config) -> Result<NodeClient, ConnectError> {
    NodeClient::connect(config, &NodeName::Centre.to_string())
}

impl Registry {
    /// Reads all pages of one revision.
    pub(crate) async fn read(centre: &NodeClient) -> Result<Self, AskError> {
        for _ in 1..READINGS_MAX {
            match Self::read_once(centre).await {
                Err(AskError { reason: Unanswered::Refused(problem), .. })
                    if problem.reason == Reason::RegistryConflict => {}
                read => return read,
            }
        }
        Self::read_once(centre).await
    }

    async fn read_once(centre: &NodeClient) -> Result<Self, AskError> {
        let malformed = |why: String| {
            centre.unanswered(Unanswered::Malformed { why: format!("registry: {why}") })
        };
        let (mut after, mut of): (Option<Key>, _) = (None, None);
        let mut objects = ByKey::new();
        loop {
            let page = Page { prefix: String::new(), after, limit: PAGE_OBJECTS_MAX, of };
            let answer = centre.registry_page(&page).await?;
            of = Some((answer.epoch, answer.revision));
            for object in answer.objects {
                let object = read_object(object).map_err(|why| malformed(why.to_string()))?;
                objects.insert(object.key(), object);
            }
            if answer.next_after.is_empty() {
                let id = answer.mesh.parse();
                let mesh = id.ok().and_then(|id| MeshDomain::new(id, &answer.domain).ok());
                let mesh = mesh.ok_or_else(|| malformed("its mesh has no name".into()))?;
                let (epoch, revision) = (answer.epoch, answer.revision);
                return Ok(Self { head: Head { epoch, revision, hash: None }, mesh, objects });
            }
            let next: Key = answer.next_after.parse().map_err(|why| malformed(format!("{why}")))?;
            // A page that does not move on would be asked for ever.
            if objects.last_key_value().is_none_or(|(last, _)| *last != next) {
                return Err(malformed("its pages do not follow each other".into()));
            }
            after = Some(next);
        }
    }

    /// The objects put together.
    pub(crate) fn directory(&self) -> Result<Directory, CmdError> {
        let objects = self.objects.values().cloned().collect();
        Directory::build(self.mesh.clone(), self.head.position(), objects)
            .map_err(CmdError::failure)
    }

    /// The key of the object that is called `name`, which must be there.
    fn find(&self, kind: Kind, name: &str) -> Result<Key, CmdError> {
        if kind == Kind::Agreement {
            return self.find_agreement(name).map_err(CmdError::usage);
        }
        let key = Key::parse(kind.of(), name).map_err(|why| {
            CmdError::usage(BadName { kind: kind.of().name(), name: name.into(), why })
        })?;
        if self.objects.contains_key(&key) {
            return Ok(key);
        }
        let (kind, name, word) = (kind.of().name(), name.into(), kind.word());
        Err(CmdError::failure(Unknown { kind, name, word }))
    }
}

/// Digits of an agreement's id that are enough to ask for it.
const ID_DIGITS_MIN: usize = 8;

/// No agreement, or more than one, has an id that begins as was said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAgreement {
    #[error("{name:?} is no id of an agreement, want its first {ID_DIGITS_MIN} digits at least")]
    Name { name: String },
    #[error("the registry has no agreement {name}; `hubctl get agreements` lists them all")]
    Unknown { name: String },
    #[error("the ids of {count} agreements begin with {name}; say more of the one that is meant")]
    Ambiguous { name: String, count: usize },
}

impl Registry {
    /// The key of the agreement whose id begins with `name`.
    pub(crate) fn find_agreement(&self, name: &str) -> Result<Key, NoAgreement> {
        let name = &name.to_ascii_lowercase();
        let is_id = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id || name.len() < ID_DIGITS_MIN {
            return Err(NoAgreement::Name { name: name.chars().take(80).collect() });
        }
        let begins = |key: &&Key| {
            key.kind() == ObjectKind::Agreement && key.name().starts_with(name.as_str())
        };
        let found: Vec<&Key> = self.objects.keys().filter(begins).collect();
        match found[..] {
            [] => Err(NoAgreement::Unknown { name: name.into() }),
            [only] => Ok(only.clone()),
            _ => Err(NoAgreement::Ambiguous { name: name.into(), count: found.len() }),
        }
    }
}

impl Kind {
    fn of(self) -> ObjectKind {
        match self {
            Self::Cluster => ObjectKind::Cluster,
            Self::Agency => ObjectKind::Agency,
            Self::System => ObjectKind::System,
            Self::Service => ObjectKind::Service,
            Self::Agreement => ObjectKind::Agreement,
            Self::LinkKey => ObjectKind::LinkKey,
            Self::DirectoryKey => ObjectKind::DirectoryKey,
        }
    }

    fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
