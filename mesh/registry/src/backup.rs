//! One file with everything that a registry's store holds. A file that was cut, changed or put
//! together by somebody else is no backup: its digest says so, and its signature if it has one.

use std::io::{self, BufRead, Write};

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use bytes::Bytes;
use mesh_core::exchange::Digest;
use mesh_core::node::MeshDomain;
use mesh_proto::wire::registry::v1::backup_record::Kind;
use mesh_proto::wire::registry::v1::{BackupEnd, BackupHeader, BackupRecord, StoredItem};
use mesh_store::StoreKey;
use prost::Message as _;

use crate::layout;

/// The first line of every backup of this form.
pub const FIRST_LINE: &[u8] = b"mesh registry backup 1\n";

/// What a signature is over, before the digest: no other signature of the mesh begins so.
const SIGNED: &[u8] = b"mesh registry backup 1\0";

/// Bytes of one record: more than any value of the layout.
const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Items of one backup: several times what 50,000 agreements and their history need.
const ITEMS_MAX: usize = 4_000_000;

/// A file that is no backup, or not the one that it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is no backup of a registry: its first line is another")]
    Foreign,
    #[error("it is cut off or damaged after {items} items: {why}")]
    Damaged { items: usize, why: String },
    #[error("it was changed after it was made: its digest is not the one that it ends in")]
    Tampered,
    #[error("it is not signed; name no key to take it as it is")]
    Unsigned,
    #[error("its signature is by none of the keys that were named")]
    Signature,
}

/// A backup that is being written.
pub struct Writer<W> {
    out: W,
    digest: Context,
    items: u64,
}

/// A backup that was read whole, in which nothing was changed.
#[derive(Clone, Debug)]
pub struct Backup {
    pub header: BackupHeader,
    /// In the order of their keys.
    pub items: Vec<(StoreKey, Bytes)>,
    pub sha256: Digest,
    pub is_signed: bool,
}

impl<W: Write> Writer<W> {
    pub fn begin(out: W, header: BackupHeader) -> io::Result<Self> {
        let mut writer = Self { out, digest: Context::new(&SHA256), items: 0 };
        writer.put(FIRST_LINE)?;
        writer.record(Kind::Header(header))?;
        Ok(writer)
    }

    /// Items come in the order of their keys.
    pub fn item(&mut self, key: &str, value: Bytes) -> io::Result<()> {
        self.items += 1;
        self.record(Kind::Item(StoredItem { key: key.into(), value }))
    }

    /// Ends the backup, signed if there is a key, and answers its digest.
    pub fn end(mut self, key: Option<&Ed25519KeyPair>) -> io::Result<(W, Digest)> {
        let sha256 = finished(self.digest.clone());
        let signature = key.map_or(Bytes::new(), |key| {
            Bytes::copy_from_slice(key.sign(&signed(&sha256)).as_ref())
        });
        let digest = Bytes::copy_from_slice(&sha256.0);
        let end = BackupEnd { items: self.items, sha256: digest, signature };
        self.record(Kind::End(end))?;
        self.out.flush()?;
        Ok((self.out, sha256))
    }

    fn record(&mut self, kind: Kind) -> io::Result<()> {
        let record = BackupRecord { kind: Some(kind) };
        self.put(&record.encode_length_delimited_to_vec())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }
}

impl Backup {
    /// Reads a backup whole, or says why it is none. With `keys`, Ed25519 public keys of 32 bytes,
    /// it must be signed by one of them.
    pub fn read(input: impl BufRead, keys: &[[u8; 32]]) -> Result<Self, BackupError> {
        let mut records = Records { input, digest: Context::new(&SHA256), items: 0 };
        records.first_line()?;
        let Kind::Header(header) = records.next()?.1 else {
            return Err(records.damaged("it has no header"));
        };
        let mut items: Vec<(StoreKey, Bytes)> = Vec::new();
        loop {
            match records.next()? {
                (_, Kind::Header(_)) => return Err(records.damaged("it has two headers")),
                (_, Kind::Item(StoredItem { key, value })) => {
                    let last = items.last().map(|(last, _)| last.as_str());
                    let is_ours = key.starts_with(layout::ROOT) && last < Some(key.as_str());
                    let key = key.parse().ok().filter(|_| is_ours && items.len() < ITEMS_MAX);
                    let key = key.ok_or_else(|| records.damaged("a key has no place in it"))?;
                    records.items += 1;
                    items.push((key, value));
                }
                (sha256, Kind::End(end)) => {
                    records.check_end(&end, &sha256, keys)?;
                    let is_signed = !end.signature.is_empty();
                    return Ok(Self { header, items, sha256, is_signed });
                }
            }
        }
    }

    /// The mesh that it is of.
    pub fn mesh(&self) -> Option<MeshDomain> {
        let id = self.header.mesh.parse().ok()?;
        MeshDomain::new(id, &self.header.domain).ok()
    }
}

/// Records as they are read.
struct Records<R> {
    input: R,
    digest: Context,
    items: usize,
}

impl<R: BufRead> Records<R> {
    fn first_line(&mut self) -> Result<(), BackupError> {
        let mut line = vec![0; FIRST_LINE.len()];
        match self.input.read_exact(&mut line) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Err(BackupError::Read(error))
            }
            Ok(()) if line == FIRST_LINE => {
                self.digest.update(&line);
                Ok(())
            }
            _ => Err(BackupError::Foreign),
        }
    }

    /// The next record, and the digest of all before it.
    fn next(&mut self) -> Result<(Digest, Kind), BackupError> {
        let before = finished(self.digest.clone());
        let mut length = Vec::new();
        while length.last().is_none_or(|byte| 0x80 <= *byte) {
            if 5 <= length.len() {
                return Err(self.damaged("a length has no end"));
            }
            length.extend(self.take(1)?);
        }
        let bytes = prost::decode_length_delimiter(&length[..]).unwrap_or(usize::MAX);
        if RECORD_BYTES_MAX < bytes {
            return Err(self.damaged("a record is larger than any that was written"));
        }
        let record = self.take(bytes)?;
        let record = BackupRecord::decode(&record[..]).ok().and_then(|record| record.kind);
        record.map(|kind| (before, kind)).ok_or_else(|| self.damaged("a record cannot be read"))
    }

    fn take(&mut self, bytes: usize) -> Result<Vec<u8>, BackupError> {
        let mut taken = vec![0; bytes];
        self.input.read_exact(&mut taken).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
            _ => BackupError::Read(error),
        })?;
        self.digest.update(&taken);
        Ok(taken)
    }

    fn check_end(
        &mut self,
        end: &BackupEnd,
        sha256: &Digest,
        keys: &[[u8; 32]],
    ) -> Result<(), BackupError> {
        if end.sha256 != sha256.0[..] || end.items != self.items as u64 {
            return Err(BackupError::Tampered);
        }
        if !self.input.fill_buf().map_err(BackupError::Read)?.is_empty() {
            return Err(self.damaged("something follows its end"));
        }
        if keys.is_empty() {
            return Ok(());
        }
        if end.signature.is_empty() {
            return Err(BackupError::Unsigned);
        }
        let verifies = |key: &[u8; 32]| {
            let key = UnparsedPublicKey::new(&ED25519, key);
            key.verify(&signed(sha256), &end.signature).is_ok()
        };
        if keys.iter().any(verifies) { Ok(()) } else { Err(BackupError::Signature) }
    }

    fn damaged(&self, why: &str) -> BackupError {
        BackupError::Damaged { items: self.items, why: why.into() }
    }
}

fn signed(sha256: &Digest) -> Vec<u8> {
    [SIGNED, &sha256.0].concat()
}

fn finished(digest: Context) -> Digest {
    Digest(digest.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

impl<W> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("items", &self.items).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::KeyPair as _;

    use super::*;

    fn header() -> BackupHeader {
        BackupHeader { mesh: "ir".into(), domain: "mesh.ir".into(), ..BackupHeader::default() }
    }

    fn backup(keys: &[&str], key: Option<&Ed25519KeyPair>) -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), header()).expect("memory");
        for key in keys {
            writer.item(key, Bytes::from_static(b"value")).expect("memory");
        }
        writer.end(key).expect("memory").0
    }

    fn read(bytes: &[u8]) -> Result<Backup, String> {
        Backup::read(bytes, &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_backup_reads_as_it_was_written() {
        let bytes = backup(&["mesh/head", "mesh/layout"], None);
        let read = read(&bytes).expect("it is whole");
        assert_eq!((read.header.clone(), read.items.len()), (header(), 2));
        assert_eq!(read.mesh().map(|mesh| mesh.domain().to_owned()), Some("mesh.ir".into()));
    }

    #[test]
    fn one_changed_byte_anywhere_is_seen() {
        let bytes = backup(&["mesh/head", "mesh/layout"], None);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "byte {at}");
            assert!(read(&bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(read(&[&bytes[..], b"x"].concat()).unwrap_err().contains("follows its end"));
    }

    #[test]
    fn keys_that_are_not_of_the_registry_have_no_place() {
        for odd in ["other/key", "../../etc/passwd", "mesh/../x y", "mesh/"] {
            let error = read(&backup(&[odd], None)).expect_err(odd);
            assert!(error.contains("a key has no place in it"), "{odd}: {error}");
        }
        let twice = read(&backup(&["mesh/head", "mesh/head"], None)).unwrap_err();
        assert!(twice.contains("a key has no place"), "{twice}");
        assert!(read(b"PK\x03\x04 something else").unwrap_err().contains("no backup"));
    }

    #[test]
    fn a_signature_is_asked_for_by_naming_keys() {
        let (ours, other) = (Ed25519KeyPair::generate(), Ed25519KeyPair::generate());
        let (ours, other) = (ours.expect("a key"), other.expect("a key"));
        let public = |key: &Ed25519KeyPair| {
            <[u8; 32]>::try_from(key.public_key().as_ref()).expect("32 bytes")
        };
        let signed = backup(&["mesh/head"], Some(&ours));
        let keys = [public(&other), public(&ours)];
        assert!(Backup::read(&signed[..], &keys).expect("by one of them").is_signed);
        let error = Backup::read(&signed[..], &keys[..1]).expect_err("by another");
        assert!(matches!(error, BackupError::Signature));
        let error = Backup::read(&backup(&["mesh/head"], None)[..], &keys).expect_err("unsigned");
        assert!(matches!(error, BackupError::Unsigned));
    }
}
