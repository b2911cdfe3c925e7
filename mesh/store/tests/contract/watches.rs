//! Watches: every commit once, whole and in order, from whatever revision is still known.

use std::future::poll_fn;
use std::task::Poll;

use mesh_store::{Change, Changed, StoreRevision, Watch, Write};

use super::{Subject, delete, key, now, prefix, put, write};

/// As `key=value` and `-key`.
fn told(changed: &Changed) -> Vec<String> {
    let changes = changed.changes.iter().map(|change| match change {
        Change::Put { key, value } => format!("{key}={}", String::from_utf8_lossy(value)),
        Change::Deleted { key } => format!("-{key}"),
    });
    changes.collect()
}

async fn expect(watch: &mut Watch, revision: StoreRevision, want: &[&str]) {
    let changed = watch.next().await.unwrap();
    assert_eq!(
        (changed.revision, told(&changed)),
        (revision, want.iter().map(|s| (*s).into()).collect())
    );
}

pub(crate) async fn a_watch_tells_every_commit_once_and_whole(subject: &mut impl Subject) {
    let store = subject.store();
    let before = write(&*store, vec![put("w/a", "0"), put("w/b", "0")]).await;
    let mut watch = store.watch(&prefix("w/"), before).await.unwrap();
    // In the order of keys, whatever the order of writes.
    let first = write(&*store, vec![put("w/c", "1"), put("w/a", "1"), delete("w/b")]).await;
    let none = write(&*store, vec![delete("w/none")]).await;
    let second = write(&*store, vec![delete("w/c"), delete("w/none")]).await;
    let third = write(&*store, vec![put("w/a", "1")]).await;
    expect(&mut watch, first, &["w/a=1", "-w/b", "w/c=1"]).await;
    assert!(none < second);
    expect(&mut watch, second, &["-w/c"]).await;
    expect(&mut watch, third, &["w/a=1"]).await;
}

pub(crate) async fn a_watch_begins_where_it_is_told(subject: &mut impl Subject) {
    let store = subject.store();
    let mut revisions = vec![write(&*store, vec![put("w/a", "0")]).await];
    for number in 1..6 {
        revisions.push(write(&*store, vec![put("w/a", &number.to_string())]).await);
    }
    for (number, after) in revisions.iter().enumerate() {
        let mut watch = store.watch(&prefix("w/"), *after).await.unwrap();
        for (value, revision) in revisions.iter().enumerate().skip(number + 1) {
            expect(&mut watch, *revision, &[&format!("w/a={value}")]).await;
        }
        let next = write(&*store, vec![put("w/z", &number.to_string())]).await;
        // Those that began before see the marks of the others, too.
        let mut changed = watch.next().await.unwrap();
        while changed.revision < next {
            assert_eq!(changed.changes[0].key(), &key("w/z"));
            changed = watch.next().await.unwrap();
        }
        assert_eq!(told(&changed), [format!("w/z={number}")]);
    }
}

pub(crate) async fn a_watch_sees_its_prefix_only(subject: &mut impl Subject) {
    let store = subject.store();
    let before = write(&*store, vec![put("w/a/1", "0")]).await;
    let mut watch = store.watch(&prefix("w/a/"), before).await.unwrap();
    write(&*store, vec![put("w/b/1", "1"), put("w/a", "1")]).await;
    let mixed = write(&*store, vec![put("w/b/2", "2"), put("w/a/2", "2")]).await;
    write(&*store, vec![put("w/a0", "3")]).await;
    let last = write(&*store, vec![delete("w/a/1"), delete("w/b/1")]).await;
    expect(&mut watch, mixed, &["w/a/2=2"]).await;
    expect(&mut watch, last, &["-w/a/1"]).await;
}

pub(crate) async fn a_watch_loses_nothing_when_its_reader_gives_up_waiting(
    subject: &mut impl Subject,
) {
    let store = subject.store();
    let before = write(&*store, vec![put("w/a", "0")]).await;
    let mut watch = store.watch(&prefix("w/"), before).await.unwrap();
    for number in 1..20 {
        // Looks once and goes away, at whatever moment that is.
        let given_up = poll_fn(|context| {
            let next = std::pin::pin!(watch.next());
            Poll::Ready(match next.poll(context) {
                Poll::Ready(changed) => Some(changed.unwrap()),
                Poll::Pending => None,
            })
        })
        .await;
        assert_eq!(given_up, None);
        let revision = write(&*store, vec![put("w/a", &number.to_string())]).await;
        expect(&mut watch, revision, &[&format!("w/a={number}")]).await;
    }
}

pub(crate) async fn watches_go_on_beside_each_other(subject: &mut impl Subject) {
    let store = subject.store();
    let before = write(&*store, vec![put("w/a", "0")]).await;
    let mut quick = store.watch(&prefix("w/"), before).await.unwrap();
    // Opened before, and read only when all is over.
    let mut slow = store.watch(&prefix("w/"), before).await.unwrap();
    let mut revisions = Vec::new();
    for number in 0..300 {
        let revision = write(&*store, vec![put("w/a", &number.to_string())]).await;
        expect(&mut quick, revision, &[&format!("w/a={number}")]).await;
        revisions.push(revision);
    }
    drop(quick);
    for (number, revision) in revisions.into_iter().enumerate() {
        expect(&mut slow, revision, &[&format!("w/a={number}")]).await;
    }
}

pub(crate) async fn a_watch_sees_what_many_commit_at_once(subject: &mut impl Subject) {
    let store = subject.store();
    let before = write(&*store, vec![put("w/begin", "0")]).await;
    let mut watch = store.watch(&prefix("w/"), before).await.unwrap();
    let writers: Vec<_> = (0..10)
        .map(|writer| {
            let store = subject.store();
            tokio::spawn(async move {
                for number in 0..10 {
                    let pair = ["one", "two"].map(|name| format!("w/{writer}/{number}/{name}"));
                    let writes: Vec<Write> = pair.iter().map(|name| put(name, "v")).collect();
                    write(&*store, writes).await;
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    let mut last = before;
    for _ in 0..100 {
        let changed = watch.next().await.unwrap();
        assert!(last < changed.revision);
        last = changed.revision;
        // Both keys of a commit, and no other commit's.
        assert_eq!(changed.changes.len(), 2);
        seen.extend(told(&changed));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    seen.push("w/begin=0".into());
    seen.sort();
    assert_eq!(seen, now(&*store, "w/").await);
}
