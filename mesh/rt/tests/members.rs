//! Signatures of officers: which are believed, when, and what the registry takes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh_certs::{LocalPki, OfficerError, OfficerKey};
use mesh_core::agreement::terms::{Draft, Quota, Terms};
use mesh_core::agreement::{Agreement, Deed, Party};
use mesh_core::directory::change::{Change, Object};
use mesh_core::directory::{Directory, Objects};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::{MeshDomain, NodeName, Subtree};
use mesh_core::time::UnixMs;
use mesh_proto::directory::write_terms;
use mesh_rt::members::Members;

const DAY_MS: u64 = 24 * 3600 * 1_000;

const CONSUMER: &str = "o-1.officers.tax.gov.members.mesh.ir";
const PROVIDER: &str = "o-2.officers.care.gov.members.mesh.ir";
const SECRETARIAT: &str = "o-3.officers.secretariat.members.mesh.ir";
const CENTRE: &str = "o-4.officers.centre.members.mesh.ir";

/// A PKI, the officers of four offices, and the trust of whoever reads what they signed.
struct Offices {
    folder: tempfile::TempDir,
    mesh: MeshDomain,
    pki: LocalPki,
    members: Members,
    now: UnixMs,
}

impl Offices {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let now = SystemTime::now();
        let pki = LocalPki::create(&folder.path().join("pki"), &mesh, [], now).unwrap();
        for name in [CONSUMER, PROVIDER, SECRETARIAT, CENTRE] {
            let officer = mesh.parse_officer(name).unwrap();
            pki.issue_officer(&officer, &folder.path().join(name), now).unwrap();
        }
        let members = Members::load(&mesh, &pki.ca_file(&Subtree::Members)).unwrap();
        let now = UnixMs(now.duration_since(UNIX_EPOCH).unwrap().as_millis() as u64);
        Self { folder, mesh, pki, members, now }
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key(&self, name: &str) -> OfficerKey {
        OfficerKey::load(&self.mesh.mesh, &self.dir(name)).unwrap()
    }

    fn proposed(&self) -> Agreement {
        let draft = Draft {
            title: "cards for the tax desk".into(),
            consumer: "ir/gov/tax/desk".parse().unwrap(),
            attributes: [].into(),
            service: "ir/gov/care/cards/card.v1".parse().unwrap(),
            operations: ["get".parse().unwrap()].into(),
            purposes: [("licence".parse().unwrap(), "act 7".into())].into(),
            granted_fields: ["".parse().unwrap()].into(),
            quota: Quota { per_second: 10, burst: 10, per_day: 1_000 },
            sla: None,
            valid_from_unix_ms: self.now.0,
            valid_until_unix_ms: self.now.0 + 300 * DAY_MS,
            retention_days: 1,
            sensitive: false,
            supersedes: None,
        };
        write_terms(Terms::new(draft).unwrap()).unwrap()
    }

    fn signed(&self) -> Agreement {
        let mut agreement = self.proposed();
        for (name, party) in [
            (CONSUMER, Party::Consumer),
            (PROVIDER, Party::Provider),
            (SECRETARIAT, Party::Secretariat),
        ] {
            let key = self.key(name);
            let act = key.sign(&agreement, (Deed::Sign, party), "", self.now.0).unwrap();
            agreement.acts.push(act);
        }
        agreement
    }

    fn directory(&self, agreements: Vec<Agreement>) -> Directory {
        let source = r#"
            [[agencies]]
            address = "ir/gov/tax"
            name_fa = ""
            name_en = ""
            [[agencies]]
            address = "ir/gov/care"
            name_fa = ""
            name_en = ""
            [[systems]]
            address = "ir/gov/tax/desk"
            [[systems]]
            address = "ir/gov/care/cards"
            [[services]]
            address = "ir/gov/care/cards/card.v1"
            operations = [{ id = "get", kind = "inquiry", method = "GET", path = "/{id}" }]
        "#;
        let objects = Objects { agreements, ..toml::from_str(source).unwrap() };
        Directory::build(self.mesh.clone(), DirectoryPosition::default(), objects).unwrap()
    }

    /// What the registry says when `new` takes the place of `old`.
    fn judge(&self, old: Option<Agreement>, new: &Agreement) -> String {
        let directory = self.directory(old.into_iter().collect());
        let changes = [Change::Put(Object::Agreement(new.clone()))];
        match self.members.judge(&directory, &changes, self.now) {
            Ok(()) => "taken".into(),
            Err(why) => why.to_string(),
        }
    }
}

#[test]
fn three_signatures_by_the_right_officers_are_believed_for_as_long_as_certificates_were_valid() {
    let offices = Offices::new();
    let agreement = offices.signed();
    offices.members.check_all(&agreement).unwrap();
    let act = &agreement.acts[0];
    let officer = offices.members.check(&agreement, act, offices.now).unwrap();
    assert_eq!(offices.mesh.officer_dns_name(&officer), CONSUMER);
    for days in [-1_i64, 181] {
        let at = UnixMs(offices.now.0.saturating_add_signed(days * DAY_MS as i64));
        let error = offices.members.check(&agreement, act, at).unwrap_err().to_string();
        assert!(error.contains("valid at"), "{error}");
    }
    assert_eq!(offices.judge(None, &agreement), "taken");
    assert_eq!(offices.judge(Some(offices.proposed()), &agreement), "taken");
}

#[test]
fn nothing_that_was_signed_can_be_changed() {
    let offices = Offices::new();
    let signed = offices.signed();
    let mut cases: Vec<(&str, Agreement)> = Vec::new();
    let mut with = |want, change: &dyn Fn(&mut Agreement)| {
        let mut changed = signed.clone();
        change(&mut changed);
        cases.push((want, changed));
    };
    with("the signature is not one of", &|it| it.acts[0].signature[7] ^= 1);
    with("the signature is not one of", &|it| it.acts[0].at_unix_ms += 1);
    with("the signature is not one of", &|it| it.acts[0].reason = "sold".into());
    with("who may not sign for the provider", &|it| it.acts[0].party = Party::Provider);
    with("the act has no certificate", &|it| it.acts[0].chain.clear());
    with("the signature is not one of", &|it| it.acts[0].chain = it.acts[0].chain.clone());
    cases.pop();
    let mut moved = offices.proposed();
    let draft = Draft { retention_days: 36_525, ..(**moved.terms()).clone() };
    moved = write_terms(Terms::new(draft).unwrap()).unwrap();
    moved.acts = signed.acts.clone();
    cases.push(("the signature is not one of", moved));
    for (want, changed) in cases {
        let error = offices.members.check_all(&changed).expect_err(want).to_string();
        assert!(error.contains(want), "{error:?} does not say {want:?}");
    }
}

#[test]
fn nobody_signs_for_another_office() {
    let offices = Offices::new();
    let agreement = offices.proposed();
    let refused = |name: &str, party| {
        let signed = offices.key(name).sign(&agreement, (Deed::Sign, party), "", offices.now.0);
        matches!(signed, Err(OfficerError::Office { .. }))
    };
    assert!(refused(CONSUMER, Party::Provider) && refused(CONSUMER, Party::Secretariat));
    assert!(refused(PROVIDER, Party::Consumer) && refused(SECRETARIAT, Party::Centre));
    assert!(refused(CENTRE, Party::Consumer));
}

#[test]
fn certificates_of_other_kinds_and_of_other_authorities_sign_nothing() {
    let offices = Offices::new();
    let now = SystemTime::now();
    let sign_with = |chain_of: &Path| {
        let key = offices.key(CONSUMER);
        let mut agreement = offices.proposed();
        let act = (Deed::Sign, Party::Consumer);
        let mut act = key.sign(&agreement, act, "", offices.now.0).unwrap();
        let pem = std::fs::read(chain_of).unwrap();
        let der = rustls_pki_types::pem::PemObject::from_pem_slice(&pem);
        let der: rustls_pki_types::CertificateDer<'_> = der.unwrap();
        act.chain = vec![std::sync::Arc::from(&der[..])];
        agreement.acts.push(act);
        offices.members.check_all(&agreement).unwrap_err().to_string()
    };
    // An agency's member key, a hub's link key, and an officer whom somebody else certified.
    let member = offices.dir("member");
    offices.pki.issue_member(&"ir/gov/tax".parse().unwrap(), &member, now).unwrap();
    let error = sign_with(&member.join("chain.pem"));
    assert!(error.contains("RequiredEkuNotFound"), "{error}");
    let operator: NodeName = offices.mesh.parse_node("sara.operators.mesh.ir").unwrap();
    let link = offices.pki.issue(&operator, &offices.dir("operator"), now).unwrap();
    let error = sign_with(&link.chain_file);
    assert!(error.contains("RequiredEkuNotFound") || error.contains("UnknownIssuer"), "{error}");
    let other = LocalPki::create(&offices.dir("other"), &offices.mesh, [], now).unwrap();
    let officer = offices.mesh.parse_officer(CONSUMER).unwrap();
    let foreign = other.issue_officer(&officer, &offices.dir("foreign"), now).unwrap();
    let error = sign_with(&foreign.chain_file);
    assert!(error.contains("InvalidSignature") || error.contains("UnknownIssuer"), "{error}");
}

#[test]
fn the_registry_takes_signed_steps_only() {
    let offices = Offices::new();
    let signed = offices.signed();
    let act = |deed, party, name: &str, at| {
        offices.key(name).sign(&signed, (deed, party), "a leak", at).unwrap()
    };
    let after = |act| {
        let mut after = signed.clone();
        after.acts.push(act);
        after
    };
    let at = offices.now.0 + 1;
    let suspended = after(act(Deed::Suspend, Party::Centre, CENTRE, at));
    assert_eq!(offices.judge(Some(signed.clone()), &suspended), "taken");
    let mut forged = suspended.clone();
    forged.acts[3].signature[0] ^= 1;
    let said = offices.judge(Some(signed.clone()), &forged);
    assert!(said.contains("the centre does not suspend it: the signature is not one"), "{said}");
    let rejected = after(act(Deed::Reject, Party::Provider, PROVIDER, at));
    let said = offices.judge(Some(signed.clone()), &rejected);
    assert!(said.contains("nobody can reject it: it is active until"), "{said}");
    let said = offices.judge(Some(suspended), &signed);
    assert!(said.contains("acts that were there are missing"), "{said}");

    // A certificate that was valid when it is said to have been used, and is not valid any more.
    let late = UnixMs(offices.now.0 + 181 * DAY_MS);
    let directory = offices.directory(Vec::new());
    let changes = [Change::Put(Object::Agreement(signed))];
    let said = offices.members.judge(&directory, &changes, late).unwrap_err().to_string();
    assert!(said.contains("valid at"), "{said}");
}

#[test]
fn an_officers_own_key_is_certified_by_its_request() {
    let offices = Offices::new();
    let dir = offices.dir("own");
    let request = mesh_certs::officer::request(&dir).unwrap();
    let officer = offices.mesh.parse_officer(PROVIDER).unwrap();
    let (pki, chain) = (offices.dir("pki"), dir.join("chain.pem"));
    // The authority of members needs nothing of the others.
    for other in ["root.key", "operators", "centre", "edge"] {
        let moved = offices.dir("moved").join(other);
        std::fs::create_dir_all(offices.dir("moved")).unwrap();
        std::fs::rename(pki.join(other), moved).unwrap();
    }
    mesh_certs::officer::certify(&pki, &officer, &request.request_file, &chain).unwrap();
    let key = OfficerKey::load(&offices.mesh.mesh, &dir).unwrap();
    let mut agreement = offices.proposed();
    let later = offices.now.0 + Duration::from_secs(1).as_millis() as u64;
    let act = key.sign(&agreement, (Deed::Sign, Party::Provider), "", later).unwrap();
    agreement.acts.push(act);
    offices.members.check_all(&agreement).unwrap();
}
