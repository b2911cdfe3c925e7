//! Pages: every item once, in order, bounded, and all of one revision whatever happens meanwhile.

use mesh_store::{PAGE_BYTES_MAX, PageOf, StoreError, StoreRevision, Write, read_all};

use super::{Subject, delete, key, now, prefix, put, then, told, write};

pub(crate) async fn pages_are_in_the_order_of_keys_and_bounded(subject: &mut impl Subject) {
    let store = subject.store();
    let mut want = Vec::new();
    for hundred in 0..12 {
        let names: Vec<_> =
            (0..100).map(|number| format!("p/{:04}", number * 12 + hundred)).collect();
        write(&*store, names.iter().map(|name| put(name, "v")).collect()).await;
        want.extend(names.iter().map(|name| format!("{name}=v")));
    }
    want.sort();
    for limit in [7, 100, 1000, 5000] {
        let mut of = PageOf::prefix(prefix("p/")).limit(limit);
        let mut found = Vec::new();
        loop {
            let page = store.page(&of).await.unwrap();
            assert!(!page.items.is_empty() && page.items.len() <= limit.min(1000));
            found.extend(told(&page.items));
            match of.next(&page) {
                Some(next) => of = next,
                None => break,
            }
        }
        assert_eq!(found, want, "with a limit of {limit}");
    }
    // A page that holds exactly the rest says that it is the last.
    let last = PageOf::prefix(prefix("p/")).after(key("p/1189")).limit(10);
    let page = store.page(&last).await.unwrap();
    assert_eq!((page.items.len(), page.more), (10, false));
}

pub(crate) async fn a_prefix_is_read_and_nothing_beside_it(subject: &mut impl Subject) {
    let store = subject.store();
    let names = ["p/a", "p/a/b", "p/a/c", "p/a0", "p/b", "p/b/a"];
    write(&*store, names.iter().map(|name| put(name, "v")).collect()).await;
    let read = async |of: &str, after: Option<&str>| {
        let mut page = PageOf::prefix(prefix(of));
        if let Some(after) = after {
            page = page.after(key(after));
        }
        let items = store.page(&page).await.unwrap().items;
        items.iter().map(|item| item.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(read("p/a/", None).await, ["p/a/b", "p/a/c"]);
    assert_eq!(read("p/a", None).await, ["p/a", "p/a/b", "p/a/c", "p/a0"]);
    assert_eq!(read("p/a", Some("p/a/b")).await, ["p/a/c", "p/a0"]);
    // Where `after` is before the prefix it says nothing, and behind it nothing is left.
    assert_eq!(read("p/b", Some("p/a")).await, ["p/b", "p/b/a"]);
    assert_eq!(read("p/a", Some("p/b")).await, [] as [&str; 0]);
    assert_eq!(read("p/c", None).await, [] as [&str; 0]);
}

pub(crate) async fn pages_of_one_revision_show_one_state(subject: &mut impl Subject) {
    let store = subject.store();
    let names: Vec<_> = (0..30).map(|number| format!("p/{number:02}")).collect();
    write(&*store, names.iter().map(|name| put(name, "old")).collect()).await;
    let mut of = PageOf::prefix(prefix("p/")).limit(4);
    let mut found = Vec::new();
    for round in 0.. {
        let page = store.page(&of).await.unwrap();
        found.extend(told(&page.items));
        let Some(next) = of.next(&page) else { break };
        of = next;
        // Before, at and behind the place where the reader is.
        let (at, behind) = (round * 4 % 30, (round * 4 + 9) % 30);
        let new = [format!("p/{at:02}"), format!("p/{behind:02}/new"), format!("p/{round:02}!")];
        let mut writes: Vec<_> = new.iter().map(|name| put(name, "new")).collect();
        writes.push(delete(&format!("p/{:02}", (round * 4 + 5) % 30)));
        write(&*store, writes).await;
    }
    let want: Vec<_> = names.iter().map(|name| format!("{name}=old")).collect();
    assert_eq!(found, want);
}

pub(crate) async fn every_revision_can_be_read(subject: &mut impl Subject) {
    let store = subject.store();
    let before = write(&*store, vec![put("q/other", "1")]).await;
    let steps: [(Vec<Write>, &[&str]); 5] = [
        (vec![put("p/a", "1"), put("p/b", "1")], &["p/a=1", "p/b=1"]),
        (vec![put("p/a", "2")], &["p/a=2", "p/b=1"]),
        (vec![delete("p/a"), put("p/c", "3")], &["p/b=1", "p/c=3"]),
        (vec![put("p/a", "4"), delete("p/b"), delete("p/c")], &["p/a=4"]),
        (vec![delete("p/a")], &[]),
    ];
    let mut revisions = Vec::new();
    for (writes, _) in &steps {
        revisions.push(write(&*store, writes.clone()).await);
    }
    assert_eq!(then(&*store, "p/", before).await, [] as [&str; 0]);
    for (at, (_, want)) in revisions.into_iter().zip(steps) {
        assert_eq!(then(&*store, "p/", at).await, want);
    }
    assert_eq!(now(&*store, "p/").await, [] as [&str; 0]);
}

pub(crate) async fn a_revision_that_never_was_is_ahead(subject: &mut impl Subject) {
    let store = subject.store();
    let newest = write(&*store, vec![put("p/a", "1")]).await;
    let asked = StoreRevision(newest.0 + 1_000_000);
    let page = store.page(&PageOf::prefix(prefix("p/")).at(asked)).await;
    assert!(matches!(page, Err(StoreError::Ahead { asked: of, .. }) if of == asked), "{page:?}");
    let compacted = store.compact(asked).await;
    assert!(matches!(compacted, Err(StoreError::Ahead { .. })), "{compacted:?}");
    let began = match store.watch(&prefix("p/"), asked).await {
        Ok(mut watch) => watch.next().await.map(drop),
        Err(why) => Err(why),
    };
    assert!(matches!(began, Err(StoreError::Ahead { .. })), "{began:?}");
}

pub(crate) async fn large_values_make_short_pages(subject: &mut impl Subject) {
    let store = subject.store();
    let value = vec![b'x'; 700_000];
    for number in 0..14 {
        write(&*store, vec![Write::put(key(&format!("p/{number:02}")), value.clone())]).await;
    }
    let mut of = PageOf::prefix(prefix("p/"));
    let mut pages = 0;
    loop {
        let page = store.page(&of).await.unwrap();
        let bytes: usize = page.items.iter().map(|item| item.value.len()).sum();
        assert!(0 < bytes && bytes <= PAGE_BYTES_MAX, "{bytes} bytes");
        pages += 1;
        match of.next(&page) {
            Some(next) => of = next,
            None => break,
        }
    }
    assert!(1 < pages);
    let (_, items) = read_all(&*store, prefix("p/")).await.unwrap();
    assert_eq!(items.len(), 14);
}
