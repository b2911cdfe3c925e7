//! Interface descriptions: read and compared here first, kept by the centre, named by the service.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mesh_core::address::ServiceAddress;
use mesh_core::directory::change::{Change, Object};
use mesh_core::service::{DESCRIPTION_BYTES_MAX, Description, MediaType, Service};
use mesh_core::standards::{self, Interface};
use mesh_proto::directory::read_description;
use mesh_registry::digest;
use mesh_rt::exit::CmdError;
use mesh_rt::file;

use super::{Saying, find};
use crate::client::{NodeClient, Unanswered};
use crate::config::Config;
use crate::output::{Format, Told};
use crate::registry::{Registry, centre, make};

/// A file that describes no interface.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", file.display())]
struct Unreadable {
    file: PathBuf,
    why: String,
}

/// A description that does not fit the service.
#[derive(Debug, thiserror::Error)]
#[error("{service}: {findings}")]
struct Unfit {
    service: ServiceAddress,
    findings: String,
}

pub(super) async fn attach(
    config: &Config,
    (address, file, media_type): (&ServiceAddress, &Path, Option<MediaType>),
    saying: &Saying,
    format: Format,
) -> Result<Told, CmdError> {
    let (media_type, content, interface) = read_file(file, media_type)?;
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let service = find(&registry, address)?;
    let described = |description| Service { description: Some(description), ..service.clone() };
    let length_bytes = content.len() as u32;
    let sha256 = digest::sha256(&content);
    let wanted = described(Description { sha256, media_type, length_bytes });
    let findings = standards::check(&wanted, Some(&interface));
    if standards::refuses(&findings) {
        let errors = findings.iter().map(ToString::to_string);
        let findings = errors.filter(|text| text.starts_with("error")).collect::<Vec<_>>();
        let (service, findings) = (address.clone(), findings.join("; "));
        return Err(CmdError::usage(Unfit { service, findings }));
    }
    if !saying.dry_run {
        keep(&centre, media_type, content, &wanted).await?;
    }
    let changes =
        if wanted == *service { Vec::new() } else { vec![Change::Put(Object::Service(wanted))] };
    make(config, (&centre, &registry), changes, saying.making(), format).await
}

/// Has the centre keep the text, and makes sure that it understood the same.
async fn keep(
    centre: &NodeClient,
    media_type: MediaType,
    content: Bytes,
    wanted: &Service,
) -> Result<(), CmdError> {
    let answer = centre.put_description(media_type, content).await.map_err(CmdError::failure)?;
    let kept = answer.description.as_ref().map(read_description);
    if kept.and_then(Result::ok) == wanted.description {
        return Ok(());
    }
    let why = "the description that it kept is another one".into();
    Err(CmdError::failure(centre.unanswered(Unanswered::Malformed { why })))
}

/// The description of a service from the centre, or from one node.
pub(super) async fn fetch(
    config: &Config,
    nodes: &[String],
    address: &ServiceAddress,
    out: Option<&Path>,
) -> Result<Told, CmdError> {
    let node = match nodes.first() {
        None => centre(config),
        Some(name) => NodeClient::connect(config, name),
    };
    let node = node.map_err(CmdError::usage)?;
    let described = node.description(address).await.map_err(CmdError::failure)?;
    let Description { sha256, media_type, .. } = described.description;
    if digest::sha256(&described.content) != sha256 {
        let why = "the description is not the one that its digest names".into();
        return Err(CmdError::failure(node.unanswered(Unanswered::Malformed { why })));
    }
    let text = match (out, std::str::from_utf8(&described.content)) {
        (Some(file), _) => {
            fs::write(file, &described.content).map_err(|why| {
                CmdError::failure(Unreadable { file: file.into(), why: why.to_string() })
            })?;
            let length = described.content.len();
            format!("{}: {length} bytes of {}, {sha256}\n", file.display(), media_type.name())
        }
        (None, Ok(text)) => text.into(),
        (None, Err(_)) => {
            let why = "is binary: name a file with --out".into();
            return Err(CmdError::usage(Unreadable { file: "standard output".into(), why }));
        }
    };
    Ok(Told { text, complaint: None })
}

/// Reads a description from a file: as `media_type`, or as what it looks like.
pub(super) fn read_file(
    file: &Path,
    media_type: Option<MediaType>,
) -> Result<(MediaType, Bytes, Interface), CmdError> {
    let wrong = |why: String| CmdError::usage(Unreadable { file: file.into(), why });
    let content = file::read(file, DESCRIPTION_BYTES_MAX as u64);
    let content = content.map_err(|why| wrong(why.to_string()))?;
    let media_type = media_type.unwrap_or_else(|| mesh_describe::guess(&content));
    let interface = mesh_describe::read(media_type, &content);
    Ok((media_type, content.into(), interface.map_err(|why| wrong(why.to_string()))?))
}
