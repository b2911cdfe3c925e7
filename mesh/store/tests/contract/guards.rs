//! Commits: whole or not at all, in one order, and only if what they expect is the case.

use mesh_store::{COMMIT_BYTES_MAX, Commit, CommitError, Guard, StoreRevision, Write};

use super::{Subject, delete, guarded, key, now, put, then, write};

pub(crate) async fn a_value_is_there_once_it_is_committed(subject: &mut impl Subject) {
    let store = subject.store();
    assert_eq!(store.get(&key("g/a")).await.unwrap(), None);
    let first = write(&*store, vec![put("g/a", "1")]).await;
    let item = store.get(&key("g/a")).await.unwrap().unwrap();
    assert_eq!((item.key, &item.value[..], item.revision), (key("g/a"), &b"1"[..], first));
    let second = write(&*store, vec![delete("g/a"), put("g/b", "")]).await;
    assert!(first < second);
    assert_eq!(store.get(&key("g/a")).await.unwrap(), None);
    assert_eq!(now(&*store, "g/").await, ["g/b="]);
}

pub(crate) async fn the_same_value_again_is_a_change(subject: &mut impl Subject) {
    let store = subject.store();
    let first = write(&*store, vec![put("g/a", "1")]).await;
    let again = write(&*store, vec![put("g/a", "1")]).await;
    assert!(first < again);
    assert_eq!(store.get(&key("g/a")).await.unwrap().unwrap().revision, again);
}

pub(crate) async fn deleting_what_is_absent_changes_nothing(subject: &mut impl Subject) {
    let store = subject.store();
    let before = write(&*store, vec![put("g/a", "1")]).await;
    let at = write(&*store, vec![delete("g/none")]).await;
    assert!(before <= at);
    assert_eq!(then(&*store, "g/", at).await, ["g/a=1"]);
    assert_eq!(store.get(&key("g/a")).await.unwrap().unwrap().revision, before);
}

pub(crate) async fn a_commit_of_the_largest_size_is_taken(subject: &mut impl Subject) {
    let store = subject.store();
    let large = vec![b'x'; COMMIT_BYTES_MAX - "g/large".len()];
    let revision = write(&*store, vec![Write::put(key("g/large"), large.clone())]).await;
    let item = store.get(&key("g/large")).await.unwrap().unwrap();
    assert_eq!((item.revision, item.value == large), (revision, true));

    let name = |number| key(&format!("g/many/{number:03}"));
    let guards = (0..100).map(|number| Guard::Absent(name(number))).collect();
    let writes = (0..100).map(|number| Write::put(name(number), "1")).collect();
    guarded(&*store, guards, writes).await.unwrap();
    assert_eq!(now(&*store, "g/many/").await.len(), 100);
}

pub(crate) async fn a_commit_is_whole_or_not_at_all(subject: &mut impl Subject) {
    let store = subject.store();
    let revision = write(&*store, vec![put("g/a", "1"), put("g/b", "1"), put("g/c", "1")]).await;
    for name in ["g/a", "g/b", "g/c"] {
        assert_eq!(store.get(&key(name)).await.unwrap().unwrap().revision, revision);
    }
    let writes = vec![put("g/a", "2"), delete("g/b"), put("g/d", "2")];
    let guards = vec![Guard::Unchanged(key("g/a"), revision), Guard::Absent(key("g/c"))];
    let refused = guarded(&*store, guards, writes).await;
    assert_eq!(refused, Err(CommitError::Conflict { key: key("g/c") }));
    assert_eq!(now(&*store, "g/").await, ["g/a=1", "g/b=1", "g/c=1"]);
}

pub(crate) async fn an_absent_guard_holds_only_when_nothing_is_there(subject: &mut impl Subject) {
    let store = subject.store();
    let absent = || vec![Guard::Absent(key("g/a"))];
    guarded(&*store, absent(), vec![put("g/a", "1")]).await.unwrap();
    let refused = guarded(&*store, absent(), vec![put("g/a", "2")]).await;
    assert_eq!(refused, Err(CommitError::Conflict { key: key("g/a") }));
    write(&*store, vec![delete("g/a")]).await;
    guarded(&*store, absent(), vec![put("g/a", "3")]).await.unwrap();
    assert_eq!(now(&*store, "g/").await, ["g/a=3"]);
}

pub(crate) async fn an_unchanged_guard_knows_the_last_change(subject: &mut impl Subject) {
    let store = subject.store();
    let since = |revision| vec![Guard::Unchanged(key("g/a"), revision)];
    let never = guarded(&*store, since(StoreRevision(1)), vec![put("g/a", "0")]).await;
    assert_eq!(never, Err(CommitError::Conflict { key: key("g/a") }));
    let first = write(&*store, vec![put("g/a", "1")]).await;
    let other = write(&*store, vec![put("g/b", "1")]).await;
    let second = guarded(&*store, since(first), vec![put("g/a", "2")]).await.unwrap();
    // Neither an older change of the key, nor the last change of another one.
    for stale in [first, other] {
        let refused = guarded(&*store, since(stale), vec![put("g/a", "3")]).await;
        assert_eq!(refused, Err(CommitError::Conflict { key: key("g/a") }));
    }
    let deleted = guarded(&*store, since(second), vec![delete("g/a")]).await.unwrap();
    for gone in [second, deleted] {
        let refused = guarded(&*store, since(gone), vec![put("g/a", "4")]).await;
        assert_eq!(refused, Err(CommitError::Conflict { key: key("g/a") }));
    }
    assert_eq!(now(&*store, "g/").await, ["g/b=1"]);
}

pub(crate) async fn the_first_guard_that_fails_is_named(subject: &mut impl Subject) {
    let store = subject.store();
    write(&*store, vec![put("g/a", "1"), put("g/b", "1")]).await;
    // In the commit's own order, which is not that of the keys.
    let guards = ["g/c", "g/b", "g/a"].map(|name| Guard::Absent(key(name)));
    let refused = guarded(&*store, guards.to_vec(), vec![put("g/c", "1")]).await;
    assert_eq!(refused, Err(CommitError::Conflict { key: key("g/b") }));
}

pub(crate) async fn of_two_that_expect_the_same_one_wins(subject: &mut impl Subject) {
    let store = subject.store();
    let contenders: Vec<_> = (0..20)
        .map(|number: usize| {
            let store = subject.store();
            tokio::spawn(async move {
                let writes = vec![put("g/a", &number.to_string()), put("g/b", &number.to_string())];
                guarded(&*store, vec![Guard::Absent(key("g/a"))], writes).await
            })
        })
        .collect();
    let mut winners = Vec::new();
    for (number, contender) in contenders.into_iter().enumerate() {
        match contender.await.unwrap() {
            Ok(_) => winners.push(number),
            Err(why) => assert_eq!(why, CommitError::Conflict { key: key("g/a") }),
        }
    }
    assert_eq!(winners.len(), 1);
    let winner = winners[0];
    assert_eq!(now(&*store, "g/").await, [format!("g/a={winner}"), format!("g/b={winner}")]);
}

pub(crate) async fn counting_under_contention_loses_nothing(subject: &mut impl Subject) {
    let store = subject.store();
    write(&*store, vec![put("g/count", "0")]).await;
    let counters: Vec<_> = (0..8)
        .map(|_| {
            let store = subject.store();
            tokio::spawn(async move {
                let mut counted = 0;
                while counted < 5 {
                    let item = store.get(&key("g/count")).await.unwrap().unwrap();
                    let count: u32 = std::str::from_utf8(&item.value).unwrap().parse().unwrap();
                    let guards = vec![Guard::Unchanged(key("g/count"), item.revision)];
                    let writes = vec![put("g/count", &(count + 1).to_string())];
                    match store.commit(Commit::new(guards, writes).unwrap()).await {
                        Ok(_) => counted += 1,
                        Err(CommitError::Conflict { .. }) => {}
                        Err(why) => panic!("{why}"),
                    }
                }
            })
        })
        .collect();
    for counter in counters {
        counter.await.unwrap();
    }
    assert_eq!(now(&*store, "g/").await, ["g/count=40"]);
}

pub(crate) async fn what_was_answered_outlives_a_restart(subject: &mut impl Subject) {
    let store = subject.store();
    let first = write(&*store, vec![put("g/a", "1"), put("g/b", "1")]).await;
    let second = write(&*store, vec![put("g/a", "2"), delete("g/b")]).await;
    drop(store);
    subject.restart().await;
    let store = subject.store();
    assert_eq!(now(&*store, "g/").await, ["g/a=2"]);
    assert_eq!(store.get(&key("g/a")).await.unwrap().unwrap().revision, second);
    assert_eq!(then(&*store, "g/", first).await, ["g/a=1", "g/b=1"]);
    assert!(second < write(&*store, vec![put("g/a", "3")]).await);
}
