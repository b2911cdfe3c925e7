//! What a consumer may not ask. Forbidden and absent get one answer, so that nobody can probe.

use mesh_core::reason::Reason::{NotPermitted, OperationUnknown, RequestMalformed};

use crate::bed::Bed;
use crate::client::Ask;
use crate::scenario::Act::Ask as With;
use crate::scenario::At::ConsumersAgent as Here;
use crate::scenario::Want::{Answered, Refused};
use crate::scenario::{Group, Scenario, case};

pub const PERMITTED: Group = Group {
    title: "What is not permitted, at the consumer's own agent",
    cases: CASES,
    left_out: &[],
    breaks_links: false,
};

fn of(bed: &Bed, service: &str) -> Ask {
    bed.ask_of(service, "GET", "/")
}

#[rustfmt::skip]
const CASES: &[Scenario] = &[
    case("authz_not_in_agreement", "a service that exists, and that no agreement covers",
        With(|bed| of(bed, "ir/gov/care/cards/secret.v1")), Refused(403, NotPermitted, Here)),
    case("route_unknown_service", "a service that does not exist",
        With(|bed| of(bed, "ir/gov/care/cards/nothing.v1")), Refused(403, NotPermitted, Here)),
    case("route_unknown_version", "a version that the service does not have",
        With(|bed| of(bed, "ir/gov/care/cards/cards.v9")), Refused(403, NotPermitted, Here)),
    case("route_unknown_member", "an agency that does not exist",
        With(|bed| of(bed, "ir/gov/nobody/cards/cards.v1")), Refused(403, NotPermitted, Here)),
    case("route_other_mesh", "a mesh that is not this one",
        With(|bed| of(bed, "xx/gov/care/cards/cards.v1")), Refused(403, NotPermitted, Here)),
    case("authz_method_denied", "a method that the service does not declare for the path",
        With(|bed| bed.ask("PATCH", "/cards/1")), Refused(404, OperationUnknown, Here)),
    case("authz_path_not_declared", "a path that the service does not declare",
        With(|bed| bed.ask("GET", "/secret")), Refused(404, OperationUnknown, Here)),
    case("authz_path_traversal", "a path with encoded dots",
        With(|bed| bed.ask("GET", "/cards/%2e%2e/secret")),
        Refused(400, RequestMalformed, Here)),
    case("authz_path_traversal_slash", "a path with dots and an encoded slash",
        With(|bed| bed.ask("GET", "/cards/..%2fsecret")), Refused(400, RequestMalformed, Here)),
    case("authz_path_traversal_semicolon", "a path with dots before a semicolon",
        With(|bed| bed.ask("GET", "/cards/..;x")), Refused(400, RequestMalformed, Here)),
    case("authz_purpose_stated", "the permitted purpose is stated",
        With(|bed| bed.ask("GET", "/cards/1").header("mesh-purpose", "licence-issue")),
        Answered(200, |_| true)),
];
