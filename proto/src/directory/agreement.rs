//! Agreements: the exact bytes of terms to values and back, and the acts of the parties.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mesh_core::agreement::terms::{Draft, Quota, Sla, Supersedes, TERMS_BYTES_MAX, Terms};
use mesh_core::agreement::{
    ACTS_MAX, Act, Agreement, AgreementId, CHAIN_CERTIFICATES_MAX, Deed, Party, REASON_BYTES_MAX,
};
use mesh_core::directory::Attribute;
use mesh_core::exchange::Digest;
use prost::Message;

use crate::malformed::{Malformed, at_most, digest, exactly, parse};
use crate::wire::directory::v1 as wire;

/// Bytes of one certificate in the chain of an act.
const CERTIFICATE_BYTES_MAX: usize = 2 * 1024;

/// Bytes of an agreement in a file: terms and acts, each as large as they can be.
pub const AGREEMENT_BYTES_MAX: usize = 64 * 1024;

/// Reads an agreement, whole or not at all. Signatures are not looked at.
pub fn read_agreement(message: &wire::Agreement) -> Result<Agreement, Malformed> {
    let mut agreement = read_terms(&message.terms)?;
    at_most("agreement.acts", message.acts.len(), ACTS_MAX)?;
    agreement.acts = message.acts.iter().map(read_act).collect::<Result<_, _>>()?;
    Ok(agreement)
}

/// The message that [`read_agreement`] reads as `agreement`.
pub fn write_agreement(agreement: &Agreement) -> wire::Agreement {
    wire::Agreement {
        terms: Bytes::copy_from_slice(agreement.terms_bytes()),
        acts: agreement.acts.iter().map(write_act).collect(),
    }
}

/// Reads an agreement as a file holds it: the encoding of `Agreement`, and nothing besides.
pub fn read_agreement_file(bytes: &[u8]) -> Result<Agreement, Malformed> {
    at_most("agreement", bytes.len(), AGREEMENT_BYTES_MAX)?;
    let message = wire::Agreement::decode(bytes).map_err(|why| Malformed::new("agreement", why))?;
    let agreement = read_agreement(&message)?;
    canonical("agreement", &write_agreement_file(&agreement), bytes)?;
    Ok(agreement)
}

/// The bytes that [`read_agreement_file`] reads as `agreement`.
pub fn write_agreement_file(agreement: &Agreement) -> Vec<u8> {
    write_agreement(agreement).encode_to_vec()
}

/// Reads the exact bytes of terms as a proposal that nobody has signed. Bytes that [`write_terms`]
/// would not have written are refused: what a reader is shown must be all that was signed.
pub fn read_terms(bytes: &[u8]) -> Result<Agreement, Malformed> {
    at_most("terms", bytes.len(), TERMS_BYTES_MAX)?;
    let message =
        wire::AgreementTerms::decode(bytes).map_err(|why| Malformed::new("terms", why))?;
    let terms = Terms::new(read_draft(&message)?)
        .map_err(|wrong| Malformed::new(wrong.field, wrong.why))?;
    canonical("terms", &encode_terms(&terms), bytes)?;
    Ok(Agreement::proposed(id(bytes), bytes, terms))
}

/// A proposal with these terms, whose encoding is within bounds.
pub fn write_terms(terms: Terms) -> Result<Agreement, Malformed> {
    let bytes = encode_terms(&terms);
    at_most("terms", bytes.len(), TERMS_BYTES_MAX)?;
    Ok(Agreement::proposed(id(&bytes), bytes, terms))
}

fn id(bytes: &[u8]) -> AgreementId {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    AgreementId(Digest(digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")))
}

fn canonical(field: &'static str, again: &[u8], bytes: &[u8]) -> Result<(), Malformed> {
    if again == bytes {
        return Ok(());
    }
    Err(Malformed::new(field, "has fields that are unknown, out of order or there twice"))
}

fn read_draft(terms: &wire::AgreementTerms) -> Result<Draft, Malformed> {
    let operations = terms.operations.iter().map(|id| parse("terms.operations", id));
    let mut purposes = BTreeMap::new();
    for wire::Purpose { id, legal_basis } in &terms.purposes {
        purposes.insert(parse("terms.purposes", id)?, legal_basis.clone());
    }
    let fields = terms.granted_fields.iter().map(|field| parse("terms.granted_fields", field));
    let attributes = terms.attributes.iter().map(|number| read_attribute(*number));
    let quota = terms.quota.as_ref().ok_or(Malformed::missing("terms.quota"))?;
    let supersedes = if terms.supersedes.is_empty() {
        None
    } else {
        let agreement = AgreementId(digest("terms.supersedes", &terms.supersedes)?);
        Some(Supersedes { agreement, grace_ms: terms.supersede_grace_ms })
    };
    Ok(Draft {
        consumer: parse("terms.consumer", &terms.consumer)?,
        service: parse("terms.service", &terms.service)?,
        title: terms.title.clone(),
        attributes: attributes.collect::<Result<_, _>>()?,
        operations: operations.collect::<Result<_, _>>()?,
        purposes,
        granted_fields: fields.collect::<Result<_, _>>()?,
        quota: Quota { per_second: quota.per_second, burst: quota.burst, per_day: quota.per_day },
        sla: terms.sla.as_ref().map(|sla| Sla {
            availability_millipercent: sla.availability_millipercent,
            latency_p95_ms: sla.latency_p95_ms,
        }),
        valid_from_unix_ms: terms.valid_from_unix_ms,
        valid_until_unix_ms: terms.valid_until_unix_ms,
        retention_days: terms.retention_days,
        sensitive: terms.sensitive,
        supersedes,
    })
}

fn encode_terms(terms: &Terms) -> Vec<u8> {
    let purposes = terms
        .purposes
        .iter()
        .map(|(id, basis)| wire::Purpose { id: id.to_string(), legal_basis: basis.clone() });
    let Quota { per_second, burst, per_day } = terms.quota;
    let supersedes = terms
        .supersedes
        .map(|Supersedes { agreement: AgreementId(digest), .. }| Bytes::copy_from_slice(&digest.0));
    let message = wire::AgreementTerms {
        consumer: terms.consumer.to_string(),
        service: terms.service.to_string(),
        operations: terms.operations.iter().map(ToString::to_string).collect(),
        purposes: purposes.collect(),
        granted_fields: terms.granted_fields.iter().map(ToString::to_string).collect(),
        quota: Some(wire::Quota { per_second, burst, per_day }),
        sla: terms.sla.map(|Sla { availability_millipercent, latency_p95_ms }| wire::Sla {
            availability_millipercent,
            latency_p95_ms,
        }),
        valid_from_unix_ms: terms.valid_from_unix_ms,
        valid_until_unix_ms: terms.valid_until_unix_ms,
        retention_days: terms.retention_days,
        sensitive: terms.sensitive,
        supersedes: supersedes.unwrap_or_default(),
        supersede_grace_ms: terms.supersedes.map_or(0, |old| old.grace_ms),
        title: terms.title.clone(),
        attributes: terms.attributes.iter().map(|given| write_attribute(*given)).collect(),
    };
    message.encode_to_vec()
}

fn read_act(act: &wire::AgreementAct) -> Result<Act, Malformed> {
    at_most("act.chain", act.chain.len(), CHAIN_CERTIFICATES_MAX)?;
    for certificate in &act.chain {
        at_most("act.chain", certificate.len(), CERTIFICATE_BYTES_MAX)?;
    }
    at_most("act.reason", act.reason.len(), REASON_BYTES_MAX)?;
    if act.reason.chars().any(char::is_control) {
        return Err(Malformed::new("act.reason", "has a control character"));
    }
    Ok(Act {
        deed: match wire::Deed::try_from(act.deed) {
            Ok(wire::Deed::Sign) => Deed::Sign,
            Ok(wire::Deed::Reject) => Deed::Reject,
            Ok(wire::Deed::Suspend) => Deed::Suspend,
            Ok(wire::Deed::Resume) => Deed::Resume,
            Ok(wire::Deed::Revoke) => Deed::Revoke,
            Ok(wire::Deed::Unspecified) | Err(_) => {
                return Err(Malformed::new("act.deed", format!("{} is no deed", act.deed)));
            }
        },
        party: match wire::Party::try_from(act.party) {
            Ok(wire::Party::Consumer) => Party::Consumer,
            Ok(wire::Party::Provider) => Party::Provider,
            Ok(wire::Party::Secretariat) => Party::Secretariat,
            Ok(wire::Party::Centre) => Party::Centre,
            Ok(wire::Party::Unspecified) | Err(_) => {
                return Err(Malformed::new("act.party", format!("{} is no party", act.party)));
            }
        },
        at_unix_ms: act.at_unix_ms,
        reason: act.reason.as_str().into(),
        chain: act.chain.iter().map(|certificate| Arc::from(&certificate[..])).collect(),
        signature: exactly("act.signature", &act.signature)?,
    })
}

fn write_act(act: &Act) -> wire::AgreementAct {
    let deed = match act.deed {
        Deed::Sign => wire::Deed::Sign,
        Deed::Reject => wire::Deed::Reject,
        Deed::Suspend => wire::Deed::Suspend,
        Deed::Resume => wire::Deed::Resume,
        Deed::Revoke => wire::Deed::Revoke,
    };
    let party = match act.party {
        Party::Consumer => wire::Party::Consumer,
        Party::Provider => wire::Party::Provider,
        Party::Secretariat => wire::Party::Secretariat,
        Party::Centre => wire::Party::Centre,
    };
    wire::AgreementAct {
        deed: deed.into(),
        party: party.into(),
        at_unix_ms: act.at_unix_ms,
        reason: act.reason.to_string(),
        chain: act.chain.iter().map(|certificate| Bytes::copy_from_slice(certificate)).collect(),
        signature: Bytes::copy_from_slice(&act.signature),
    }
}

fn read_attribute(number: i32) -> Result<Attribute, Malformed> {
    match wire::Attribute::try_from(number) {
        Ok(wire::Attribute::BaseDatabase) => Ok(Attribute::BaseDatabase),
        Ok(wire::Attribute::Portal) => Ok(Attribute::Portal),
        Ok(wire::Attribute::Counter) => Ok(Attribute::Counter),
        Ok(wire::Attribute::Unspecified) | Err(_) => {
            Err(Malformed::new("terms.attributes", format!("{number} is no attribute")))
        }
    }
}

fn write_attribute(attribute: Attribute) -> i32 {
    match attribute {
        Attribute::BaseDatabase => wire::Attribute::BaseDatabase.into(),
        Attribute::Portal => wire::Attribute::Portal.into(),
        Attribute::Counter => wire::Attribute::Counter.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            title: "بدهی مالیاتی".into(),
            consumer: "ir/gov/licensing/desk".parse().unwrap(),
            attributes: [Attribute::Portal, Attribute::Counter].into(),
            service: "ir/gov/tax/debts/debt.v1".parse().unwrap(),
            operations: ["get".parse().unwrap(), "list".parse().unwrap()].into(),
            purposes: [
                ("audit".parse().unwrap(), "decree 12".into()),
                ("licence".parse().unwrap(), "act 7".into()),
            ]
            .into(),
            granted_fields: ["/debt".parse().unwrap(), "/name".parse().unwrap()].into(),
            quota: Quota { per_second: 5, burst: 0, per_day: 9 },
            sla: Some(Sla { availability_millipercent: 99_900, latency_p95_ms: 300 }),
            valid_from_unix_ms: 1_795_000_000_000,
            valid_until_unix_ms: 1_796_000_000_000,
            retention_days: 0,
            sensitive: true,
            supersedes: Some(Supersedes {
                agreement: AgreementId(Digest([7; 32])),
                grace_ms: 1_000,
            }),
        }
    }

    fn act() -> Act {
        Act {
            deed: Deed::Suspend,
            party: Party::Centre,
            at_unix_ms: 1_795_000_000_001,
            reason: "نشت داده".into(),
            chain: vec![Arc::from(&[1, 2, 3][..])],
            signature: [9; 64],
        }
    }

    #[test]
    fn an_agreement_reads_as_it_was_written_and_is_named_by_its_bytes() {
        let mut agreement = write_terms(Terms::new(draft()).unwrap()).unwrap();
        assert_eq!(agreement.id(), id(agreement.terms_bytes()));
        agreement.acts.push(act());
        assert_eq!(read_agreement(&write_agreement(&agreement)).unwrap(), agreement);
        let file = write_agreement_file(&agreement);
        assert_eq!(read_agreement_file(&file).unwrap(), agreement);
        let bare = Draft { supersedes: None, sla: None, attributes: [].into(), ..draft() };
        let bare = write_terms(Terms::new(bare).unwrap()).unwrap();
        assert_eq!(read_terms(bare.terms_bytes()).unwrap(), bare);
        assert_ne!(bare.id(), agreement.id());
    }

    #[test]
    fn terms_that_could_be_read_in_two_ways_are_refused() {
        let whole = write_terms(Terms::new(draft()).unwrap()).unwrap();
        type Wrong = fn(&mut wire::AgreementTerms);
        let cases: &[(&str, Wrong)] = &[
            ("out of order", |t| t.operations.reverse()),
            ("there twice", |t| t.operations.push("list".into())),
            ("there twice", |t| t.purposes.push(t.purposes[0].clone())),
            ("out of order", |t| t.granted_fields.reverse()),
            ("out of order", |t| t.attributes.reverse()),
            ("unknown", |t| t.supersedes.clear()),
            ("terms.quota: is missing", |t| t.quota = None),
            ("terms.supersedes: is 3 bytes long", |t| t.supersedes = Bytes::from_static(&[1; 3])),
            ("terms.attributes: 0 is no attribute", |t| t.attributes[0] = 0),
            ("operations: has 0 entries", |t| t.operations.clear()),
            ("terms: is ", |t| {
                let field = |index| format!("/{}{index}", "a".repeat(200));
                t.granted_fields = (10..40).map(field).collect();
            }),
        ];
        for (want, change) in cases {
            let mut message = wire::AgreementTerms::decode(whole.terms_bytes()).unwrap();
            change(&mut message);
            let error = read_terms(&message.encode_to_vec()).expect_err(want).to_string();
            assert!(error.contains(want), "{error:?} does not say {want:?}");
        }
        // A field that this version does not know, and a default that is spelled out.
        for more in [&[0xa0, 0x06, 0x01][..], &[0x50, 0x00]] {
            let bytes = [whole.terms_bytes(), more].concat();
            assert!(read_terms(&bytes).unwrap_err().to_string().contains("unknown"));
        }
    }

    #[test]
    fn acts_that_are_not_whole_are_refused() {
        let mut whole = write_terms(Terms::new(draft()).unwrap()).unwrap();
        whole.acts.push(act());
        type Wrong = fn(&mut wire::Agreement);
        let cases: &[(&str, Wrong)] = &[
            ("act.deed: 0 is no deed", |a| a.acts[0].deed = 0),
            ("act.party: 9 is no party", |a| a.acts[0].party = 9),
            ("act.signature: is 0 bytes", |a| a.acts[0].signature.clear()),
            ("act.reason: has a control", |a| a.acts[0].reason = "a\nparty consumer".into()),
            ("act.reason: is 513 long", |a| a.acts[0].reason = "a".repeat(513)),
            ("act.chain: is 3 long", |a| a.acts[0].chain = vec![Bytes::new(); 3]),
            ("act.chain: is 2049 long", |a| a.acts[0].chain[0] = vec![0; 2049].into()),
            ("agreement.acts: is 11 long", |a| a.acts = vec![a.acts[0].clone(); 11]),
        ];
        for (want, change) in cases {
            let mut message = write_agreement(&whole);
            change(&mut message);
            let error = read_agreement(&message).expect_err(want).to_string();
            assert!(error.contains(want), "{error:?} does not say {want:?}");
        }
    }
}
