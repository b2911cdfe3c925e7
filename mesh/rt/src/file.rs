//! Files read whole, up to a bound, since a wrong path may lead to a device that never ends; files
//! replaced whole; and folders that files can be made in.

use std::fs::{self, File};
use std::io::{self, Error, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Replaces `file` by `bytes`, durably. A crash leaves the old file or the new one.
pub fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut opened = File::create(&unfinished)?;
    opened.write_all(bytes)?;
    opened.sync_all()?;
    fs::rename(&unfinished, file)?;
    // The name is durable only when its folder is.
    File::open(folder)?.sync_all()
}

/// Checks that files can be made in `folder`, and leaves none.
pub fn check_folder(folder: &Path) -> io::Result<()> {
    let trial = folder.join(format!(".trial-{}", std::process::id()));
    File::create(&trial)?;
    fs::remove_file(&trial)
}

/// The content of the file at `path`, which may have `bytes_max` bytes.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut content)?;
    if bytes_max < content.len() as u64 {
        let message = format!("it is larger than {bytes_max} bytes");
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(content)
}

/// As [`read`], of a file that must be UTF-8.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<String, Error> {
    let content = read(path, bytes_max)?;
    String::from_utf8(content).map_err(|why| Error::new(ErrorKind::InvalidData, why.utf8_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        for content in ["first", "2"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(read_text(&path, 10).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = folder.path().join("none").join("value");
        assert_eq!(replace(&nowhere, b"x").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn reads_up_to_the_bound_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("four");
        fs::write(&path, "four").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        assert_eq!(read(&path, 3).unwrap_err().to_string(), "it is larger than 3 bytes");
        fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path, 4).unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(read(Path::new("/dev/zero"), 10).is_err());
    }
}
