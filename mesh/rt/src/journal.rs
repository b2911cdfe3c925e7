//! A file of records that grows at its end and is replaced whole: what a crash leaves of it is a
//! beginning of what was written, never less than what was durable.
//!
//! ```text
//! mesh journal 1\n                      says what the file is
//! length      4 bytes, big endian       of the record that follows, 1 to RECORD_BYTES_MAX
//! its check   4 bytes                   first of the SHA-256 of the length
//! checksum    8 bytes                   first of the SHA-256 of the record
//! record      as many as it says
//! …
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use crate::file;

/// One record, in bytes.
pub const RECORD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The whole file, in bytes.
pub const JOURNAL_BYTES_MAX: u64 = 1024 * 1024 * 1024;

const MAGIC: &[u8] = b"mesh journal 1\n";
/// What stands before each record.
const FRAME_BYTES: usize = 4 + 4 + 8;

/// A journal that can be written. See the module.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// `None` where it is not known what the file holds: only replacing it makes it known again.
    file: Option<File>,
    bytes: u64,
    /// Of the file when it was last written whole.
    whole_bytes: u64,
}

/// What a journal holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Contents {
    pub records: Vec<Bytes>,
    /// Bytes behind the last whole record: of one that was being written when the node went down.
    pub torn_bytes: u64,
    bytes: u64,
}

/// A file that is no journal, or one no longer.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot be read")]
    Read(#[source] io::Error),
    #[error("cannot be written")]
    Write(#[source] io::Error),
    #[error("is no journal of this program")]
    NoJournal,
    /// More than the end is wrong, so it was not a crash that did it.
    #[error("is damaged at byte {at}")]
    Damaged { at: usize },
}

impl Contents {
    /// Reads the journal at `path`, and changes nothing; one that is not there holds nothing.
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let content = match file::read(path, JOURNAL_BYTES_MAX) {
            Ok(content) => Bytes::from(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(JournalError::Read(error)),
        };
        // A file is made whole before it has its name, so even the first bytes are never torn.
        if !content.starts_with(MAGIC) {
            return Err(JournalError::NoJournal);
        }
        let mut records = Vec::new();
        let mut at = MAGIC.len();
        while at < content.len() {
            match look(&content, at) {
                At::Record(record) => {
                    at += FRAME_BYTES + record.len();
                    records.push(record);
                }
                _ if is_torn(&content, at) => break,
                _ => return Err(JournalError::Damaged { at }),
            }
        }
        let torn_bytes = (content.len() - at) as u64;
        Ok(Self { records, torn_bytes, bytes: at as u64 })
    }
}

impl Journal {
    /// A journal that is not there: the first write makes it, and replaces what is in its place.
    pub fn absent(path: &Path) -> Self {
        Self { path: path.into(), file: None, bytes: 0, whole_bytes: 0 }
    }

    /// Opens the journal at `path` with what it holds, and cuts a torn end off. One that is not
    /// there is made by the first write.
    pub fn open(path: &Path) -> Result<(Self, Contents), JournalError> {
        let contents = Contents::read(path)?;
        let mut journal = Self::absent(path);
        if contents.bytes == 0 {
            return Ok((journal, contents));
        }
        let opened = OpenOptions::new().append(true).open(path).map_err(JournalError::Write)?;
        if 0 < contents.torn_bytes {
            opened.set_len(contents.bytes).map_err(JournalError::Write)?;
            opened.sync_all().map_err(JournalError::Write)?;
        }
        journal.file = Some(opened);
        journal.bytes = contents.bytes;
        // Not known any more; a whole file is at least its first record.
        let first = contents.records.first().map_or(0, Bytes::len);
        journal.whole_bytes = (MAGIC.len() + FRAME_BYTES + first) as u64;
        Ok((journal, contents))
    }

    /// Adds `record`, durably. After an error it is not known whether it is there.
    pub fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let framed = frame(record)?;
        // Whatever goes wrong from here on, what the disk has is no longer known.
        let Some(mut opened) = self.file.take() else {
            return Err(io::Error::other("the file must be written whole first"));
        };
        opened.write_all(&framed)?;
        opened.sync_data()?;
        self.bytes += framed.len() as u64;
        self.file = Some(opened);
        Ok(())
    }

    /// Replaces all records by `record`, durably. A crash leaves the old file or the new one.
    pub fn replace(&mut self, record: &[u8]) -> io::Result<()> {
        let content = [MAGIC, &frame(record)?].concat();
        file::replace(&self.path, &content)?;
        self.file = Some(OpenOptions::new().append(true).open(&self.path)?);
        self.bytes = content.len() as u64;
        self.whole_bytes = self.bytes;
        Ok(())
    }

    /// Can records be added, or must the file be written whole first?
    pub fn takes_more(&self) -> bool {
        self.file.is_some()
    }

    /// Has more been added than was there when it was last written whole? Who replaces it then
    /// writes each byte a few times at most, however long the history grows.
    pub fn is_long(&self) -> bool {
        2 * self.whole_bytes.max(LONG_BYTES_MIN) < self.bytes
    }
}

/// A journal below this size is not worth replacing.
const LONG_BYTES_MIN: u64 = 64 * 1024;

fn frame(record: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(record.len()).ok().filter(|&length| 0 < length);
    let length = length.filter(|_| record.len() <= RECORD_BYTES_MAX);
    let Some(length) = length else {
        let message = format!("a record of {} bytes, want 1 to {RECORD_BYTES_MAX}", record.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    };
    let length = length.to_be_bytes();
    let (check, checksum): ([u8; 4], [u8; 8]) = (first_of_sha256(&length), first_of_sha256(record));
    Ok([&length[..], &check, &checksum, record].concat())
}

/// What stands at a place of a journal.
enum At {
    Record(Bytes),
    /// A length, with less behind it than it says, or other bytes.
    Unfinished {
        end: usize,
    },
    Nothing,
}

fn look(content: &Bytes, at: usize) -> At {
    let begin = at + FRAME_BYTES;
    let Some((length, rest)) = content.get(at..begin).and_then(<[u8]>::split_first_chunk) else {
        return At::Nothing;
    };
    let (check, checksum) = rest.split_at(4);
    if first_of_sha256::<4>(length) != check {
        return At::Nothing;
    }
    let end = begin.saturating_add(u32::from_be_bytes(*length) as usize);
    match content.get(begin..end) {
        Some(record) if first_of_sha256::<8>(record) == checksum => {
            At::Record(content.slice(begin..end))
        }
        _ => At::Unfinished { end },
    }
}

/// Did a crash leave what begins at `at`? Then nothing follows: it is less than a record's frame,
/// or a record that runs to the end of the file, or the file grew and nothing was written into it.
fn is_torn(content: &Bytes, at: usize) -> bool {
    match look(content, at) {
        At::Record(_) => false,
        At::Unfinished { end } => content.len() <= end,
        At::Nothing => {
            content.len() < at + FRAME_BYTES || content[at..].iter().all(|&byte| byte == 0)
        }
    }
}

fn first_of_sha256<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let digest = digest(&SHA256, bytes);
    *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn records(path: &Path) -> Vec<Vec<u8>> {
        let contents = Contents::read(path).unwrap();
        contents.records.iter().map(|record| record.to_vec()).collect()
    }

    /// A journal of three records, and where the last one begins.
    fn three(path: &Path) -> usize {
        let (mut journal, contents) = Journal::open(path).unwrap();
        assert_eq!(contents, Contents::default());
        assert!(!journal.takes_more(), "nothing is there to add to");
        assert!(journal.append(b"early").is_err());
        journal.replace(b"first").unwrap();
        journal.append(b"second").unwrap();
        let third = fs::metadata(path).unwrap().len() as usize;
        journal.append(b"third").unwrap();
        third
    }

    #[test]
    fn what_was_added_is_there_and_what_was_replaced_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        three(&path);
        assert_eq!(records(&path), [&b"first"[..], b"second", b"third"]);
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(b"fourth").unwrap();
        assert_eq!(records(&path).len(), 4);
        journal.replace(b"whole").unwrap();
        assert_eq!(records(&path), [b"whole"]);
        assert!(journal.append(b"").is_err(), "no record is empty");
    }

    #[test]
    fn a_torn_end_is_cut_and_never_a_record_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let third = three(&path);
        let whole = fs::read(&path).unwrap();
        for end in third..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let (mut journal, contents) = Journal::open(&path).unwrap();
            assert_eq!(contents.records, [&b"first"[..], b"second"], "{end}");
            assert_eq!(contents.torn_bytes, (end - third) as u64);
            journal.append(b"again").unwrap();
            assert_eq!(records(&path), [&b"first"[..], b"second", b"again"], "{end}");
        }
        // The file grew, and its content never came.
        fs::write(&path, [&whole[..], &[0; 100]].concat()).unwrap();
        assert_eq!(Journal::open(&path).unwrap().1.torn_bytes, 100);
        assert_eq!(records(&path).len(), 3);
    }

    #[test]
    fn damage_before_the_end_is_no_torn_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let third = three(&path);
        let whole = fs::read(&path).unwrap();
        for at in MAGIC.len()..third {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).unwrap();
            let read = Contents::read(&path);
            assert!(matches!(read, Err(JournalError::Damaged { .. })), "{at}: {read:?}");
        }
        fs::write(&path, b"something else").unwrap();
        assert!(matches!(Contents::read(&path), Err(JournalError::NoJournal)));
    }

    #[test]
    fn a_journal_is_long_when_more_was_added_than_there_was() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(&folder.path().join("journal")).unwrap();
        journal.replace(&vec![1; 100_000]).unwrap();
        journal.append(&vec![2; 90_000]).unwrap();
        assert!(!journal.is_long());
        journal.append(&vec![3; 90_000]).unwrap();
        assert!(journal.is_long());
        journal.replace(&[1]).unwrap();
        assert!(!journal.is_long());
    }

    #[test]
    fn a_write_that_fails_is_told_and_the_next_one_must_be_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("journal");
        fs::create_dir(path.parent().unwrap()).unwrap();
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.replace(b"first").unwrap();
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert!(journal.replace(b"second").is_err());
        fs::create_dir(path.parent().unwrap()).unwrap();
        journal.replace(b"third").unwrap();
        assert_eq!(records(&path), [b"third"]);
    }
}
