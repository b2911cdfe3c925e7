//! What goes wrong at the provider's own service. What the service says is an answer, whatever its
//! status; an error with a reason means that it said nothing, or nothing that can be used.

use mesh_core::reason::Reason::{
    BackendMissing, DeadlineExceeded, ProviderBrokeOff, ProviderMalformed, ProviderUnreachable,
};

use crate::bed::{Bed, HOPS};
use crate::client::Ask;
use crate::scenario::Act::{Ask as With, Do};
use crate::scenario::At::{AbsentAgent, ProvidersAgent as There, WhoWaited};
use crate::scenario::Want::{Answered, Broken, Failed, NotStarted};
use crate::scenario::{Group, LeftOut, Scenario, Seen, case};

pub const PROVIDER: Group = Group {
    title: "Provider failures",
    cases: CASES,
    left_out: &[LeftOut {
        name: "route_failover_dns",
        why: "every neighbour has one address, and no name is looked up on the way; several \
              replicas of a hub are still to come",
    }],
    breaks_links: false,
};

fn of(bed: &Bed, service: &str) -> Ask {
    bed.ask_of(&format!("ir/gov/care/{service}"), "GET", "/")
}

/// The service that answers what is no HTTP.
fn raw(bed: &Bed, how: &str) -> Ask {
    bed.ask_of("ir/gov/care/cards/raw.v1", "GET", &format!("/{how}"))
}

/// The service that has 1.5 s.
fn brisk(bed: &Bed, how: &str) -> Ask {
    let ask = bed.ask_of("ir/gov/care/cards/brisk.v1", "GET", &format!("/act/{how}"));
    ask.header("mesh-purpose", "licence-check")
}

/// Starts the provider's agent with another address of its backend.
fn start_with(bed: &Bed, url: &str) -> Seen {
    let node = bed.node(HOPS[4]);
    let sound = std::fs::read_to_string(&node.config).expect("every node has a configuration");
    let old = format!("http://{}", bed.backend.address);
    assert!(sound.contains(&old), "{old}");
    let file = bed.scratch().join("agent.toml");
    std::fs::write(&file, sound.replacen(&old, url, 1)).expect("it can be written");
    let mut program = std::process::Command::new(crate::bed::bins().join("agent"));
    let output = program.arg("--config").arg(&file).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Seen::Exit { code: output.status.code(), said }
}

#[rustfmt::skip]
const CASES: &[Scenario] = &[
    case("backend_unknown_host", "the host of the service has a name that nobody knows",
        With(|bed| of(bed, "cards/lost.v1")), Failed(503, ProviderUnreachable, There)),
    case("backend_host_name_ok", "the host of the service has a name",
        With(|bed| bed.ask_of("ir/gov/care/cards/named.v1", "GET", "/cards/1")),
        Answered(200, |answer| answer.json()["card"] == "1")),
    case("backend_refuses_connection", "nobody listens where the service should be",
        With(|bed| of(bed, "cards/gone.v1")), Failed(503, ProviderUnreachable, There)),
    case("backend_http_error", "the service answers 500: handed back as it is",
        With(|bed| bed.ask("GET", "/act/error")),
        Answered(500, |answer| answer.body == "the service failed")),
    case("backend_aborts", "the service breaks off before its answer",
        With(|bed| bed.ask("GET", "/act/abort")), Failed(502, ProviderBrokeOff, There)),
    case("backend_aborts_short", "the service breaks off in a body of known length",
        With(|bed| bed.ask("GET", "/act/short")), Broken(502, ProviderBrokeOff, There)),
    case("backend_aborts_stream", "the service breaks off in a body of unknown length",
        With(|bed| bed.ask("GET", "/act/cut")), Broken(502, ProviderBrokeOff, There)),
    case("backend_aborts_inline", "the service breaks off in a small body of known length",
        With(|bed| raw(bed, "half")), Failed(502, ProviderBrokeOff, There)),
    case("backend_empty", "the service answers with an empty body: handed back as one",
        With(|bed| bed.ask("GET", "/act/empty")), Answered(200, |answer| answer.body.is_empty())),
    case("backend_nothing", "the service closes without a byte",
        With(|bed| raw(bed, "nothing")), Failed(502, ProviderBrokeOff, There)),
    case("backend_body_malformed", "a chunk of the answer's body has no size",
        With(|bed| raw(bed, "bad-chunk")), Broken(502, ProviderMalformed, There)),
    case("backend_not_http", "the service answers what is no HTTP",
        With(|bed| raw(bed, "garbage")), Failed(502, ProviderMalformed, There)),
    case("backend_two_lengths", "the answer has `Content-Length` twice, with two values",
        With(|bed| raw(bed, "two-lengths")), Failed(502, ProviderMalformed, There)),
    case("backend_length_and_chunked", "the answer has `Content-Length` and `Transfer-Encoding`",
        With(|bed| raw(bed, "both-lengths")), Failed(502, ProviderMalformed, There)),
    case("backend_head_too_large", "the head of the answer has 100,000 bytes",
        With(|bed| raw(bed, "large-head")), Failed(502, ProviderMalformed, There)),
    case("backend_status_strange", "the service answers with the status 999",
        With(|bed| raw(bed, "status-999")), Failed(502, ProviderMalformed, There)),
    case("backend_switches", "the service answers with the status 101",
        With(|bed| raw(bed, "status-101")), Failed(502, ProviderMalformed, There)),
    case("backend_content_type", "the answer's content type is none: handed back, the mesh reads \
        no content types",
        With(|bed| bed.ask("GET", "/act/odd-type")),
        Answered(200, |answer| answer.headers["content-type"] == "nonsense")),
    case("backend_fault_passthrough", "the service answers with its own fault",
        With(|bed| bed.ask("GET", "/act/refuse")),
        Answered(422, |answer| answer.body == "the service's own fault")),
    case("backend_error_header", "the service sends `X-Road-Error` with its answer: dropped, \
        because only the mesh says that",
        With(|bed| bed.ask("GET", "/act/forge")), Answered(200, |answer| answer.body == "forged")),
    case("backend_redirect_not_followed", "the service redirects to itself: handed back",
        With(|bed| bed.ask("GET", "/act/redirect")),
        Answered(302, |answer| answer.headers["location"] == "/cards/1")),
    case("backend_url_missing", "the agent has no address of the service",
        With(|bed| of(bed, "cards/unconfigured.v1")), Failed(503, BackendMissing, There)),
    case("backend_url_malformed", "the address of the service is no URL",
        Do(|bed| Box::pin(async { start_with(bed, "http://") })),
        NotStarted("backends.url")),
    case("backend_url_scheme", "the address of the service is not for HTTP",
        Do(|bed| Box::pin(async { start_with(bed, "ftp://127.0.0.1:1") })),
        NotStarted("does not begin with http://")),
    case("backend_timeout", "the service is silent for longer than its time",
        With(|bed| brisk(bed, "hang")), Failed(504, DeadlineExceeded, There)),
    case("backend_caller_timeout", "the service is silent for longer than the caller grants",
        With(|bed| bed.ask("GET", "/act/hang").header("mesh-timeout-ms", "700")),
        Failed(504, DeadlineExceeded, WhoWaited)),
    case("backend_trickle_deadline", "the service sends a byte now and then: the time is total",
        With(|bed| brisk(bed, "trickle")), Broken(504, DeadlineExceeded, There)),
    case("route_no_connection", "the provider's agent is away",
        With(|bed| of(bed, "absent/any.v1")), Failed(503, ProviderUnreachable, AbsentAgent)),
];
