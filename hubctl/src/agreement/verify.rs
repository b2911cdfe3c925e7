//! `hubctl agreement verify`: every signature of a file, checked without a connection.

use std::path::{Path, PathBuf};

use mesh_core::agreement::{Act, Agreement};
use mesh_core::node::MeshDomain;
use mesh_core::time::UnixMs;
use mesh_rt::exit::CmdError;
use mesh_rt::members::Members;
use serde::Serialize;

use super::file;
use crate::output::{Columns, Format, Told};

#[derive(Debug, Serialize)]
struct Verified {
    file: PathBuf,
    id: String,
    title: String,
    acts: Vec<Checked>,
    state: &'static str,
    words: String,
}

#[derive(Debug, Serialize)]
struct Checked {
    deed: &'static str,
    party: &'static str,
    at_unix_ms: u64,
    /// The name in the certificate, where the signature is sound.
    officer: Option<String>,
    /// What is wrong, where it is not.
    wrong: Option<String>,
}

/// Signatures that are not what they should be.
#[derive(Debug, thiserror::Error)]
#[error("{wrong} of {all} signatures are not believed")]
struct Wrong {
    wrong: usize,
    all: usize,
}

pub(super) fn verify(files: &[PathBuf], trust: &Path, format: Format) -> Result<Told, CmdError> {
    let pem = std::fs::read_to_string(trust)
        .map_err(|source| CmdError::usage(file::FileError::Read { file: trust.into(), source }))?;
    let domain = mesh_certs::members_domain(&pem).map_err(CmdError::usage)?;
    let mut all = Vec::new();
    for path in files {
        let agreement = file::read(path).map_err(CmdError::usage)?;
        let mesh = agreement.terms().consumer.agency.mesh.clone();
        let mesh = MeshDomain::new(mesh, &domain).map_err(CmdError::usage)?;
        let members = Members::load(&mesh, trust).map_err(CmdError::usage)?;
        let checked = agreement.acts.iter().map(|act| check(&members, &mesh, &agreement, act));
        let acts: Vec<Checked> = checked.collect();
        let state = file::alone(&agreement);
        all.push(Verified {
            file: path.clone(),
            id: agreement.id().to_string(),
            title: agreement.terms().title.clone(),
            acts,
            state: state.name(),
            words: state.words(),
        });
    }
    let acts = all.iter().flat_map(|it| &it.acts);
    let (count, wrong) = (acts.clone().count(), acts.filter(|act| act.wrong.is_some()).count());
    let mut told = Told::new(format, &all, |all| all.iter().map(text).collect());
    if 0 < wrong {
        told.complaint = Some(CmdError::failure(Wrong { wrong, all: count }));
    }
    Ok(told)
}

fn check(members: &Members, mesh: &MeshDomain, agreement: &Agreement, act: &Act) -> Checked {
    let checked = members.check(agreement, act, UnixMs(act.at_unix_ms));
    let officer = checked.as_ref().ok().map(|officer| mesh.officer_dns_name(officer));
    Checked {
        deed: act.deed.name(),
        party: act.party.name(),
        at_unix_ms: act.at_unix_ms,
        officer,
        wrong: checked.err().map(|why| why.to_string()),
    }
}

fn text(verified: &Verified) -> String {
    let Verified { file, id, title, acts, words, .. } = verified;
    let mut columns = Columns::new(&["", "", "", ""]);
    columns.row(&["terms".into(), "sound".into(), String::new(), format!("SHA-256 {id}")]);
    for act in acts {
        let at = UnixMs(act.at_unix_ms).to_string();
        let (verdict, more) = match (&act.officer, &act.wrong) {
            (Some(officer), _) => ("sound", officer.clone()),
            (None, wrong) => ("WRONG", wrong.clone().unwrap_or_default()),
        };
        columns.row(&[format!("{} {}", act.party, act.deed), verdict.into(), at, more]);
    }
    format!("{}: {title}\n{}  {words}\n\n", file.display(), columns.text())
}
