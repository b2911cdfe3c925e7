//! `hubctl pki officer…`: keys of officers, made where they are used, and their certificates. None
//! of it needs a connection.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mesh_certs::{LocalPki, officer};
use mesh_core::agreement::Officer;
use mesh_core::node::MeshDomain;
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::complain;
use crate::output::{Format, Told};

#[derive(Serialize)]
struct Files {
    officer: Option<String>,
    chain_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    request_file: Option<PathBuf>,
}

/// Makes a key and a request for its certificate in `dir`.
pub(crate) fn request(dir: &Path, format: Format) -> Result<Told, CmdError> {
    let officer::Request { key_file, request_file } = officer::request(dir).map_err(complain)?;
    let files = Files {
        officer: None,
        chain_file: None,
        key_file: Some(key_file),
        request_file: Some(request_file),
    };
    Ok(Told::new(format, &files, |files| {
        let path = |file: &Option<PathBuf>| file.as_ref().map(|file| file.display().to_string());
        let (key, request) = (path(&files.key_file), path(&files.request_file));
        format!(
            "made {}: keep it safe, it signs for its office\n\
             made {}: the members authority certifies it, and returns chain.pem\n",
            key.unwrap_or_default(),
            request.unwrap_or_default()
        )
    }))
}

/// Certifies the officer `name`: the key of a request, else a new one.
pub(crate) fn certify(
    dir: &Path,
    name: &str,
    (request, out): (Option<PathBuf>, PathBuf),
    format: Format,
) -> Result<Told, CmdError> {
    let chain_file = out.join("chain.pem");
    let key_file = match request {
        Some(request) => {
            let mesh = officer::mesh(dir).map_err(complain)?;
            let officer = parse(&mesh, name)?;
            officer::certify(dir, &officer, &request, &chain_file).map_err(complain)?;
            None
        }
        None => {
            let pki = LocalPki::open(dir).map_err(complain)?;
            let officer = parse(pki.mesh(), name)?;
            let issued = pki.issue_officer(&officer, &out, SystemTime::now()).map_err(complain)?;
            Some(issued.key_file)
        }
    };
    let (officer, chain_file) = (Some(name.into()), Some(chain_file));
    let files = Files { officer, chain_file, key_file, request_file: None };
    Ok(Told::new(format, &files, |files| {
        let chain = files.chain_file.as_ref().map(|file| file.display().to_string());
        let mut text = format!("certified {name}: {}\n", chain.unwrap_or_default());
        if let Some(key) = &files.key_file {
            text += &format!("its private key: {}; keep it safe\n", key.display());
        }
        text
    }))
}

fn parse(mesh: &MeshDomain, name: &str) -> Result<Officer, CmdError> {
    mesh.parse_officer(name).map_err(CmdError::usage)
}
