//! The directory as a node finds it on disk: one snapshot file.

use std::path::{Path, PathBuf};

use mesh_core::node::MeshDomain;
use mesh_proto::directory::{Snapshot, SnapshotError, read_snapshot};

use crate::file;

/// Largest snapshot, in bytes: several times the design's 50,000 agreements.
pub const SNAPSHOT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A file that gives this node no directory. Names the file, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryFileError {
    #[error("directory {}: cannot be read, check that it is there and readable", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("directory {}: is no whole snapshot, fetch it again", file.display())]
    Snapshot { file: PathBuf, source: SnapshotError },
    #[error(
        "directory {}: is of mesh {found}, and this node belongs to {wanted}: \
         name the right file, or correct the section [mesh]", file.display()
    )]
    OtherMesh { file: PathBuf, found: String, wanted: String },
}

/// Reads the snapshot in `file`, which must be one of `mesh`.
pub fn load_directory(file: &Path, mesh: &MeshDomain) -> Result<Snapshot, DirectoryFileError> {
    let bytes = file::read(file, SNAPSHOT_BYTES_MAX)
        .map_err(|source| DirectoryFileError::Read { file: file.into(), source })?;
    let snapshot = read_snapshot(&bytes)
        .map_err(|source| DirectoryFileError::Snapshot { file: file.into(), source })?;
    let found = snapshot.directory.mesh();
    if found != mesh {
        let named = |mesh: &MeshDomain| format!("{} ({})", mesh.mesh, mesh.domain());
        return Err(DirectoryFileError::OtherMesh {
            file: file.into(),
            found: named(found),
            wanted: named(mesh),
        });
    }
    Ok(snapshot)
}

#[cfg(test)]
mod tests {
    use mesh_core::directory::Objects;
    use mesh_core::exchange::DirectoryPosition;
    use mesh_proto::directory::write_snapshot;

    use super::*;
    use crate::exit::sentence;

    fn mesh(id: &str, domain: &str) -> MeshDomain {
        MeshDomain::new(id.parse().unwrap(), domain).unwrap()
    }

    #[test]
    fn reads_the_snapshot_of_its_own_mesh_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("directory.bin");
        let load = |mesh: &MeshDomain| {
            let loaded = load_directory(&file, mesh);
            loaded.map_err(|error| sentence(&error).replace(&*folder.path().to_string_lossy(), ""))
        };
        let ours = mesh("ir", "mesh.ir");
        let absent = load(&ours).unwrap_err();
        let want =
            "directory /directory.bin: cannot be read, check that it is there and readable: ";
        assert!(absent.starts_with(want), "{absent}");

        let position = DirectoryPosition { epoch: 1, revision: 7, root: None };
        let bytes = write_snapshot(&ours, position, &Objects::default());
        std::fs::write(&file, &bytes).unwrap();
        assert_eq!(load(&ours).unwrap().directory.position(), position);

        let want = "directory /directory.bin: is of mesh ir (mesh.ir), and this node belongs to \
                    ir (mesh.test): name the right file, or correct the section [mesh]";
        assert_eq!(load(&mesh("ir", "mesh.test")).unwrap_err(), want);
        assert!(load(&mesh("tr", "mesh.ir")).unwrap_err().contains("belongs to tr (mesh.ir)"));

        std::fs::write(&file, &bytes[1..]).unwrap();
        let torn = load(&ours).unwrap_err();
        let want = "directory /directory.bin: is no whole snapshot, fetch it again: ";
        assert!(torn.starts_with(want), "{torn}");
    }
}
