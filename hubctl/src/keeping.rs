//! `hubctl registry`: laying the registry out, carrying it away and back, and checking it.
//!
//! Some of it asks the centre, and some works on a store that no centre has open: `--at` names a
//! file of the embedded store, or the centre's configuration, whose section `[registry]` is read.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Subcommand;
use mesh_registry::moved::everything;
use mesh_registry::place::{OpenStore, PlaceError, RegistrySection};
use mesh_rt::exit::CmdError;
use mesh_rt::file;
use mesh_store::StoreKey;
use serde::Deserialize as _;

use crate::client::{AskError, NodeClient};
use crate::config::Config;
use crate::output::{Format, Told};
use crate::registry::centre;

mod backup;
mod export;
mod keys;
mod lay;
mod verify;

/// Largest configuration of a centre.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Keeping {
    /// Lay a registry out in a store that has none
    Init(lay::InitArgs),
    /// Write the objects of the registry as files that `apply` reads
    Export(export::ExportArgs),
    /// Write everything that the registry holds into one file
    Backup(backup::BackupArgs),
    /// Lay a registry out from a backup; its epoch is raised
    Restore(lay::RestoreArgs),
    /// Move a registry to another store; its epoch is raised
    Move(lay::MoveArgs),
    /// Check that what a registry or a backup holds is of one piece
    Verify(verify::VerifyArgs),
}

/// The place of a store, that no centre has open.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct At {
    /// A file of the embedded store, or a centre's configuration (*.toml)
    #[arg(long, value_name = "PATH")]
    at: PathBuf,
}

/// A configuration of a centre that names no store.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", file.display())]
struct NoPlace {
    file: PathBuf,
    why: String,
}

pub(crate) async fn registry(
    load: impl FnOnce() -> Result<Config, CmdError>,
    command: Keeping,
    format: Format,
) -> Result<Told, CmdError> {
    match command {
        Keeping::Init(args) => lay::init(args, format).await,
        Keeping::Export(args) => export::export(&load()?, &args, format).await,
        Keeping::Backup(args) => backup::backup(load, args, format).await,
        Keeping::Restore(args) => lay::restore(args, format).await,
        Keeping::Move(args) => lay::relocate(args, format).await,
        Keeping::Verify(args) => verify::verify(load, args, format).await,
    }
}

/// The section that `path` is or has.
fn place(path: &Path) -> Result<RegistrySection, CmdError> {
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Ok(RegistrySection::of_file(path.into()));
    }
    let wrong = |why: String| CmdError::usage(NoPlace { file: path.into(), why });
    let bytes = file::read(path, CONFIG_BYTES_MAX).map_err(|why| wrong(why.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|why| wrong(why.to_string()))?;
    let mut table: toml::Table =
        text.parse().map_err(|why: toml::de::Error| wrong(why.message().into()))?;
    let section = table.remove("registry").ok_or_else(|| wrong("has no [registry]".into()))?;
    let mut section =
        RegistrySection::deserialize(section).map_err(|why| wrong(why.message().into()))?;
    section.check().map_err(|(field, why)| wrong(format!("{field}: {why}")))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for (_, path) in section.files() {
        *path = folder.join(&*path);
    }
    Ok(section)
}

/// Opens a store that must be there already.
async fn open_existing(path: &Path) -> Result<OpenStore, CmdError> {
    let section = place(path)?;
    section.is_there().map_err(CmdError::usage)?;
    section.open().await.map_err(CmdError::failure)
}

/// Everything that the store at `path` holds.
async fn read_place(path: &Path) -> Result<Vec<(StoreKey, Bytes)>, CmdError> {
    let open = open_existing(path).await?;
    let items = everything(&*open.store()).await.map_err(PlaceError::from);
    open.close().await;
    items.map_err(CmdError::failure)
}

/// Everything that the registry of a running centre holds.
async fn read_centre(config: &Config) -> Result<Vec<(StoreKey, Bytes)>, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    dump(&centre).await.map_err(CmdError::failure)
}

async fn dump(centre: &NodeClient) -> Result<Vec<(StoreKey, Bytes)>, AskError> {
    let mut request = mesh_proto::wire::registry::v1::DumpRequest::default();
    let mut items = Vec::new();
    loop {
        let page = centre.dump(request.clone()).await?;
        for item in page.items {
            let key = item.key.parse().map_err(|why: mesh_store::KeyMalformed| {
                let why = format!("registry: {why}");
                centre.unanswered(crate::client::Unanswered::Malformed { why })
            })?;
            items.push((key, item.value));
        }
        // A page that does not move on would be asked for ever.
        if page.next_after <= request.after {
            return Ok(items);
        }
        request.after = page.next_after;
        request.at = page.at;
    }
}

/// Files are made, and never overwritten: an older backup may be the only good one.
fn create(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}
