//! `hubctl registry export`: objects as files that people can read and `apply` takes again.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use mesh_core::directory::change::ObjectKind;
use mesh_rt::exit::CmdError;
use serde::Serialize;
use serde_json::Value;

use super::create;
use crate::config::Config;
use crate::output::{Format, Told};
use crate::registry::{Registry, centre, value};

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// The folder to write, which must not be there yet
    dir: PathBuf,
}

#[derive(Debug, Serialize)]
struct Exported {
    dir: PathBuf,
    epoch: u64,
    revision: u64,
    /// Objects by the name of their file.
    files: BTreeMap<String, usize>,
    /// Objects that have no form as text, and are in a backup alone.
    left_out: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written", path.display())]
struct NotWritten {
    path: PathBuf,
    source: std::io::Error,
}

pub(super) async fn export(
    config: &Config,
    args: &ExportArgs,
    format: Format,
) -> Result<Told, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let mut arrays: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    let mut left_out = 0;
    for (key, object) in &registry.objects {
        match array(key.kind()) {
            Some(array) => arrays.entry(array).or_default().push(without_nulls(value(object))),
            None => left_out += 1,
        }
    }
    let dir = args.dir.clone();
    let failed = |path: &PathBuf| {
        let path = path.clone();
        |source| CmdError::failure(NotWritten { path, source })
    };
    std::fs::create_dir(&dir).map_err(failed(&dir))?;
    let mut files = BTreeMap::new();
    for (array, objects) in arrays {
        let count = objects.len();
        let text = toml::to_string(&BTreeMap::from([(array, objects)]));
        let text = text.map_err(CmdError::failure)?;
        let name = format!("{array}.toml");
        let path = dir.join(&name);
        let written = create(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(failed(&path))?;
        files.insert(name, count);
    }
    let (epoch, revision) = (registry.head.epoch, registry.head.revision);
    let exported = Exported { dir, epoch, revision, files, left_out };
    Ok(Told::new(format, &exported, text))
}

/// The array in which `apply` reads objects of this kind; `None` for those that were signed.
fn array(kind: ObjectKind) -> Option<&'static str> {
    match kind {
        ObjectKind::Cluster => Some("clusters"),
        ObjectKind::Agency => Some("agencies"),
        ObjectKind::System => Some("systems"),
        ObjectKind::Service => Some("services"),
        ObjectKind::LinkKey => Some("link_keys"),
        ObjectKind::Agreement | ObjectKind::DirectoryKey => None,
    }
}

/// TOML has no null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn text(exported: &Exported) -> String {
    let Exported { dir, epoch, revision, files, left_out } = exported;
    let mut text = format!("{}: revision {epoch}.{revision}\n", dir.display());
    for (file, count) in files {
        text += &format!("  {file}  {count}\n");
    }
    if 0 < *left_out {
        text += &format!("{left_out} signed objects are left out: a backup has them\n");
    }
    text
}
