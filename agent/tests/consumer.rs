//! What an application sees of its agent: answers as they are, and refusals that say what to mend.

mod nation;

use http::HeaderValue;
use nation::client::{Application, ask, fetch, get, pattern, person, raw, read, whole};
use nation::{ABSENT, CLOSED, CONSUMER, FAULTY, IDENTITY, Nation};

/// A service that is there, for others; and one that is not.
const HIDDEN: &str = "ir/gov/registry/persons/hidden.v1";
const NOWHERE: &str = "ir/gov/none/none/none.v1";

#[tokio::test]
async fn an_inquiry_comes_back_with_its_names_and_timings() {
    let nation = Nation::start().await;
    let mut request = get(IDENTITY, "/persons/0012345679?fields=name%20all");
    let headers = request.headers_mut();
    for (name, value) in [
        ("x-road-id", "m-1"),
        ("x-road-userid", "clerk"),
        ("x-road-issue", "case 7"),
        ("x-road-represented-party", "com/shop"),
        ("x-road-security-server", "ir/gov/x/y"),
        ("x-road-request-hash", "forged"),
        ("x-road-service", "forged"),
        ("mesh-purpose", "licence-issue"),
        ("mesh-operator", "p-17"),
        ("connection", "keep-alive, x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("accept-language", "fa"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    let answer = fetch(nation.local, request).await;
    assert_eq!(answer.status, 200);
    let exchange = answer.header("x-road-request-id").to_owned();
    let told = String::from_utf8_lossy(&answer.body).into_owned();
    let (head, fields) = told.split_once('\n').unwrap();
    assert_eq!(head, "GET /base/persons/0012345679?fields=name%20all");
    let fields: Vec<&str> = fields.lines().filter(|line| !line.starts_with("host: ")).collect();
    let want = [
        "accept-language: fa",
        &format!("x-road-client: {CONSUMER}"),
        "x-road-id: m-1",
        "x-road-issue: case 7",
        "x-road-represented-party: com/shop",
        &format!("x-road-request-id: {exchange}"),
        &format!("x-road-service: {IDENTITY}"),
        "x-road-userid: clerk",
    ];
    assert_eq!(fields, want);

    assert_eq!(answer.header("x-road-client"), CONSUMER);
    assert_eq!(answer.header("x-road-service"), IDENTITY);
    assert_eq!(answer.header("x-road-id"), "m-1");
    let hops: Vec<&str> = answer
        .header("server-timing")
        .split(", ")
        .filter_map(|e| e.split(";dur=").next())
        .collect();
    let [me, hub, far] =
        ["desk.licensing.gov.economy", "hub.economy", "persons.registry.gov.economy"];
    assert_eq!(hops, [me, hub, far]);
    assert_eq!(exchange.as_bytes()[14], b'7', "{exchange} is no UUID of version 7");
}

#[tokio::test]
async fn a_message_without_a_name_gets_the_exchanges() {
    let nation = Nation::start().await;
    let answer = fetch(nation.local, person("1")).await;
    assert_eq!(answer.header("x-road-id"), answer.header("x-road-request-id"));
    assert!(String::from_utf8_lossy(&answer.body).contains("\nx-road-id: "));
}

#[tokio::test]
async fn what_the_service_says_comes_back_as_it_is() {
    let nation = Nation::start().await;
    let none = fetch(nation.local, person("none")).await;
    assert_eq!((none.status.as_u16(), none.header("x-road-error")), (404, ""));
    assert_eq!(&none.body[..], b"{\"title\":\"no such person\"}");
    let moved = fetch(nation.local, person("moved")).await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (302, "/base/persons/1"));
    let deleted = fetch(nation.local, person("deleted")).await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));

    let fields = fetch(nation.local, person("fields")).await;
    let cookies: Vec<_> = fields.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    for dropped in ["x-hop", "keep-alive", "x-road-error"] {
        assert_eq!(fields.header(dropped), "", "{dropped}");
    }
    assert_eq!(fields.header("x-road-client"), CONSUMER);
}

#[tokio::test]
async fn head_describes_a_body_that_does_not_come() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    for id in ["large", "none"] {
        let request = ask("HEAD", IDENTITY, &format!("/persons/{id}"), whole(""));
        let head = read(application.send(request).await.unwrap()).await.unwrap();
        let want = if id == "large" { (200, "300000") } else { (404, "26") };
        assert_eq!((head.status.as_u16(), head.header("content-length")), want);
        assert_eq!(head.body.len(), 0);
    }
    // The connection is still in step.
    let answer = read(application.send(person("middling")).await.unwrap()).await.unwrap();
    assert_eq!(answer.body, pattern(40_000));
}

#[tokio::test]
async fn refusals_name_reason_and_hop() {
    let nation = Nation::start().await;
    let me = "desk.licensing.gov.economy";
    let far = "persons.registry.gov.economy";
    #[rustfmt::skip]
    let cases = [
        // Method  Service         Below              Want
        ("GET",    IDENTITY,       "/other",          format!("OPERATION_UNKNOWN@{me} 404")),
        ("PUT",    IDENTITY,       "/persons/1",      format!("OPERATION_UNKNOWN@{me} 404")),
        ("GET",    IDENTITY,       "/persons/%2e%2e", format!("REQUEST_MALFORMED@{me} 400")),
        ("GET",    IDENTITY,       "/persons/1/",     format!("REQUEST_MALFORMED@{me} 400")),
        ("TRACE",  IDENTITY,       "/persons/1",      format!("REQUEST_MALFORMED@{me} 400")),
        ("DELETE", IDENTITY,       "/persons/1",      format!("OPERATION_NOT_PERMITTED@{me} 403")),
        ("GET",    IDENTITY,       "/persons/all",    format!("OPERATION_NOT_PERMITTED@{me} 403")),
        ("GET",    HIDDEN,         "/persons/1",      format!("NOT_PERMITTED@{me} 403")),
        ("GET",    NOWHERE,        "/persons/1",      format!("NOT_PERMITTED@{me} 403")),
        ("GET",    "ir/gov/tax/x", "",                format!("REQUEST_MALFORMED@{me} 400")),
        ("GET",    ABSENT,         "/persons/1",      format!("BACKEND_MISSING@{far} 503: no")),
        ("GET",    CLOSED,         "/persons/1",
         format!("PROVIDER_UNREACHABLE@{far} 503: the service refuses connections")),
    ];
    for (method, service, below, want) in cases {
        let problem = fetch(nation.local, ask(method, service, below, whole(""))).await.problem();
        assert!(problem.starts_with(&want), "{method} {service}{below}: {problem}, want {want}");
    }
    nation.until_idle().await;
}

#[tokio::test]
async fn a_service_that_does_not_exist_is_one_that_is_not_permitted() {
    let nation = Nation::start().await;
    let ask = async |service: &str| fetch(nation.local, get(service, "/persons/1")).await;
    let (hidden, absent) = (ask(HIDDEN).await, ask(NOWHERE).await);
    assert_eq!(hidden.problem(), absent.problem());
}

#[tokio::test]
async fn headers_that_are_wrong_are_refused() {
    let nation = Nation::start().await;
    let with = async |name: &'static str, value: &'static str| {
        let mut request = person("1");
        request.headers_mut().append(name, HeaderValue::from_static(value));
        fetch(nation.local, request).await.problem()
    };
    let twice = with("x-road-client", CONSUMER).await;
    assert!(twice.ends_with("400: the header X-Road-Client is there twice"), "{twice}");
    let purpose = with("mesh-purpose", "census").await;
    assert!(purpose.starts_with("PURPOSE_NOT_PERMITTED@"), "{purpose}");
    let timeout = with("mesh-timeout-ms", "soon").await;
    assert!(timeout.starts_with("REQUEST_MALFORMED@"), "{timeout}");

    let mut missing = person("1");
    missing.headers_mut().remove("x-road-client");
    missing.headers_mut().insert("x-road-id", HeaderValue::from_static("m-1"));
    let missing = fetch(nation.local, missing).await;
    assert!(missing.problem().starts_with("CLIENT_MISSING@"), "{missing:?}");
    assert_eq!(missing.header("x-road-id"), "m-1");

    let mut other = person("1");
    let stranger = HeaderValue::from_static("ir/gov/registry/persons");
    other.headers_mut().insert("x-road-client", stranger);
    let other = fetch(nation.local, other).await.problem();
    assert!(other.starts_with("CLIENT_UNKNOWN@"), "{other}");
    assert!(other.contains("403: this agent asks for ir/gov/licensing/desk"), "{other}");

    let mut large = person("1");
    large.headers_mut().insert("x-large", HeaderValue::from_str(&"x".repeat(40_000)).unwrap());
    let large = fetch(nation.local, large).await.problem();
    assert!(large.contains(" 431: the request's head: is 4"), "{large}");
}

#[tokio::test]
async fn what_is_no_http_gets_no_further() {
    let nation = Nation::start().await;
    let head = format!("host: x\r\nx-road-client: {CONSUMER}\r\nconnection: close\r\n");
    let two_lengths = format!(
        "POST /r1/{IDENTITY}/echo HTTP/1.1\r\n{head}content-length: 1\r\n\
                               content-length: 2\r\n\r\nab"
    );
    let smuggled = format!(
        "POST /r1/{IDENTITY}/echo HTTP/1.1\r\n{head}content-length: 5\r\n\
                            transfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    let long = format!("GET /{} HTTP/1.1\r\n{head}\r\n", "x".repeat(70_000));
    for (bytes, status, reason) in [
        ("hello\r\n\r\n".to_owned(), 400, "REQUEST_MALFORMED"),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101)), 431, "REQUEST_TOO_LARGE"),
        (two_lengths, 400, "REQUEST_MALFORMED"),
        (
            format!("GET /r1/{IDENTITY}/persons/1 HTTP/1.1\r\nbad name: x\r\n\r\n"),
            400,
            "REQUEST_MALFORMED",
        ),
        (long, 414, "REQUEST_TOO_LARGE"),
        (format!("GET /status HTTP/1.1\r\n{head}\r\n"), 404, "PATH_UNKNOWN"),
    ] {
        let answer = raw(nation.local, bytes.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer:?}");
        assert!(answer.contains(&format!("x-road-error: {reason}\r\n")), "{answer:?}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(answer.contains(&format!("content-length: {}\r\n", body.len())), "{answer:?}");
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&problem["reason"], &problem["status"]), (&reason.into(), &status.into()));
    }
    // Whatever hyper makes of it, the second half is no request of its own.
    let answer = raw(nation.local, smuggled.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    nation.until_idle().await;
}

/// The application's mistake, not its leaving.
#[tokio::test]
async fn a_body_whose_chunks_cannot_be_read_is_malformed() {
    let nation = Nation::start().await;
    let upload = format!(
        "POST /r1/{IDENTITY}/echo HTTP/1.1\r\nhost: x\r\nx-road-client: {CONSUMER}\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
    );
    let answer = raw(nation.local, upload.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("the request's body is not well-formed HTTP"), "{answer}");
    nation.until_idle().await;
}

#[tokio::test]
async fn without_a_link_nothing_is_sent() {
    let local = Nation::without_hub().await;
    let answer = fetch(local, person("1")).await;
    let want = "HUB_UNREACHABLE@hub.economy 503: the agent desk.licensing.gov.economy has no link \
                to hub.economy";
    assert_eq!(answer.problem(), want);
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_refused_upload_still_reads_its_refusal() {
    let nation = Nation::start().await;
    let request = ask("POST", NOWHERE, "/echo", whole(pattern(700_000)));
    let problem = fetch(nation.local, request).await.problem();
    assert!(problem.starts_with("NOT_PERMITTED@"), "{problem}");
}

#[tokio::test]
async fn a_drain_lets_what_is_under_way_finish() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    let slow = tokio::spawn(async move {
        let answer = application.send(person("slow")).await.unwrap();
        read(answer).await.unwrap()
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let drained = nation.drain.run(std::time::Duration::from_secs(5)).await;
    assert_eq!(drained, mesh_rt::drain::Drained::Finished);
    let answer = slow.await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"late"[..]));
    assert!(tokio::net::TcpStream::connect(nation.local).await.is_err(), "it listens on");
}

#[tokio::test]
async fn a_faulty_service_says_where_it_failed() {
    let nation = Nation::start().await;
    let far = "persons.registry.gov.economy";
    let late = |what: &str| format!("DEADLINE_EXCEEDED@{far} 504: the service {what} in time");
    let broke = format!("PROVIDER_BROKE_OFF@{far} 502: the service broke the connection off");
    let malformed =
        format!("PROVIDER_MALFORMED@{far} 502: the service's answer is not well-formed");
    let large = format!("PROVIDER_MALFORMED@{far} 502: ");
    #[rustfmt::skip]
    let cases = [
        ("aborts",         broke.clone()),
        ("half",           broke),
        ("silent",         late("sent no head of an answer")),
        ("trickles",       late("did not finish the body of its answer")),
        ("garbage",        malformed),
        ("large-head",     format!("{large}the service's answer: head: is 4")),
        ("many-fields",    large.clone()),
        ("strange-status", format!("{large}the service answered with the status 999")),
        ("two-lengths",    format!("{large}the service's answer has both Content-Length and")),
        ("switches",       large),
    ];
    for (fault, want) in cases {
        let request = get(FAULTY, &format!("/persons/{fault}"));
        let problem = fetch(nation.local, request).await.problem();
        assert!(problem.starts_with(&want), "{fault}: {problem}, want {want}");
    }
    nation.until_idle().await;
}
