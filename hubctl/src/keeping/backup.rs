//! `hubctl registry backup`: everything that a registry holds, in one file.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mesh_proto::wire::registry::v1::{BackupHeader, StoredHead};
use mesh_registry::backup::Writer;
use mesh_registry::layout;
use mesh_rt::exit::CmdError;
use mesh_store::StoreKey;
use prost::Message as _;
use serde::Serialize;

use super::{create, keys, read_centre, read_place};
use crate::cli::now_ms;
use crate::config::Config;
use crate::output::{Format, Told};

#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// The file to write, which must not be there yet
    file: PathBuf,
    /// Of a store that no centre has open: its file, or the centre's configuration (*.toml)
    #[arg(long, value_name = "PATH")]
    at: Option<PathBuf>,
    /// Sign it with this private key: Ed25519, PKCS#8 in PEM
    #[arg(long, value_name = "FILE")]
    sign_with: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct BackedUp {
    file: PathBuf,
    epoch: u64,
    revision: u64,
    items: usize,
    sha256: String,
    signed: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written", file.display())]
struct NotWritten {
    file: PathBuf,
    source: std::io::Error,
}

#[derive(Debug, thiserror::Error)]
#[error("there is no registry to back up")]
struct Nothing;

pub(super) async fn backup(
    load: impl FnOnce() -> Result<Config, CmdError>,
    args: BackupArgs,
    format: Format,
) -> Result<Told, CmdError> {
    let BackupArgs { file, at, sign_with } = args;
    let key = sign_with.as_deref().map(keys::private).transpose().map_err(CmdError::usage)?;
    let items = match &at {
        Some(at) => read_place(at).await?,
        None => read_centre(&load()?).await?,
    };
    let header = header(&items).ok_or_else(|| CmdError::failure(Nothing))?;
    let (epoch, revision) = (header.epoch, header.revision);
    let sha256 = write(&file, header, &items, key.as_ref())
        .map_err(|source| CmdError::failure(NotWritten { file: file.clone(), source }))?;
    let (items, signed) = (items.len(), key.is_some());
    let done = BackedUp { file, epoch, revision, items, sha256, signed };
    Ok(Told::new(format, &done, |done| {
        let BackedUp { file, epoch, revision, items, sha256, signed } = done;
        let signed = if *signed { "signed" } else { "not signed" };
        let file = file.display();
        format!("{file}: revision {epoch}.{revision}, {items} items, {signed}\nSHA-256 {sha256}\n")
    }))
}

fn header(items: &[(StoreKey, Bytes)]) -> Option<BackupHeader> {
    let head = items.iter().find(|(key, _)| *key == layout::head());
    let head = head.and_then(|(_, head)| StoredHead::decode(head.clone()).ok())?;
    let StoredHead { epoch, revision, mesh, domain } = head;
    let software = concat!("hubctl ", env!("CARGO_PKG_VERSION")).into();
    Some(BackupHeader { mesh, domain, epoch, revision, made_at_unix_ms: now_ms(), software })
}

fn write(
    path: &Path,
    header: BackupHeader,
    items: &[(StoreKey, Bytes)],
    key: Option<&aws_lc_rs::signature::Ed25519KeyPair>,
) -> std::io::Result<String> {
    let mut writer = Writer::begin(BufWriter::new(create(path)?), header)?;
    for (key, value) in items {
        writer.item(key.as_str(), value.clone())?;
    }
    let (out, sha256) = writer.end(key)?;
    out.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    Ok(sha256.to_string())
}
