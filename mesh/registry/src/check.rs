//! Is what a registry holds of one piece? Objects, log, heads and change sets against each other,
//! from a store or from a backup, item by item.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use mesh_core::change_set::{ChangeSetId, OBJECT_BYTES_MAX, State};
use mesh_core::directory::change::{Key, Object};
use mesh_core::directory::history::Head;
use mesh_core::directory::{Directory, Objects};
use mesh_core::exchange::{Digest, DirectoryPosition};
use mesh_proto::directory::read_object;
use mesh_proto::wire::directory::v1 as directory;
use mesh_proto::wire::directory::v1::change::Kind;
use mesh_proto::wire::registry::v1 as wire;
use mesh_store::StoreKey;
use prost::Message;

use crate::digest::{sha256, unseal};
use crate::held::{mesh_of, read_head};
use crate::layout;
use crate::log::read_log;

/// Findings that are told; more are only counted.
const FINDINGS_MAX: usize = 100;

/// Something that does not fit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    pub key: String,
    pub wrong: String,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub epoch: u64,
    pub revision: u64,
    pub objects: usize,
    pub log_records: usize,
    pub log_entries: usize,
    /// Entries whose signature was verified.
    pub signatures: usize,
    pub change_sets: usize,
    pub findings: Vec<Finding>,
    pub findings_more: usize,
}

/// Says whether an entry of the log is signed by a key of the directory.
pub type VerifyEntry<'v> = dyn Fn(&directory::Entry) -> Result<(), String> + 'v;

/// A check under way. Items may come in any order but that of the log.
pub struct Check<'v> {
    verify: Option<&'v VerifyEntry<'v>>,
    report: Report,
    head: Option<wire::StoredHead>,
    heads: BTreeMap<String, Head>,
    version: Option<Bytes>,
    objects: BTreeMap<Key, (Object, Digest)>,
    /// The digest that the log last told a scope of an object which the scope still has.
    logged: BTreeMap<(Key, String), Digest>,
    /// Where the log left each scope.
    scopes: BTreeMap<String, Head>,
    /// Revisions and the change sets that the log says made them.
    made_by: BTreeMap<(u64, u64), String>,
    committed: BTreeMap<(u64, u64), ChangeSetId>,
    proposed: BTreeSet<ChangeSetId>,
    open: BTreeSet<String>,
}

impl<'v> Check<'v> {
    /// With `verify`, every entry of the log must be signed.
    pub fn begin(verify: Option<&'v VerifyEntry<'v>>) -> Self {
        Self {
            verify,
            report: Report::default(),
            head: None,
            heads: BTreeMap::new(),
            version: None,
            objects: BTreeMap::new(),
            logged: BTreeMap::new(),
            scopes: BTreeMap::new(),
            made_by: BTreeMap::new(),
            committed: BTreeMap::new(),
            proposed: BTreeSet::new(),
            open: BTreeSet::new(),
        }
    }

    /// Looks at one item.
    pub fn item(&mut self, key: &StoreKey, value: &Bytes) {
        if let Err(wrong) = self.look(key, value) {
            self.found(key.as_str(), wrong);
        }
    }

    fn look(&mut self, key: &StoreKey, value: &Bytes) -> Result<(), String> {
        let text = key.as_str();
        if *key == layout::version() {
            self.version = Some(value.clone());
        } else if *key == layout::head() {
            self.head = Some(read(value)?);
        } else if *key == layout::heads() {
            let heads: wire::StoredHeads = read(value)?;
            for head in &heads.heads {
                let (scope, head) = read_head(head).map_err(|why| why.to_string())?;
                self.heads.insert(scope, head);
            }
        } else if text.starts_with(layout::OBJECTS) {
            self.object(key, value)?;
        } else if text.starts_with(layout::LOG) {
            self.record(key, value)?;
        } else if text.starts_with(layout::CHANGES) {
            self.change_set(key, value)?;
        } else if let Some(id) = text.strip_prefix(layout::OPEN) {
            self.open.insert(id.into());
        } else if text.starts_with(layout::EPOCHS) {
            let _: wire::EpochBegun = read(value)?;
        } else if !text.starts_with(layout::DESCRIPTIONS) {
            return Err("no such key belongs to a registry".into());
        }
        Ok(())
    }

    fn object(&mut self, key: &StoreKey, value: &Bytes) -> Result<(), String> {
        if OBJECT_BYTES_MAX < value.len() {
            return Err(format!("{} bytes, limit {OBJECT_BYTES_MAX}", value.len()));
        }
        let object = read_object(read(value)?).map_err(|why| why.to_string())?;
        let name = object.key();
        if layout::object(&name).as_ref() != Ok(key) {
            return Err(format!("it holds {name}"));
        }
        self.report.objects += 1;
        self.objects.insert(name, (object, sha256(value)));
        Ok(())
    }

    fn record(&mut self, key: &StoreKey, value: &Bytes) -> Result<(), String> {
        let at = layout::log_position(key).ok_or("it names no epoch and revision")?;
        let record: wire::LogRecord = read(value)?;
        self.report.log_records += 1;
        self.made_by.insert(at, record.change_set.clone());
        for entry in read_log(&record).map_err(|why| why.to_string())? {
            self.entry(at, &entry)?;
        }
        Ok(())
    }

    fn entry(&mut self, at: (u64, u64), entry: &directory::Entry) -> Result<(), String> {
        self.report.log_entries += 1;
        let body: directory::EntryBody = read(&entry.body)?;
        let scope = body.scope.clone();
        if (body.epoch, body.revision) != at {
            return Err(format!("its entry of {scope} is of {}.{}", body.epoch, body.revision));
        }
        // The first entry of a scope in an epoch follows what was laid out whole.
        let before = self.scopes.get(&scope).filter(|head| head.epoch == body.epoch);
        let previous = before.and_then(|head| head.hash);
        if previous.is_some_and(|Digest(previous)| body.previous_hash != previous[..]) {
            return Err(format!("its entry of {scope} does not follow the one before"));
        }
        if let Some(verify) = self.verify {
            verify(entry).map_err(|why| format!("its entry of {scope}: {why}"))?;
            self.report.signatures += 1;
        }
        let hash = Some(sha256(&entry.body));
        let head = Head { epoch: at.0, revision: at.1, hash };
        self.scopes.insert(scope.clone(), head);
        for change in body.changes {
            match change.kind {
                Some(Kind::Remove(key)) => {
                    let key: Key = key.parse().map_err(|why| format!("{why}"))?;
                    self.logged.remove(&(key, scope.clone()));
                }
                Some(Kind::Put(object)) => {
                    let digest = sha256(&object.encode_to_vec());
                    let object = read_object(object).map_err(|why| why.to_string())?;
                    self.logged.insert((object.key(), scope.clone()), digest);
                }
                None => return Err("a change of it is empty".into()),
            }
        }
        Ok(())
    }

    fn change_set(&mut self, key: &StoreKey, value: &Bytes) -> Result<(), String> {
        let set = unseal(read(value)?).map_err(|why| why.to_string())?;
        if layout::change_set(&set.id) != *key {
            return Err(format!("it holds {}", set.id));
        }
        self.report.change_sets += 1;
        match set.state {
            State::Committed { epoch, revision, .. } => {
                if let Some(other) = self.committed.insert((epoch, revision), set.id) {
                    return Err(format!("{other} made {epoch}.{revision} as well"));
                }
            }
            State::Proposed => {
                self.proposed.insert(set.id);
            }
            State::Refused { .. } | State::Withdrawn | State::Overtaken { .. } => {}
        }
        Ok(())
    }

    /// What was found when all items have come.
    pub fn end(mut self) -> Report {
        match self.version.as_deref() {
            Some(found) if found == layout::VERSION.as_bytes() => {}
            _ => self.found(layout::version().as_str(), "it is missing, or of another version"),
        }
        let head = self.head.take();
        match &head {
            None => self.found(layout::head().as_str(), "it is missing"),
            Some(head) => self.against_head(head),
        }
        self.against_log();
        self.sets();
        self.report
    }

    fn against_head(&mut self, head: &wire::StoredHead) {
        let at = (head.epoch, head.revision);
        (self.report.epoch, self.report.revision) = at;
        let key = layout::head();
        if let Some(last) = self.made_by.keys().next_back().filter(|last| at < **last) {
            let wrong =
                format!("it is {}.{}, and the log goes on to {}.{}", at.0, at.1, last.0, last.1);
            self.found(key.as_str(), wrong);
        }
        let objects = self.objects.values().map(|(object, _)| object.clone());
        let objects: Objects = objects.collect();
        match mesh_of(head) {
            Err(why) => self.found(key.as_str(), why.to_string()),
            Ok(mesh) => {
                let position = DirectoryPosition { epoch: at.0, revision: at.1, root: None };
                if let Err(why) = Directory::build(mesh, position, objects) {
                    self.found(layout::OBJECTS, format!("they do not fit together: {why}"));
                }
            }
        }
    }

    fn against_log(&mut self) {
        let epoch = self.report.epoch;
        let scopes = std::mem::take(&mut self.scopes);
        for (scope, left) in scopes.into_iter().filter(|(_, left)| left.epoch == epoch) {
            let stands = self.heads.get(&scope);
            if stands
                .is_none_or(|stands| (stands.revision, stands.hash) != (left.revision, left.hash))
            {
                self.found(
                    layout::heads().as_str(),
                    format!("{scope} is not where the log left it"),
                );
            }
        }
        let logged = std::mem::take(&mut self.logged);
        for ((key, scope), want) in logged {
            if self.objects.get(&key).is_none_or(|(_, digest)| *digest != want) {
                let wrong = format!("it is not what the log last told {scope}");
                self.found(&format!("{}{key}", layout::OBJECTS), wrong);
            }
        }
    }

    fn sets(&mut self) {
        for (at, id) in std::mem::take(&mut self.committed) {
            let made = self.made_by.get(&at).map(String::as_str);
            if made.is_some_and(|made| made != id.to_string()) {
                let key = layout::change_set(&id);
                self.found(
                    key.as_str(),
                    format!("the log says that another made {}.{}", at.0, at.1),
                );
            }
        }
        let proposed: BTreeSet<String> = self.proposed.iter().map(ToString::to_string).collect();
        let odd: Vec<String> = proposed.symmetric_difference(&self.open).cloned().collect();
        for id in odd {
            self.found(&format!("{}{id}", layout::OPEN), "it is not as its change set says");
        }
    }

    fn found(&mut self, key: &str, wrong: impl Into<String>) {
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(Finding { key: key.into(), wrong: wrong.into() });
        } else {
            self.report.findings_more += 1;
        }
    }
}

fn read<M: Message + Default>(value: &Bytes) -> Result<M, String> {
    M::decode(value.clone()).map_err(|why| why.to_string())
}

impl fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("report", &self.report).finish_non_exhaustive()
    }
}
