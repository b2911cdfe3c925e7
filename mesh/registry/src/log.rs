//! Log records: what one commit told each scope. A change that many scopes are told of stands once.

use std::collections::HashMap;

use bytes::Bytes;
use mesh_proto::malformed::Malformed;
use mesh_proto::wire::directory::v1::{Change, Entry, EntryBody};
use mesh_proto::wire::registry::v1::{LogRecord, LoggedEntry};
use prost::Message;

/// The record of a commit that made `entries`.
pub fn write_log(entries: &[Entry], change_set: &str) -> LogRecord {
    let mut record = LogRecord { change_set: change_set.into(), ..LogRecord::default() };
    let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
    for entry in entries {
        let logged = shared(entry, &mut known, &mut record.changes);
        record.entries.push(logged.unwrap_or_else(|| whole(entry)));
    }
    record
}

/// The entries of `record`, byte for byte.
pub fn read_log(record: &LogRecord) -> Result<Vec<Entry>, Malformed> {
    record.entries.iter().map(|logged| restored(logged, &record.changes)).collect()
}

/// `entry` with its changes among `changes`; `None` if it could not be put together again.
fn shared(
    entry: &Entry,
    known: &mut HashMap<Vec<u8>, u32>,
    changes: &mut Vec<Bytes>,
) -> Option<LoggedEntry> {
    let mut body = EntryBody::decode(entry.body.clone()).ok()?;
    let mut numbers = Vec::new();
    for change in std::mem::take(&mut body.changes) {
        let encoded = change.encode_to_vec();
        let number = *known.entry(encoded).or_insert_with_key(|encoded| {
            changes.push(Bytes::copy_from_slice(encoded));
            changes.len() as u32 - 1
        });
        numbers.push(number);
    }
    let frame = body.encode_to_vec().into();
    let logged = LoggedEntry { frame, changes: numbers, signature: signature(entry) };
    let again = restored(&logged, changes).ok()?;
    (again.body == entry.body && !logged.changes.is_empty()).then_some(logged)
}

fn whole(entry: &Entry) -> LoggedEntry {
    LoggedEntry { frame: entry.body.clone(), changes: Vec::new(), signature: signature(entry) }
}

fn signature(entry: &Entry) -> Bytes {
    entry.signature.as_ref().map_or(Bytes::new(), |signature| signature.encode_to_vec().into())
}

fn restored(logged: &LoggedEntry, changes: &[Bytes]) -> Result<Entry, Malformed> {
    let malformed = |why: prost::DecodeError| Malformed::new("log", why);
    let signature = match &logged.signature {
        none if none.is_empty() => None,
        signature => Some(Message::decode(signature.clone()).map_err(malformed)?),
    };
    if logged.changes.is_empty() {
        return Ok(Entry { body: logged.frame.clone(), signature });
    }
    let mut body = EntryBody::decode(logged.frame.clone()).map_err(malformed)?;
    for number in &logged.changes {
        let change = changes.get(*number as usize);
        let change = change.ok_or_else(|| Malformed::new("log", "names a change it has not"))?;
        body.changes.push(Change::decode(change.clone()).map_err(malformed)?);
    }
    Ok(Entry { body: body.encode_to_vec().into(), signature })
}

#[cfg(test)]
mod tests {
    use mesh_core::directory::change::Change as CoreChange;
    use mesh_proto::directory::write_change;

    use super::*;

    fn entry(scope: &str, keys: &[&str]) -> Entry {
        let changes =
            keys.iter().map(|key| write_change(&CoreChange::Remove(key.parse().expect("a key"))));
        let body = EntryBody {
            scope: scope.into(),
            epoch: 1,
            revision: 2,
            previous_hash: Bytes::from_static(&[7; 32]),
            changes: changes.collect(),
            committed_at_unix_ms: 9,
        };
        Entry { body: body.encode_to_vec().into(), signature: None }
    }

    #[test]
    fn entries_come_back_byte_for_byte_and_a_change_stands_once() {
        let (tax, health) = ("agency/ir/gov/tax", "cluster/health");
        let entries = [
            entry("nation", &[health, tax]),
            entry("agency/ir/gov/tax", &[tax]),
            entry("cluster/health", &[]),
        ];
        let record = write_log(&entries, "id");
        assert_eq!((record.changes.len(), record.entries.len()), (2, 3));
        assert_eq!(read_log(&record), Ok(entries.to_vec()));
    }

    #[test]
    fn what_cannot_be_taken_apart_is_kept_whole() {
        let mut odd = entry("nation", &["cluster/health"]);
        // A field that this version does not know.
        odd.body = [&odd.body[..], &[0xf8, 0x07, 0x01]].concat().into();
        let record = write_log(std::slice::from_ref(&odd), "");
        assert_eq!(read_log(&record), Ok(vec![odd]));
    }

    #[test]
    fn a_record_that_is_not_whole_is_refused() {
        let mut record = write_log(&[entry("nation", &["cluster/health"])], "");
        record.changes.clear();
        assert!(read_log(&record).is_err());
    }
}
