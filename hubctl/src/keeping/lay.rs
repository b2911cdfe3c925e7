//! `hubctl registry init`, `restore` and `move`: a registry begins in a store that has none.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use mesh_core::directory::change::ByKey;
use mesh_core::node::{MeshDomain, NodeName};
use mesh_proto::wire::registry::v1::EpochBegun;
use mesh_registry::backup::{Backup, BackupError};
use mesh_registry::check::Check;
use mesh_registry::lay::Beginning;
use mesh_registry::moved::{Act, beginning};
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::{At, keys, place, read_place};
use crate::cli::now_ms;
use crate::directory::Written;
use crate::output::{Format, Told};

#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    at: At,
    /// A TOML file, or a folder of them: the first objects, keys of centre and operators among them
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    file: PathBuf,
    /// The mesh, such as ir
    #[arg(long, value_name = "ID")]
    mesh: mesh_core::id::MeshId,
    /// The DNS domain below which its nodes are named, such as mesh.ir
    #[arg(long)]
    domain: String,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    why: Why,
    /// It must be signed with one of these public keys: Ed25519 in PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The epoch that begins, if nodes have seen later ones than the backup has [default: the next]
    #[arg(long)]
    epoch: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MoveArgs {
    /// Where it is: a file of the embedded store, or a centre's configuration (*.toml)
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Where it goes
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    #[command(flatten)]
    why: Why,
    /// The epoch that begins [default: the next]
    #[arg(long)]
    epoch: Option<u64>,
}

/// What is done past the rules of approval is recorded with a reason, and stays in the registry.
#[derive(Debug, clap::Args)]
struct Why {
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who does it, for the record
    #[arg(long, value_name = "NAME")]
    by: mesh_core::id::OperatorId,
}

#[derive(Debug, Serialize)]
struct Laid {
    place: PathBuf,
    epoch: u64,
    revision: u64,
    items: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", file.display())]
struct NoBackup {
    file: PathBuf,
    source: BackupError,
}

#[derive(Debug, thiserror::Error)]
#[error("it is not of one piece: {key}: {wrong}; `hubctl registry verify` tells all")]
struct Broken {
    key: String,
    wrong: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{}: lists no link key of an operator, so that nobody could change anything", .0.display())]
struct NoOperator(PathBuf);

pub(super) async fn init(args: InitArgs, format: Format) -> Result<Told, CmdError> {
    let InitArgs { at, file, mesh, domain, why } = args;
    let mesh = MeshDomain::new(mesh, &domain).map_err(CmdError::usage)?;
    let written = Written::read(&file).map_err(CmdError::usage)?;
    let is_operator = |node: &str| matches!(mesh.parse_node(node), Ok(NodeName::Operator(_)));
    if !written.objects.link_keys.iter().any(|key| is_operator(&key.node)) {
        return Err(CmdError::usage(NoOperator(file)));
    }
    let objects: ByKey = written.objects.into_by_key();
    let begun = EpochBegun {
        epoch: 1,
        reason: why.reason,
        operator: why.by.to_string(),
        at_unix_ms: now_ms(),
        ..EpochBegun::default()
    };
    let beginning = Beginning::of(mesh, (1, 1), &objects, begun).map_err(CmdError::usage)?;
    lay(&at.at, beginning, format).await
}

pub(super) async fn restore(args: RestoreArgs, format: Format) -> Result<Told, CmdError> {
    let RestoreArgs { file, at, why, key, epoch } = args;
    let keys = key.as_deref().map(keys::public).transpose().map_err(CmdError::usage)?;
    let backup = read_backup(&file, &keys.unwrap_or_default())?;
    let act = act(why, epoch);
    check(&backup.items)?;
    let beginning = beginning(backup.items, act).map_err(CmdError::usage)?;
    lay(&at.at, beginning, format).await
}

pub(super) async fn relocate(args: MoveArgs, format: Format) -> Result<Told, CmdError> {
    let MoveArgs { from, to, why, epoch } = args;
    let items = read_place(&from).await?;
    check(&items)?;
    let beginning = beginning(items, act(why, epoch)).map_err(CmdError::usage)?;
    lay(&to, beginning, format).await
}

/// A backup in which nothing was changed.
pub(super) fn read_backup(file: &Path, keys: &[[u8; 32]]) -> Result<Backup, CmdError> {
    let no_backup = |source| CmdError::failure(NoBackup { file: file.into(), source });
    let opened = File::open(file).map_err(|why| no_backup(BackupError::Read(why)))?;
    Backup::read(BufReader::new(opened), keys).map_err(no_backup)
}

fn act(Why { reason, by }: Why, epoch: Option<u64>) -> Act {
    Act { reason, operator: by.to_string(), at_unix_ms: now_ms(), epoch }
}

/// What is not of one piece is not carried on.
fn check(items: &[(mesh_store::StoreKey, bytes::Bytes)]) -> Result<(), CmdError> {
    let mut check = Check::begin(None);
    items.iter().for_each(|(key, value)| check.item(key, value));
    match check.end().findings.into_iter().next() {
        None => Ok(()),
        Some(found) => Err(CmdError::failure(Broken { key: found.key, wrong: found.wrong })),
    }
}

async fn lay(path: &Path, beginning: Beginning, format: Format) -> Result<Told, CmdError> {
    let (epoch, revision, items) = (beginning.epoch, beginning.revision, beginning.items.len());
    let open = place(path)?.open().await.map_err(CmdError::failure)?;
    let laid = beginning.lay(&*open.store()).await;
    open.close().await;
    laid.map_err(CmdError::failure)?;
    let laid = Laid { place: path.into(), epoch, revision, items };
    Ok(Told::new(format, &laid, |laid| {
        let Laid { place, epoch, revision, items } = laid;
        format!("{}: revision {epoch}.{revision}, {items} items\n", place.display())
    }))
}
