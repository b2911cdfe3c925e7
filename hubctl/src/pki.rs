//! `hubctl pki`: a local PKI on disk by one command, a certificate for a node by another, and the
//! key of the directory by a third.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mesh_certs::local::FileError;
use mesh_certs::{Issued, LocalPki, PkiError};
use mesh_core::id::{ClusterId, MeshId};
use mesh_core::node::{MeshDomain, Subtree};
use mesh_rt::exit::CmdError;
use serde::Serialize;

use crate::output::{Columns, Format, Told};

pub(crate) mod directory_key;
pub(crate) mod officer;

/// What `pki create` is asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) mesh: MeshId,
    pub(crate) domain: String,
    pub(crate) clusters: Vec<ClusterId>,
}

#[derive(Serialize)]
struct Created {
    dir: PathBuf,
    mesh: String,
    domain: String,
    authorities: Vec<Authority>,
}

#[derive(Serialize)]
struct Authority {
    authority: String,
    certifies: String,
    certificate_file: PathBuf,
    key_file: PathBuf,
}

#[derive(Serialize)]
struct IssuedFiles {
    node: String,
    chain_file: PathBuf,
    key_file: PathBuf,
    trust_file: PathBuf,
    listener_trust_file: Option<PathBuf>,
    admin_trust_file: Option<PathBuf>,
    spki_sha256: String,
}

pub(crate) fn create(dir: &Path, wanted: Wanted, format: Format) -> Result<Told, CmdError> {
    let Wanted { mesh, domain, clusters } = wanted;
    let mesh = MeshDomain::new(mesh, &domain).map_err(CmdError::usage)?;
    let now = SystemTime::now();
    let pki = LocalPki::create(dir, &mesh, clusters.iter().cloned(), now).map_err(complain)?;
    let clusters = clusters.into_iter().map(Subtree::Cluster);
    let fixed = [Subtree::Centre, Subtree::Edge, Subtree::Operators, Subtree::Members];
    let below = fixed.into_iter().chain(clusters).map(|subtree| {
        let (file, certifies) = (pki.ca_file(&subtree), certifies(&subtree));
        authority(subtree.to_string(), certifies, file)
    });
    let root = authority("root".into(), "the authorities below".into(), pki.root_file());
    let created = Created {
        dir: dir.into(),
        mesh: mesh.mesh.to_string(),
        domain: mesh.domain().into(),
        authorities: std::iter::once(root).chain(below).collect(),
    };
    Ok(Told::new(format, &created, created_text))
}

/// Certifies the node of the full DNS name `node`. Its files go to `out`, else into the PKI.
pub(crate) fn issue(
    dir: &Path,
    node: &str,
    out: Option<PathBuf>,
    format: Format,
) -> Result<Told, CmdError> {
    let pki = LocalPki::open(dir).map_err(complain)?;
    let name = pki.mesh().parse_node(node).map_err(CmdError::usage)?;
    let out = out.unwrap_or_else(|| dir.join("nodes").join(node));
    let Issued {
        chain_file,
        key_file,
        trust_file,
        listener_trust_file,
        admin_trust_file,
        spki_sha256,
    } = pki.issue(&name, &out, SystemTime::now()).map_err(complain)?;
    let issued = IssuedFiles {
        node: node.into(),
        chain_file,
        key_file,
        trust_file,
        listener_trust_file,
        admin_trust_file,
        spki_sha256: spki_sha256.to_string(),
    };
    Ok(Told::new(format, &issued, issued_text))
}

/// What the operator can change by choosing other arguments is a matter of usage.
fn complain(error: PkiError) -> CmdError {
    match error {
        PkiError::NotEmpty { .. }
        | PkiError::NoAuthority { .. }
        | PkiError::File(FileError::Exists { .. }) => CmdError::usage(error),
        other => CmdError::failure(other),
    }
}

fn authority(authority: String, certifies: String, certificate_file: PathBuf) -> Authority {
    let key_file = certificate_file.with_extension("key");
    Authority { authority, certifies, certificate_file, key_file }
}

fn certifies(subtree: &Subtree) -> String {
    match subtree {
        Subtree::Centre => "the centre".into(),
        Subtree::Edge => "agents that are attached to the centre".into(),
        Subtree::Operators => "operators".into(),
        Subtree::Members => "signing keys of agencies and officers".into(),
        Subtree::Cluster(cluster) => format!("hub and agents of the cluster {cluster}"),
    }
}

fn created_text(created: &Created) -> String {
    let Created { dir, mesh, domain, authorities } = created;
    let mut columns = Columns::new(&["AUTHORITY", "CERTIFIES", "CERTIFICATE", "KEY"]);
    for Authority { authority, certifies, certificate_file, key_file } in authorities {
        columns.row(&[
            authority.clone(),
            certifies.clone(),
            certificate_file.display().to_string(),
            key_file.display().to_string(),
        ]);
    }
    format!(
        "made the PKI of mesh {mesh} ({domain})\n\n{}\n\
         keep the keys safe: whoever has one can be anybody whom its authority certifies, and\n\
         whoever has that of the root can be anybody. nothing but `hubctl pki` needs them.\n\
         next: hubctl pki issue {} hub.centre.{domain}\n",
        columns.text(),
        dir.display()
    )
}

fn issued_text(issued: &IssuedFiles) -> String {
    let mut columns = Columns::new(&["FILE", "WHAT IT IS"]);
    let mut row = |file: &PathBuf, what: &str| {
        columns.row(&[file.display().to_string(), what.into()]);
    };
    row(&issued.chain_file, "its certificate");
    row(&issued.key_file, "its private key: keep it safe, it is for this node alone");
    row(&issued.trust_file, "whom it believes when it dials");
    if let Some(file) = &issued.listener_trust_file {
        row(file, "whom it believes when it is dialled");
    }
    if let Some(file) = &issued.admin_trust_file {
        row(file, "whom it believes to be an operator");
    }
    let IssuedFiles { node, spki_sha256, .. } = issued;
    let mut text = format!("certified {node}\n\n{}", columns.text());
    // Of an operator too: no admin port lets in a key that the directory does not list.
    text.push_str("\nfor the source of the directory:\n\n");
    text.push_str(&format!("[[link_keys]]\nnode = {node:?}\nspki_sha256 = {spki_sha256:?}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_operator_is_for_the_directory_too() {
        let issued = IssuedFiles {
            node: "sara.operators.mesh.ir".into(),
            chain_file: "chain.pem".into(),
            key_file: "key.pem".into(),
            trust_file: "trust.pem".into(),
            listener_trust_file: None,
            admin_trust_file: None,
            spki_sha256: "07".repeat(32),
        };
        let want = format!(
            "\nfor the source of the directory:\n\n[[link_keys]]\n\
             node = \"sara.operators.mesh.ir\"\nspki_sha256 = \"{}\"\n",
            "07".repeat(32)
        );
        assert!(issued_text(&issued).ends_with(&want), "{}", issued_text(&issued));
    }
}
