//! `hubctl pki directory-key`: the key with which the centre signs what it tells the mesh.

use std::path::{Path, PathBuf};

use mesh_certs::DirectoryKey;
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::complain;
use crate::output::{Columns, Format, Told};

#[derive(Serialize)]
struct Made {
    signing_key_file: PathBuf,
    key_file: PathBuf,
    spki_sha256: String,
    public_key_pem: String,
}

pub(crate) fn create(dir: &Path, format: Format) -> Result<Told, CmdError> {
    let DirectoryKey { signing_key_file, key_file, public_pem, spki_sha256 } =
        DirectoryKey::create(dir).map_err(complain)?;
    let made = Made {
        signing_key_file,
        key_file,
        spki_sha256: spki_sha256.to_string(),
        public_key_pem: public_pem,
    };
    Ok(Told::new(format, &made, text))
}

fn text(made: &Made) -> String {
    let Made { signing_key_file, key_file, spki_sha256, public_key_pem } = made;
    let mut columns = Columns::new(&["FILE", "WHAT IT IS"]);
    let private = "the private key: for the centre alone, as directory.signing_key_file";
    let public = "the public key: for every node, as directory.key_file";
    columns.row(&[signing_key_file.display().to_string(), private.into()]);
    columns.row(&[key_file.display().to_string(), public.into()]);
    format!(
        "made a directory key\n\n{}\n\
         keep the private key safe: whoever has it can tell every node anything.\n\
         in a mesh that runs, make the new key known before the centre signs with it:\n\n\
         [[directory_keys]]\nspki_sha256 = {spki_sha256:?}\npublic_key_pem = \"\"\"\n{}\"\"\"\n",
        columns.text(),
        public_key_pem
    )
}
