//! `hubctl registry verify`: objects, log, heads and change sets against each other.

use std::path::PathBuf;

use bytes::Bytes;
use mesh_core::node::MeshDomain;
use mesh_proto::wire::registry::v1::StoredHead;
use mesh_registry::check::{Check, Report};
use mesh_registry::held::mesh_of;
use mesh_registry::layout;
use mesh_registry::signed::verify_entry;
use mesh_rt::exit::CmdError;
use mesh_store::StoreKey;
use prost::Message as _;
use serde::Serialize;

use super::lay::read_backup;
use super::{keys, read_centre, read_place};
use crate::config::Config;
use crate::output::{Format, Told, printable};

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// A backup; without it and --at, the registry of the running centre
    #[arg(conflicts_with = "at")]
    file: Option<PathBuf>,
    /// A store that no centre has open: its file, or the centre's configuration (*.toml)
    #[arg(long, value_name = "PATH")]
    at: Option<PathBuf>,
    /// Every entry of the log, and the backup, must be signed with one of these keys
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Verified {
    epoch: u64,
    revision: u64,
    objects: usize,
    log_records: usize,
    log_entries: usize,
    signatures: usize,
    change_sets: usize,
    findings: Vec<Finding>,
    findings_more: usize,
}

#[derive(Debug, Serialize)]
struct Finding {
    key: String,
    wrong: String,
}

#[derive(Debug, thiserror::Error)]
#[error("it is not of one piece: {0} findings")]
struct Broken(usize);

pub(super) async fn verify(
    load: impl FnOnce() -> Result<Config, CmdError>,
    args: VerifyArgs,
    format: Format,
) -> Result<Told, CmdError> {
    let VerifyArgs { file, at, key } = args;
    let keys = key.as_deref().map(keys::public).transpose().map_err(CmdError::usage)?;
    let items = match (&file, &at) {
        (Some(file), _) => read_backup(file, keys.as_deref().unwrap_or_default())?.items,
        (None, Some(at)) => read_place(at).await?,
        (None, None) => read_centre(&load()?).await?,
    };
    let verified = verified(check(&items, keys.as_deref()));
    let count = verified.findings.len() + verified.findings_more;
    let mut told = Told::new(format, &verified, text);
    told.complaint = (0 < count).then(|| CmdError::failure(Broken(count)));
    Ok(told)
}

fn check(items: &[(StoreKey, Bytes)], keys: Option<&[[u8; 32]]>) -> Report {
    let mesh = mesh(items);
    let verify = |entry: &mesh_proto::wire::directory::v1::Entry| match (&mesh, keys) {
        (Some(mesh), Some(keys)) => verify_entry(mesh, keys, entry),
        _ => Err("its mesh is not known".into()),
    };
    let mut check = Check::begin(keys.is_some().then_some(&verify));
    items.iter().for_each(|(key, value)| check.item(key, value));
    check.end()
}

fn mesh(items: &[(StoreKey, Bytes)]) -> Option<MeshDomain> {
    let (_, head) = items.iter().find(|(key, _)| *key == layout::head())?;
    mesh_of(&StoredHead::decode(head.clone()).ok()?).ok()
}

fn verified(report: Report) -> Verified {
    let findings = report.findings.into_iter();
    Verified {
        epoch: report.epoch,
        revision: report.revision,
        objects: report.objects,
        log_records: report.log_records,
        log_entries: report.log_entries,
        signatures: report.signatures,
        change_sets: report.change_sets,
        findings: findings.map(|found| Finding { key: found.key, wrong: found.wrong }).collect(),
        findings_more: report.findings_more,
    }
}

fn text(verified: &Verified) -> String {
    let Verified { epoch, revision, objects, log_records, log_entries, .. } = verified;
    let Verified { signatures, change_sets, findings, findings_more, .. } = verified;
    let mut text = format!(
        "revision {epoch}.{revision}: {objects} objects, {change_sets} change sets, {log_records} \
         log records with {log_entries} entries, {signatures} signatures verified\n"
    );
    for Finding { key, wrong } in findings {
        text += &format!("{}: {}\n", printable(key), printable(wrong));
    }
    if 0 < *findings_more {
        text += &format!("and {findings_more} more\n");
    }
    if findings.is_empty() {
        text += "all of it is of one piece\n";
    }
    text
}
