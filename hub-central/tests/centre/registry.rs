//! The registry as an operator's program meets it: pages, commits, and what is refused.

use mesh_core::directory::Cluster;
use mesh_core::directory::change::{Change, Key, Object};
use mesh_core::reason::{Problem, Reason};
use mesh_proto::directory::read_object;
use mesh_proto::registry::{Commit, Page, write_commit, write_page};
use mesh_proto::status::read_status;
use mesh_proto::wire::registry::v1::registry_service_client::RegistryServiceClient;
use mesh_proto::wire::registry::v1::{CommitRequest, ReadResponse};
use tonic::transport::Channel;

use crate::files::{Files, Running};

type Client = RegistryServiceClient<Channel>;

fn put(id: &str) -> Change {
    let (name_fa, name_en) = ("خوشه".to_owned(), "Cluster".to_owned());
    let (id, intra_cluster) = (id.parse().unwrap(), Default::default());
    Change::Put(Object::Cluster(Cluster { id, name_fa, name_en, hub: false, intra_cluster }))
}

fn at(base_revision: u64, changes: Vec<Change>) -> Commit {
    Commit { base_epoch: 1, base_revision, changes, reason: "test".into(), dry_run: false }
}

async fn commit(client: &mut Client, commit: &Commit) -> Result<u64, Problem> {
    let answer = client.commit(write_commit(commit)).await;
    let answer = answer.map(|answer| answer.into_inner().revision);
    answer.map_err(|status| read_status(&status).unwrap_or_else(|| panic!("{status:?}")))
}

fn page(prefix: &str, limit: usize) -> Page {
    Page { prefix: prefix.into(), after: None, limit, of: None }
}

async fn read(client: &mut Client, page: &Page) -> Result<ReadResponse, Problem> {
    let answer = client.read(write_page(page)).await.map(tonic::Response::into_inner);
    answer.map_err(|status| read_status(&status).unwrap_or_else(|| panic!("{status:?}")))
}

fn keys(answer: &ReadResponse) -> Vec<String> {
    let objects = answer.objects.iter().cloned();
    objects.map(|object| read_object(object).unwrap().key().to_string()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_and_are_of_one_revision() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut client = Client::new(centre.dial(&files.listed).await.unwrap());
    let clusters = ["a", "b", "c", "d", "e"].map(put);
    assert_eq!(commit(&mut client, &at(1, clusters.into())).await, Ok(2));

    let mut wanted = page("cluster/", 2);
    let mut found = Vec::new();
    loop {
        let answer = read(&mut client, &wanted).await.unwrap();
        assert_eq!((answer.epoch, answer.revision, &*answer.domain), (1, 2, "mesh.ir"));
        found.extend(keys(&answer));
        if answer.next_after.is_empty() {
            break;
        }
        wanted.after = Some(answer.next_after.parse::<Key>().unwrap());
        wanted.of = Some((answer.epoch, answer.revision));
    }
    assert_eq!(found, ["cluster/a", "cluster/b", "cluster/c", "cluster/d", "cluster/e"]);
    assert_eq!(read(&mut client, &page("link-key/", 9)).await.unwrap().objects.len(), 2);

    // Somebody changes it between two pages: the reader begins anew, and mixes nothing.
    assert_eq!(commit(&mut client, &at(2, vec![put("f")])).await, Ok(3));
    let late = read(&mut client, &wanted).await.unwrap_err();
    assert_eq!(late.reason, Reason::RegistryConflict);
    centre.stop().await;
}

#[tokio::test]
async fn a_commit_is_made_whole_or_not_at_all() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut client = Client::new(centre.dial(&files.listed).await.unwrap());
    let remove = |key: &str| Change::Remove(key.parse().unwrap());
    let rehearsed = Commit { dry_run: true, ..at(1, vec![put("a")]) };
    assert_eq!(commit(&mut client, &rehearsed).await, Ok(2));
    assert_eq!(commit(&mut client, &at(1, vec![put("a")])).await, Ok(2));
    #[rustfmt::skip]
    let cases = [
        ("an old base",        at(1, vec![put("b")]),                       "REGISTRY_CONFLICT"),
        ("a base to come",     at(9, vec![put("b")]),                       "REGISTRY_CONFLICT"),
        ("another epoch",      Commit { base_epoch: 2, ..at(2, vec![put("b")]) },
                                                                            "REGISTRY_CONFLICT"),
        ("nothing to remove",  at(2, vec![put("b"), remove("cluster/z")]),  "REGISTRY_REFUSED"),
        ("one key twice",      at(2, vec![put("b"), remove("cluster/b")]),  "REGISTRY_REFUSED"),
        ("no change",          at(2, vec![]),                               "REQUEST_MALFORMED"),
        ("a line too many",    Commit { reason: "a\nb".into(), ..at(2, vec![put("b")]) },
                                                                            "REQUEST_MALFORMED"),
    ];
    for (why, wrong, want) in cases {
        for dry_run in [true, false] {
            let problem = commit(&mut client, &Commit { dry_run, ..wrong.clone() }).await;
            let problem = problem.expect_err(why);
            assert_eq!(
                (problem.reason.name(), problem.hop.as_str()),
                (want, "hub.centre"),
                "{why}"
            );
        }
    }
    let misfit = CommitRequest { changes: vec![Default::default()], ..Default::default() };
    let problem = read_status(&client.commit(misfit).await.unwrap_err()).unwrap();
    assert_eq!(problem.reason, Reason::RequestMalformed);
    assert_eq!(keys(&read(&mut client, &page("cluster/", 9)).await.unwrap()), ["cluster/a"]);
    centre.stop().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let files = Files::new();
    let centre = Running::start(&files).await;
    let mut client = Client::new(centre.dial(&files.listed).await.unwrap());
    for (base, id) in [(1, "a"), (2, "b")] {
        assert_eq!(commit(&mut client, &at(base, vec![put(id)])).await, Ok(base + 1));
    }
    centre.stop().await;

    let centre = Running::start(&files).await;
    let mut client = Client::new(centre.dial(&files.listed).await.unwrap());
    let answer = read(&mut client, &page("cluster/", 9)).await.unwrap();
    assert_eq!((answer.revision, keys(&answer).len()), (3, 2));

    // A directory in the place of the file that it writes first: nothing can be kept.
    std::fs::create_dir(files.path().join("directory.pb.unfinished")).unwrap();
    let problem = commit(&mut client, &at(3, vec![put("c")])).await.unwrap_err();
    assert_eq!(problem.reason, Reason::RegistryUnavailable);
    std::fs::remove_dir(files.path().join("directory.pb.unfinished")).unwrap();
    assert_eq!(commit(&mut client, &at(3, vec![put("c")])).await, Ok(4), "it recovers by itself");
    centre.stop().await;
}
