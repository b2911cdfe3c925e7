//! Refusals by name: what is done, and the reason, hop and status that must come of it. The names
//! are those of the scenario list; X-Road's answers are no model.

use e2e::bed::{CARDS, DESK, HOPS};
use e2e::{Answer, Ask, Bed};

/// One named case.
struct Case {
    name: &'static str,
    ask: Ask,
    want: Want,
}

enum Want {
    /// Answered by the service.
    Status(u16),
    /// Refused: HTTP status, reason, hop at fault.
    Refused(u16, &'static str, &'static str),
}

use Want::{Refused, Status};

async fn run(bed: &Bed, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    println!("{:<32} {:>4}  {:<22} hop", "scenario", "HTTP", "reason");
    for Case { name, ask, want } in cases {
        let before = bed.backend.requests();
        let answer = ask.send().await;
        let touched = before < bed.backend.requests();
        let (reason, hop) = refusal(&answer);
        println!("{name:<32} {:>4}  {reason:<22} {hop}", answer.status);
        let as_wanted = match want {
            Status(status) => answer.status == status && reason.is_empty(),
            Refused(status, wanted, at) => {
                answer.status == status && reason == wanted && hop == at && !touched
            }
        };
        if !as_wanted {
            wrong.push(format!("{name}: {answer:?}, the service was asked: {touched}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn refusal(answer: &Answer) -> (String, String) {
    if answer.headers.contains_key("x-road-error") { answer.problem() } else { Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests() {
    let bed = Bed::start().await;
    let agent = bed.local(HOPS[0]);
    let here = HOPS[0];
    let card = format!("/r1/{CARDS}/cards/1");
    let bare = |path: &str| Ask::new(agent, "GET", path);
    let asked = |path: &str| bare(path).header("x-road-client", DESK);
    let case = |name, ask, want| Case { name, ask, want };
    let malformed = || Refused(400, "REQUEST_MALFORMED", here);
    let long = format!("/r1/{CARDS}/cards/{}", "x".repeat(5000));
    let cases = vec![
        case("req_client_missing", bare(&card), Refused(400, "CLIENT_MISSING", here)),
        case("req_client_duplicate", asked(&card).header("x-road-client", DESK), malformed()),
        case("req_client_malformed", bare(&card).header("x-road-client", "tax"), malformed()),
        case(
            "auth_client_unregistered",
            bare(&card).header("x-road-client", "ir/gov/tax/other"),
            Refused(403, "CLIENT_UNKNOWN", here),
        ),
        case("req_user_missing_ok", asked(&card), Status(200)),
        case(
            "req_identifier_encoded_ok",
            asked("/r1/ir/g%6fv/care/cards/cards.v1/cards/1"),
            Status(200),
        ),
        case(
            "req_identifier_illegal",
            asked("/r1/ir/GOV/care/cards/cards.v1/cards/1"),
            malformed(),
        ),
        case("req_version_missing", asked("/r1/ir/gov/care/cards/cards/cards/1"), malformed()),
        case("req_uri_malformed", asked("/r1/ir/gov"), malformed()),
        case("path_unknown", asked("/elsewhere"), Refused(404, "PATH_UNKNOWN", here)),
        case("path_root", asked("/"), Refused(404, "PATH_UNKNOWN", here)),
        case("req_path_too_long", asked(&long), Refused(431, "REQUEST_TOO_LARGE", here)),
        case(
            "purpose_unknown",
            asked(&card).header("mesh-purpose", "curiosity"),
            Refused(403, "NOT_PERMITTED", here),
        ),
        case("purpose_stated", asked(&card).header("mesh-purpose", "licence-issue"), Status(200)),
        case("timeout_malformed", asked(&card).header("mesh-timeout-ms", "soon"), malformed()),
        case("timeout_zero", asked(&card).header("mesh-timeout-ms", "0"), malformed()),
        case(
            "req_forged_hash_header",
            asked(&card).header("x-road-request-hash", "bogus"),
            Status(200),
        ),
        case(
            "req_method_unknown",
            Ask::new(agent, "BREW", &card).header("x-road-client", DESK),
            malformed(),
        ),
    ];
    run(&bed, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_permitted() {
    let bed = Bed::start().await;
    let here = HOPS[0];
    let denied = || Refused(403, "NOT_PERMITTED", here);
    let case = |name, ask, want| Case { name, ask, want };
    let service = |service: &str| bed.ask_of(service, "GET", "/");
    let cases = vec![
        // One answer for what is forbidden and what is not there: nobody can probe.
        case("authz_not_in_agreement", service("ir/gov/care/cards/secret.v1"), denied()),
        case("route_unknown_service", service("ir/gov/care/cards/nothing.v1"), denied()),
        case("route_unknown_version", service("ir/gov/care/cards/cards.v2"), denied()),
        case("route_unknown_member", service("ir/gov/nobody/cards/cards.v1"), denied()),
        case("route_other_mesh", service("xx/gov/care/cards/cards.v1"), denied()),
        case(
            "authz_method_denied",
            bed.ask("PATCH", "/cards/1"),
            Refused(404, "OPERATION_UNKNOWN", here),
        ),
        case(
            "authz_path_not_declared",
            bed.ask("GET", "/secret"),
            Refused(404, "OPERATION_UNKNOWN", here),
        ),
        case(
            "authz_path_traversal",
            bed.ask("GET", "/cards/%2e%2e/secret"),
            Refused(400, "REQUEST_MALFORMED", here),
        ),
        case(
            "authz_path_traversal_slash",
            bed.ask("GET", "/cards/..%2fsecret"),
            Refused(400, "REQUEST_MALFORMED", here),
        ),
    ];
    run(&bed, cases).await;
    let forbidden = bed.ask_of("ir/gov/care/cards/secret.v1", "GET", "/").send().await.json();
    let missing = bed.ask_of("ir/gov/care/cards/nothing.v1", "GET", "/").send().await.json();
    for field in ["reason", "detail", "hop", "title", "mender", "status"] {
        assert_eq!(forbidden[field], missing[field], "{field} tells what exists");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_failures() {
    let bed = Bed::start().await;
    let cards = HOPS[4];
    let get = |service: &str| bed.ask_of(&format!("ir/gov/care/{service}"), "GET", "/");
    let case = |name, ask, want| (name, ask, want);
    let cases = vec![
        case(
            "backend_refuses_connection",
            get("cards/gone.v1"),
            (503, "PROVIDER_UNREACHABLE", cards),
        ),
        case("backend_url_missing", get("cards/unconfigured.v1"), (503, "BACKEND_MISSING", cards)),
        case("backend_content_type", get("cards/raw.v1"), (502, "PROVIDER_MALFORMED", cards)),
        case("backend_aborts", bed.ask("GET", "/act/abort"), (502, "PROVIDER_BROKE_OFF", cards)),
        case(
            "route_no_connection",
            get("absent/any.v1"),
            (503, "PROVIDER_UNREACHABLE", "absent.care.gov.health"),
        ),
    ];
    for (name, ask, (status, reason, hop)) in cases {
        let answer = ask.send().await;
        println!("{name:<32} {}  {:?}", answer.status, answer.problem());
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert_eq!(answer.problem(), (reason.into(), hop.into()), "{name}");
        let problem = answer.json();
        assert_eq!(problem["type"], format!("urn:mesh:reason:{reason}"), "{name}");
        assert!(problem["exchange_id"].is_string(), "{name}: {problem}");
    }
    // A body that breaks off never looks like a whole one.
    for how in ["short", "cut"] {
        let answer = bed.ask("GET", &format!("/act/{how}")).send().await;
        println!("peer_abort_mid_answer {how}: {} {:?}", answer.status, answer.broken);
        let refused = answer.status == 502 && answer.problem().0 == "PROVIDER_BROKE_OFF";
        assert!(answer.broken.is_some() || refused, "{how}: {answer:?}");
    }
}
