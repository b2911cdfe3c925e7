//! What the real centre tells a hub, taken down, and altered as somebody could who has its machine,
//! its link certificate, or a key of his own.

use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use bytes::Bytes;
use mesh_core::node::MeshDomain;
use mesh_proto::wire::directory::v1::directory_service_client::DirectoryServiceClient;
use mesh_proto::wire::directory::v1::feed_event::Kind;
use mesh_proto::wire::directory::v1::{
    DirectorySignature, EntryBody, FeedEvent, FollowRequest, Snapshot, SnapshotBody,
};
use mesh_rt::server::feed_endpoint;
use mesh_rt::tls::{Connector, Identity, TcpDialer, Trust};
use prost::Message as _;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::bed::Bed;

/// One group of the feed.
pub type Told = Vec<FeedEvent>;

/// What the centre tells the hub of `economy` first: everything that it may have.
pub async fn record(bed: &Bed) -> Told {
    let (hub, centre) = (bed.node("hub.economy"), bed.node("hub.centre"));
    let issued = &hub.issued;
    let identity = Identity::load(&issued.chain_file, &issued.key_file).expect("a certificate");
    let trust = Trust::load(&issued.trust_file).expect("a trust file");
    let mesh = bed.nation.layout.mesh.clone();
    let uri = format!("https://{}/", mesh.dns_name(&centre.name)).parse().expect("a name");
    let connector =
        Connector::new(&identity, trust, centre.name.clone(), mesh).expect("it listens");
    let dialer = TcpDialer::new(centre.mesh.expect("it listens"), connector);
    let channel = feed_endpoint(uri).connect_with_connector(dialer).await.expect("a connection");
    let mut client = DirectoryServiceClient::new(channel);
    let answer = client.follow(FollowRequest { have: Vec::new() }).await.expect("a feed");
    let mut events = answer.into_inner();
    let mut told = Vec::new();
    loop {
        let event = events.message().await.expect("a feed").expect("it goes on");
        let is_heartbeat = matches!(event.kind, Some(Kind::Heartbeat(_)));
        told.push(event);
        if is_heartbeat {
            return told;
        }
    }
}

/// As it was told, with its heartbeat said again and again, as by somebody who has only that.
pub fn repeated(told: &Told) -> Told {
    let beat = told.last().cloned().into_iter();
    told.iter().cloned().chain(beat.clone()).chain(beat.clone()).chain(beat).collect()
}

/// A key, and the mesh in which it signs.
#[derive(Debug)]
pub struct Signer {
    pair: Ed25519KeyPair,
    mesh: MeshDomain,
}

impl Signer {
    /// The centre's own.
    pub fn genuine(bed: &Bed) -> Self {
        let layout = &bed.nation.layout;
        Self::load(&layout.directory_key.signing_key_file, layout.mesh.clone())
    }

    /// The centre's own, of an operator who uses one key for two meshes.
    pub fn of_another_mesh(bed: &Bed) -> Self {
        let mesh = MeshDomain::new("tr".parse().expect("an id"), "mesh.test").expect("a domain");
        Self { mesh, ..Self::genuine(bed) }
    }

    /// Nobody's.
    pub fn unknown(bed: &Bed) -> Self {
        Self {
            pair: Ed25519KeyPair::generate().expect("a key"),
            mesh: bed.nation.layout.mesh.clone(),
        }
    }

    fn load(file: &Path, mesh: MeshDomain) -> Self {
        let pem = std::fs::read(file).expect("the key is there");
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).expect("PKCS#8");
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
        Self { pair: pair.expect("a key of Ed25519"), mesh }
    }

    fn sign(&self, kind: &str, body: &[u8]) -> DirectorySignature {
        let (mesh, domain) = (&self.mesh.mesh, self.mesh.domain());
        let context = format!("mesh-directory-v1 {kind} {mesh} {domain}\n");
        let signature = self.pair.sign(&[context.as_bytes(), body].concat());
        DirectorySignature {
            key: Bytes::copy_from_slice(self.pair.public_key().as_ref()),
            signature: Bytes::copy_from_slice(signature.as_ref()),
        }
    }
}

/// The snapshots of `told`, one revision on, signed by `signer`.
pub fn renumbered(told: &Told, signer: &Signer) -> Told {
    altered(told, |snapshot| {
        let mut body = SnapshotBody::decode(&snapshot.body[..]).expect("a snapshot");
        body.mesh = signer.mesh.mesh.to_string();
        body.revision += 1;
        snapshot.body = body.encode_to_vec().into();
        snapshot.signature = Some(signer.sign("snapshot", &snapshot.body));
    })
}

/// The same, with one bit of each signature changed.
pub fn flipped(told: &Told, signer: &Signer) -> Told {
    altered(&renumbered(told, signer), |snapshot| {
        let signature = snapshot.signature.as_mut().expect("it is signed");
        let mut bytes = signature.signature.to_vec();
        bytes[7] ^= 1;
        signature.signature = bytes.into();
    })
}

/// Snapshots that are none, signed by `signer`.
pub fn garbage(told: &Told, signer: &Signer) -> Told {
    altered(told, |snapshot| {
        snapshot.body = Bytes::from_static(b"\xff\xff no snapshot");
        snapshot.signature = Some(signer.sign("snapshot", &snapshot.body));
    })
}

/// An entry that follows nothing that anybody has.
pub fn unlinked(revision: u64, signer: &Signer) -> Told {
    let body = EntryBody {
        scope: "nation".into(),
        epoch: 3,
        revision: revision + 1,
        previous_hash: Bytes::from_static(&[9; 32]),
        changes: Vec::new(),
        committed_at_unix_ms: 1,
    };
    let body = Bytes::from(body.encode_to_vec());
    let signature = Some(signer.sign("entry", &body));
    let entry = mesh_proto::wire::directory::v1::Entry { body, signature };
    vec![FeedEvent { kind: Some(Kind::Entry(entry)), more: false }]
}

fn altered(told: &Told, alter: impl Fn(&mut Snapshot)) -> Told {
    let mut told = told.clone();
    for event in &mut told {
        if let Some(Kind::Snapshot(snapshot)) = &mut event.kind {
            alter(snapshot);
        }
    }
    told.retain(|event| matches!(event.kind, Some(Kind::Snapshot(_))));
    if let Some(last) = told.last_mut() {
        last.more = false;
    }
    told
}
