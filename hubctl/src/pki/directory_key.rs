//! `hubctl pki directory-key`: the key with which the centre signs what it tells the mesh.

use std::path::{Path, PathBuf};

use mesh_certs::DirectoryKey;
use mesh_core::exchange::Digest;
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::complain;
use crate::output::{Columns, Format, Told};

#[derive(Serialize)]
struct Made {
    signing_key_file: PathBuf,
    key_file: PathBuf,
    public_key: String,
}

pub(crate) fn create(dir: &Path, format: Format) -> Result<Told, CmdError> {
    let DirectoryKey { signing_key_file, key_file, public_key, .. } =
        DirectoryKey::create(dir).map_err(complain)?;
    // As a digest is written: 64 hexadecimal digits.
    let public_key = Digest(public_key).to_string();
    let made = Made { signing_key_file, key_file, public_key };
    Ok(Told::new(format, &made, text))
}

fn text(made: &Made) -> String {
    let Made { signing_key_file, key_file, public_key } = made;
    let mut columns = Columns::new(&["FILE", "WHAT IT IS"]);
    let private = "the private key: for the centre alone, as directory.signing_key_file";
    let public = "the public key: for every node, as directory.key_file";
    columns.row(&[signing_key_file.display().to_string(), private.into()]);
    columns.row(&[key_file.display().to_string(), public.into()]);
    format!(
        "made a directory key\n\n{}\n\
         keep the private key safe: whoever has it can tell every node anything.\n\
         in a mesh that runs, make the new key known before the centre signs with it:\n\n\
         [[directory_keys]]\npublic_key = {public_key:?}\n",
        columns.text()
    )
}
