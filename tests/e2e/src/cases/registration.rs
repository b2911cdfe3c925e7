//! What operators do with the registry that must not go wrong: registering, approving, and keeping
//! it.

use std::path::PathBuf;

use mesh_core::reason::Reason::AdminRateLimited;
use mesh_proto::wire::registry::v1::BackupHeader;
use mesh_registry::backup::Writer;

use crate::bed::Bed;
use crate::scenario::Act::Do;
use crate::scenario::At::Centre;
use crate::scenario::Want::{Complains, GoesOn, Told};
use crate::scenario::{Group, LeftOut, Scenario, Seen, case};

const NO_ENROLMENT: &str =
    "nodes do not ask to join yet: their keys enter the registry by change sets of operators";

pub const REGISTRATION: Group = Group {
    title: "Registration, approval, admin",
    cases: CASES,
    left_out: &[
        LeftOut { name: "join_sender_not_owner", why: NO_ENROLMENT },
        LeftOut { name: "join_bad_signature", why: NO_ENROLMENT },
        LeftOut { name: "join_bad_cert", why: NO_ENROLMENT },
        LeftOut { name: "join_revoked", why: NO_ENROLMENT },
        LeftOut {
            name: "join_declined_retry",
            why: "the sample nation asks for no approval; the centre's own tests reject",
        },
        LeftOut {
            name: "join_revoked_by_deletion",
            why: "the sample nation asks for no approval; the centre's own tests withdraw",
        },
        LeftOut {
            name: "rbac_forbidden",
            why: "operators have no roles yet; they come with enrolment",
        },
    ],
    breaks_links: false,
};

const CASES: &[Scenario] = &[
    case(
        "join_bad_identifier",
        "a link key is registered for a name that no node can have",
        Do(|bed| {
            Box::pin(async {
                let key = key("Hub.Health.mesh.test", 1);
                apply(bed, "bad-identifier.toml", &key)
            })
        }),
        Complains("link key of Hub.Health.mesh.test"),
    ),
    case(
        "join_empty",
        "a file without any object is applied",
        Do(|bed| Box::pin(async { apply(bed, "nothing.toml", "# nothing\n") })),
        Complains("holds no object"),
    ),
    case(
        "join_twice",
        "the same link key is registered twice: the second time nothing changes",
        Do(|bed| Box::pin(async { twice(bed) })),
        GoesOn,
    ),
    case(
        "join_auto_approve_unknown",
        "a change set is approved that was never proposed",
        Do(|bed| Box::pin(async { hubctl(bed, &["change", "approve", "00000000"]) })),
        Complains("CHANGE_SET_UNKNOWN"),
    ),
    case(
        "init_twice",
        "a registry is laid out where one is already",
        Do(|bed| Box::pin(async { init(bed) })),
        Complains("the store holds a registry already"),
    ),
    case(
        "api_key_revoked_now",
        "an operator's key is removed while his connection is open: the next request is refused",
        Do(|bed| Box::pin(async { revoked(bed).await })),
        Told(mesh_core::reason::Reason::NodeUnknown, Centre),
    ),
    case(
        "admin_rate_limit",
        "an operator's program asks without a pause",
        Do(|bed| Box::pin(async { flood(bed).await })),
        Told(AdminRateLimited, Centre),
    ),
    case(
        "admin_body_limit",
        "an object of more than 8 KiB is registered",
        Do(|bed| {
            Box::pin(async {
                let name = "x".repeat(9 * 1024);
                let text = format!(
                    "[[clusters]]\nid = \"large\"\nname_fa = \"\"\nhub = false\n\
                     name_en = \"{name}\"\n"
                );
                apply(bed, "large.toml", &text)
            })
        }),
        Complains("CHANGE_SET_TOO_LARGE"),
    ),
    case(
        "backup_tampered",
        "a byte of a backup is changed",
        Do(|bed| Box::pin(async { tampered(bed) })),
        Complains("its digest is not the one that it ends in"),
    ),
    case(
        "backup_path_traversal",
        "a backup holds a key that leads out of the registry",
        Do(|bed| Box::pin(async { traversal(bed) })),
        Complains("a key has no place in it"),
    ),
];

/// What `hubctl` says, and how it ends.
/// What `hubctl` says to `args`, if it does not do it.
pub(super) fn hubctl(bed: &Bed, args: &[&str]) -> Seen {
    let printed = tokio::task::block_in_place(|| bed.nation.hubctl(args)).expect("hubctl runs");
    match printed.success {
        true => Seen::GoesOn,
        false => Seen::Exit { code: None, said: printed.err },
    }
}

fn apply(bed: &Bed, name: &str, text: &str) -> Seen {
    let file = bed.scratch().join(name);
    std::fs::write(&file, text).expect("written");
    hubctl(bed, &["apply", "--no-wait", "-f", &file.display().to_string()])
}

fn key(node: &str, number: u8) -> String {
    let digest = format!("{number:02x}").repeat(32);
    format!("[[link_keys]]\nnode = \"{node}\"\nspki_sha256 = \"{digest}\"\n")
}

fn twice(bed: &Bed) -> Seen {
    let text = key("hub.health.mesh.test", 7);
    for _ in 0..2 {
        match apply(bed, "twice.toml", &text) {
            Seen::GoesOn => {}
            other => return other,
        }
    }
    let name = format!("hub.health.mesh.test/{}", "07".repeat(32));
    hubctl(bed, &["remove", "link-key", &name])
}

fn init(bed: &Bed) -> Seen {
    let (file, objects) = (bed.scratch().join("second.redb"), bed.scratch().join("first.toml"));
    std::fs::write(&objects, key("sara.operators.mesh.test", 3)).expect("written");
    let (file, objects) = (file.display().to_string(), objects.display().to_string());
    let args = ["registry", "init", "--at", &file, "-f", &objects, "--mesh", "ir", "--domain"];
    let args = [&args[..], &["mesh.test", "--reason", "first", "--by", "sara"]].concat();
    match hubctl(bed, &args) {
        Seen::GoesOn => hubctl(bed, &args),
        other => other,
    }
}

/// A client of the centre for another operator, whose key is registered; and that key's name.
async fn revoked(bed: &Bed) -> Seen {
    let folder = bed.scratch().join("omid");
    let pki = bed.nation.layout.pki.display().to_string();
    let name = "omid.operators.mesh.test";
    let out = folder.display().to_string();
    let issue = ["pki", "issue", &pki, name, "--out", &out, "-o", "json"];
    let issued = tokio::task::block_in_place(|| bed.nation.hubctl(&issue)).expect("hubctl runs");
    let issued: serde_json::Value = serde_json::from_str(&issued.out).expect("JSON");
    let digest = issued["spki_sha256"].as_str().expect("it names its key").to_owned();
    let text = format!("[[link_keys]]\nnode = \"{name}\"\nspki_sha256 = \"{digest}\"\n");
    match apply(bed, "omid.toml", &text) {
        Seen::GoesOn => {}
        other => return other,
    }
    let config = std::fs::read_to_string(&bed.nation.layout.hubctl_config).expect("it is there");
    let own = bed.nation.layout.dir.join("operator").display().to_string();
    let file = folder.join("hubctl.toml");
    std::fs::write(&file, config.replace(&own, &out)).expect("written");
    let omid = client(&file);
    if let Err(why) = omid.status().await {
        return Seen::Exit { code: None, said: why.to_string() };
    }
    match hubctl(bed, &["remove", "link-key", &format!("{name}/{digest}")]) {
        Seen::GoesOn => {}
        other => return other,
    }
    match omid.status().await {
        Err(hubctl::AskError { reason: hubctl::Unanswered::Refused(problem), .. }) => {
            Seen::Told(problem)
        }
        Err(why) => Seen::Exit { code: None, said: why.to_string() },
        Ok(_) => Seen::GoesOn,
    }
}

fn client(config: &std::path::Path) -> hubctl::NodeClient {
    let config = hubctl::Config::load(config).expect("it reads");
    hubctl::NodeClient::connect(&config, "hub.centre").expect("it is named")
}

async fn flood(bed: &Bed) -> Seen {
    let centre = client(&bed.nation.layout.hubctl_config);
    let asking = (0..16).map(|_| async {
        for _ in 0..2000 {
            if let Err(hubctl::AskError { reason: hubctl::Unanswered::Refused(problem), .. }) =
                centre.status().await
            {
                return Some(problem);
            }
        }
        None
    });
    let told = futures_util::future::join_all(asking).await.into_iter().flatten().next();
    // The next scenario asks as the same operator.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    told.map_or(Seen::GoesOn, Seen::Told)
}

fn tampered(bed: &Bed) -> Seen {
    let file = bed.scratch().join("tampered.backup");
    let path = file.display().to_string();
    for args in [&["registry", "backup", &path][..], &["registry", "verify", &path]] {
        match hubctl(bed, args) {
            Seen::GoesOn => {}
            other => return other,
        }
    }
    let mut bytes = std::fs::read(&file).expect("it is there");
    // The last letter of a node's name, in the last object.
    let name = b"mesh.test";
    let at = bytes.windows(name.len()).rposition(|part| part == name).expect("it names nodes");
    bytes[at + name.len() - 1] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    restore(bed, &file, "tampered.redb")
}

fn traversal(bed: &Bed) -> Seen {
    let header = BackupHeader { mesh: "ir".into(), ..BackupHeader::default() };
    let mut writer = Writer::begin(Vec::new(), header).expect("memory");
    writer.item("mesh/../../etc/passwd", "".into()).expect("memory");
    writer.item("../../etc/passwd", "".into()).expect("memory");
    let (bytes, _) = writer.end(None).expect("memory");
    let file = bed.scratch().join("traversal.backup");
    std::fs::write(&file, bytes).expect("written");
    restore(bed, &file, "traversal.redb")
}

fn restore(bed: &Bed, file: &std::path::Path, to: &str) -> Seen {
    let to: PathBuf = bed.scratch().join(to);
    let (file, to) = (file.display().to_string(), to.display().to_string());
    let args = ["registry", "restore", &file, "--at", &to, "--reason", "a test", "--by", "sara"];
    hubctl(bed, &args)
}
