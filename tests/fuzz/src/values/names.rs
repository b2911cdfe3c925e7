//! Names, addresses, paths and texts.

use mesh_core::address::{AgencyAddress, ServiceAddress, SystemAddress};
use mesh_core::exchange::{Digest, ExchangeId};
use mesh_core::id::{ClusterId, ID_BYTES_MAX};
use mesh_core::node::{DNS_NAME_BYTES_MAX, Home, MeshDomain, NodeName};
use mesh_core::operation::{Method, PATH_BYTES_MAX, PathTemplate};
use mesh_core::reason::{HopName, Reason};

use crate::Dice;

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const WORD: &[u8] = b"abcXYZ0189_";
const UNRESERVED: &[u8] = b"abcXYZ0189-_~!$&'()*+,=:@";
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Characters of one to four bytes, and some that no terminal shows.
const CHARACTERS: [char; 12] =
    ['a', ' ', '/', '%', '\0', '\n', '\u{7f}', 'س', 'ی', '\u{202e}', '文', '🜁'];

pub(super) fn characters(dice: &mut Dice, length: usize, from: &[u8]) -> String {
    (0..length).map(|_| char::from(*dice.pick(from))).collect()
}

/// A DNS label in lower case.
pub(super) fn label(dice: &mut Dice) -> String {
    let length = 1 + dice.length(ID_BYTES_MAX - 1);
    let mut label = characters(dice, length, LOWER);
    if 2 < length && dice.one_in(2) {
        let inner = 1 + dice.below(length - 2);
        label.replace_range(inner..=inner, "-");
    }
    label
}

/// A letter, then letters, digits and `_`.
pub(super) fn word(dice: &mut Dice) -> String {
    let length = dice.length(ID_BYTES_MAX - 1);
    format!("g{}", characters(dice, length, WORD))
}

/// Any text of so many bytes at most.
pub fn text(dice: &mut Dice, bytes_max: usize) -> String {
    let length = dice.length(bytes_max);
    let mut text = String::new();
    while let next = *dice.pick(&CHARACTERS)
        && text.len() + next.len_utf8() <= length
    {
        text.push(next);
    }
    text
}

/// Printable ASCII of one to so many bytes, without spaces.
pub(super) fn graphic(dice: &mut Dice, bytes_max: usize) -> String {
    let length = 1 + dice.length(bytes_max - 1);
    (0..length).map(|_| char::from(dice.within(0x21..=0x7e) as u8)).collect()
}

pub(super) fn agency(dice: &mut Dice, mesh: &str) -> AgencyAddress {
    parsed(&format!("{mesh}/{}/{}", label(dice), label(dice)))
}

pub fn system(dice: &mut Dice) -> SystemAddress {
    let mesh = label(dice);
    SystemAddress { agency: agency(dice, &mesh), system: parsed(&label(dice)) }
}

pub fn service(dice: &mut Dice) -> ServiceAddress {
    let system = system(dice);
    service_of(dice, system)
}

pub(super) fn service_of(dice: &mut Dice, system: SystemAddress) -> ServiceAddress {
    ServiceAddress { system, service: parsed(&label(dice)), major: dice.within(1..=9999) as u16 }
}

pub(super) fn mesh() -> MeshDomain {
    MeshDomain::new(parsed("ir"), "mesh.ir").expect("it is a domain")
}

/// A node of the mesh whose full name is a DNS name, sometimes the longest possible.
pub fn node(dice: &mut Dice) -> NodeName {
    match dice.below(4) {
        0 => NodeName::Centre,
        1 => NodeName::Hub(cluster(dice)),
        2 => NodeName::Operator(parsed(&label(dice))),
        _ => {
            let mut home = if dice.one_in(2) { Home::Centre } else { Home::Cluster(cluster(dice)) };
            let (mut name, mut agency) = (label(dice), agency(dice, "ir"));
            if dice.one_in(4) {
                // All parts at their longest, so that the whole is cut to its limit below.
                name = "s".repeat(ID_BYTES_MAX);
                agency.class = parsed(&name);
                agency.agency = parsed(&name);
                home = Home::Cluster(parsed(&name));
            }
            let node = |name: &str| {
                let system = SystemAddress { agency: agency.clone(), system: parsed(name) };
                NodeName::Agent { system, home: home.clone() }
            };
            let length = mesh().dns_name(&node(&name)).len();
            let beyond = length.saturating_sub(DNS_NAME_BYTES_MAX);
            node(name[beyond..].trim_start_matches('-'))
        }
    }
}

pub(super) fn cluster(dice: &mut Dice) -> ClusterId {
    // Never a reserved name: those have no digit at their end.
    let mut label = label(dice);
    label.truncate(ID_BYTES_MAX - 1);
    parsed(&format!("{label}7"))
}

pub fn hop(dice: &mut Dice) -> HopName {
    let length = 1 + dice.length(DNS_NAME_BYTES_MAX - 1);
    parsed(&characters(dice, length, b"abcxyz0189-."))
}

pub fn reason(dice: &mut Dice) -> Reason {
    *dice.pick(Reason::ALL)
}

pub fn digest(dice: &mut Dice) -> Digest {
    Digest(std::array::from_fn(|_| dice.byte()))
}

pub fn exchange_id(dice: &mut Dice) -> ExchangeId {
    let unix_ms = dice.within(0..=(1 << 48) - 1);
    ExchangeId::new(unix_ms, std::array::from_fn(|_| dice.byte()))
}

pub fn method(dice: &mut Dice) -> Method {
    parsed(dice.pick::<&str>(&METHODS))
}

/// A path that a request may have.
pub fn path(dice: &mut Dice) -> String {
    let bytes_max = 1 + dice.length(PATH_BYTES_MAX - 1);
    let mut path = String::new();
    while let segment = segment(dice)
        && path.len() + 1 + segment.len() <= bytes_max
    {
        path.push('/');
        path.push_str(&segment);
    }
    if path.is_empty() { "/".into() } else { path }
}

/// A path in which some segments are parameters.
pub fn template(dice: &mut Dice) -> PathTemplate {
    let mut path = String::new();
    for _ in 0..dice.below(6) {
        path.push('/');
        path.push_str(&if dice.one_in(2) { segment(dice) } else { format!("{{{}}}", word(dice)) });
    }
    parsed(if path.is_empty() { "/" } else { &path })
}

fn segment(dice: &mut Dice) -> String {
    let length = dice.length(80);
    let mut segment = characters(dice, length, UNRESERVED);
    // Percent-encoded UTF-8, as a browser sends it. Also keeps it from being empty.
    segment.push_str(dice.pick::<&str>(&["a", "%D8%B3", "%20", "a.json", "...x"]));
    segment
}

/// What is made here is well formed.
pub(super) fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text:?} was meant to be well formed"))
}
