//! Text from the network: names, addresses and paths.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use fuzz::{Dice, Shape, Target, values};
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::exchange::{Digest, ExchangeId};
use mesh_core::id::ID_BYTES_MAX;
use mesh_core::identifier::{
    ForeignNationalId, Iban, LegalId, Mobile, NationalId, PostalCode, ServiceCardCode, name_key,
    normal_text,
};
use mesh_core::node::{DNS_NAME_BYTES_MAX, MeshDomain, NodeName};
use mesh_core::operation::{Method, PATH_BYTES_MAX, PathTemplate, RequestPath};
use mesh_core::reason::{HopName, Reason};
use percent_encoding::percent_decode_str;

/// A type that reads its text by `FromStr`, and prints it.
fn parsed<V: Debug + Display + FromStr + PartialEq>(
    name: &'static str,
    value: fn(&mut Dice) -> V,
    check: fn(&V) -> Result<(), String>,
) -> Target<V> {
    Target {
        name,
        shape: Shape::Text,
        value,
        write: |value| Some(value.to_string().into_bytes()),
        // Bytes that are no UTF-8 become characters that are no ASCII.
        read: |bytes| String::from_utf8_lossy(bytes).parse().ok(),
        check,
    }
}

fn at_most(text: &str, bytes_max: usize) -> Result<(), String> {
    let length = text.len();
    if length <= bytes_max { Ok(()) } else { Err(format!("it is {length} bytes long")) }
}

/// Every part of an address can be a DNS label.
fn check_parts(address: &str, parts: usize) -> Result<(), String> {
    let found: Vec<&str> = address.split('/').collect();
    if found.len() != parts {
        return Err(format!("it has {} parts", found.len()));
    }
    let labels = found.iter().map(|part| part.split_once('.').map_or(*part, |(label, _)| label));
    let is_label = |label: &str| {
        let inner = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fits = (1..=ID_BYTES_MAX).contains(&label.len()) && label.bytes().all(inner);
        fits && !label.starts_with('-') && !label.ends_with('-')
    };
    labels
        .into_iter()
        .find(|label| !is_label(label))
        .map_or(Ok(()), |label| Err(format!("{label:?} is no DNS label")))
}

#[test]
fn service_address() {
    let check = |address: &ServiceAddress| {
        if !(1..=9999).contains(&address.major) {
            return Err(format!("its version is {}", address.major));
        }
        check_parts(&address.to_string(), 5)
    };
    parsed("service address", values::service, check).hold();
}

#[test]
fn system_address() {
    let check = |address: &SystemAddress| check_parts(&address.to_string(), 4);
    parsed("system address", values::system, check).hold();
}

/// Whatever a server makes of it, by decoding it once or twice, a path names what it seems to.
fn check_path(path: &str) -> Result<(), String> {
    at_most(path, PATH_BYTES_MAX)?;
    let slashes = path.matches('/').count();
    let mut decoded = path.as_bytes().to_vec();
    for times in 0..3 {
        let is_dots = |segment: &[u8]| matches!(segment, b"." | b"..");
        let splits = |byte: &u8| matches!(byte, b'/' | b'\\');
        if decoded.split(splits).any(is_dots) {
            return Err(format!("decoded {times} times it climbs"));
        }
        if decoded.iter().filter(|byte| splits(byte)).count() != slashes {
            return Err(format!("decoded {times} times it has other segments"));
        }
        if decoded.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
            return Err(format!("decoded {times} times it has a control character"));
        }
        let text = String::from_utf8_lossy(&decoded).into_owned();
        decoded = percent_decode_str(&text).collect();
    }
    Ok(())
}

#[test]
fn request_path() {
    let target: Target<String> = Target {
        name: "request path",
        shape: Shape::Text,
        value: values::path,
        write: |path| Some(path.clone().into_bytes()),
        read: |bytes| {
            let text = String::from_utf8_lossy(bytes);
            RequestPath::new(&text).ok().map(|path| path.as_str().to_owned())
        },
        check: |path| check_path(path),
    };
    target.hold();
}

#[test]
fn path_template() {
    let check = |template: &PathTemplate| {
        let text = template.to_string();
        // A path with something in the place of each parameter is a path, and matches.
        let filled: String = text
            .split_inclusive('/')
            .map(|part| {
                let name = part.trim_end_matches('/');
                if name.starts_with('{') { part.replace(name, "x") } else { part.to_owned() }
            })
            .collect();
        check_path(&filled)?;
        let path = RequestPath::new(&filled).map_err(|why| format!("{filled:?}: {why}"))?;
        if template.matches(path) { Ok(()) } else { Err(format!("it does not match {filled:?}")) }
    };
    parsed("path template", values::template, check).hold();
}

#[test]
fn method() {
    let target: Target<Method> = Target {
        name: "method",
        shape: Shape::Text,
        value: values::method,
        write: |method| Some(method.name().as_bytes().to_vec()),
        read: |bytes| String::from_utf8_lossy(bytes).parse().ok(),
        check: |_| Ok(()),
    };
    target.hold();
}

fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

#[test]
fn node_name() {
    let target: Target<NodeName> = Target {
        name: "node name",
        shape: Shape::Text,
        value: values::node,
        write: |node| Some(mesh().dns_name(node).into_bytes()),
        read: |bytes| mesh().parse_node(&String::from_utf8_lossy(bytes)).ok(),
        check: |node| {
            let name = mesh().dns_name(node);
            at_most(&name, DNS_NAME_BYTES_MAX)?;
            // Its authority is the one for its subtree, and reads as that.
            let subtree = mesh().subtree(&node.subtree());
            let below = name.strip_suffix(&subtree).is_some_and(|rest| rest.ends_with('.'));
            if below && mesh().parse_subtree(&subtree) == Ok(node.subtree()) {
                Ok(())
            } else {
                Err(format!("{subtree:?} is not above it"))
            }
        },
    };
    target.hold();
}

#[test]
fn hop_name() {
    parsed("hop name", values::hop, |hop: &HopName| at_most(hop.as_str(), DNS_NAME_BYTES_MAX))
        .hold();
}

#[test]
fn digest() {
    parsed("digest", values::digest, |_: &Digest| Ok(())).hold();
}

#[test]
fn reason() {
    parsed("reason", values::reason, |_: &Reason| Ok(())).hold();
}

#[test]
fn exchange_id() {
    let target: Target<ExchangeId> = Target {
        name: "exchange id",
        shape: Shape::Bytes,
        value: values::exchange_id,
        write: |id| Some(id.as_bytes().to_vec()),
        read: |bytes| ExchangeId::from_bytes(bytes.try_into().ok()?),
        check: |id| {
            let text = id.to_string();
            let is_version_7 = text.len() == 36 && text.as_bytes()[14] == b'7';
            if is_version_7 && id.unix_ms() < 1 << 48 { Ok(()) } else { Err(text) }
        },
    };
    target.hold();
}

/// An identifier that someone typed: whatever is accepted is read as its canonical text is.
fn identifier<V: Debug + FromStr + Into<String> + Clone + PartialEq>(
    name: &'static str,
    value: fn(&mut Dice) -> V,
    check: fn(&V) -> Result<(), String>,
) -> Target<V> {
    Target {
        name,
        shape: Shape::Text,
        value,
        write: |value| Some(values::typed(&value.clone().into()).into_bytes()),
        read: |bytes| String::from_utf8_lossy(bytes).parse().ok(),
        check,
    }
}

/// `digits` ASCII digits after `start`.
fn check_digits(text: &str, start: &str, digits: usize) -> Result<(), String> {
    let rest = text.strip_prefix(start);
    let fits = |rest: &str| rest.len() == digits && rest.bytes().all(|b| b.is_ascii_digit());
    if rest.is_some_and(fits) { Ok(()) } else { Err("it is not canonical".into()) }
}

#[test]
fn national_id() {
    let check = |id: &NationalId| check_digits(id.as_str(), "", 10);
    identifier("national id", values::national_id, check).hold();
}

#[test]
fn legal_id() {
    let check = |id: &LegalId| check_digits(id.as_str(), "", 11);
    identifier("legal id", values::legal_id, check).hold();
}

#[test]
fn postal_code() {
    let check = |code: &PostalCode| check_digits(code.as_str(), "", 10);
    identifier("postal code", values::postal_code, check).hold();
}

#[test]
fn mobile() {
    let check = |mobile: &Mobile| check_digits(mobile.as_str(), "+989", 9);
    identifier("mobile", values::mobile, check).hold();
}

#[test]
fn iban() {
    let check = |iban: &Iban| check_digits(iban.as_str(), "IR", 24);
    identifier("iban", values::iban, check).hold();
}

#[test]
fn foreign_national_id() {
    let check = |id: &ForeignNationalId| check_digits(id.as_str(), "", 12);
    identifier("foreign national id", values::foreign_national_id, check).hold();
}

#[test]
fn service_card_code() {
    let check = |code: &ServiceCardCode| check_digits(code.as_str(), "", 11);
    identifier("service card code", values::service_card_code, check).hold();
}

/// Names are never refused: only text that is no name any more, because nothing is left of it.
#[test]
fn name() {
    let target: Target<String> = Target {
        name: "name",
        shape: Shape::Text,
        value: |dice| name_key(&values::text(dice, 64)),
        write: |key| Some(key.clone().into_bytes()),
        read: |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let key = name_key(&text);
            let same = name_key(&normal_text(&text)) == key;
            assert!(same && key.len() <= text.len(), "a key is normal and no longer than its text");
            (!key.is_empty() || text.is_empty()).then_some(key)
        },
        check: |key| {
            let foreign = key.chars().find(|c| c.is_whitespace() || matches!(c, 'ي' | 'ك' | '۰'));
            foreign.map_or(Ok(()), |found| Err(format!("{found:?} is left in it")))
        },
    };
    target.hold();
}
