//! Requests that are well formed, and every way that one is not.

use http::Request;

use super::*;

const URI: &str = "/r1/ir/gov/tax/debts/debt.v1/people/1?year=1404";
const CLIENT: (&str, &str) = ("x-road-client", "ir/gov/licensing/desk");

fn ask(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Asked, String> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in [("host", "agent")].iter().chain(headers) {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).expect(uri).into_parts();
    read(&head).map_err(|flaw| flaw.to_string())
}

#[test]
fn http_1_1_has_one_host_and_http_1_0_may_have_none() {
    let told = |version, hosts: &[&str]| {
        let mut request = Request::builder().uri(URI).version(version).header(CLIENT.0, CLIENT.1);
        for host in hosts {
            request = request.header("host", *host);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        read(&head).err().map(|flaw| flaw.to_string()).unwrap_or_default()
    };
    let missing = "REQUEST_MALFORMED: the header Host is missing, and HTTP/1.1 wants it";
    let twice = "REQUEST_MALFORMED: the header Host is there twice";
    for (version, hosts, want) in [
        (Version::HTTP_11, &["a"][..], ""),
        (Version::HTTP_11, &[], missing),
        (Version::HTTP_11, &["a", "a"], twice),
        (Version::HTTP_10, &[], ""),
        (Version::HTTP_10, &["a"], ""),
        (Version::HTTP_10, &["a", "b"], twice),
    ] {
        assert_eq!(told(version, hosts), want, "{version:?} {hosts:?}");
    }
}

#[test]
fn reads_all_that_a_request_says() {
    let asked = ask(
        "POST",
        URI,
        &[
            CLIENT,
            ("x-road-id", "m 1"),
            ("x-road-userid", "EE1"),
            ("x-road-issue", "case-7"),
            ("mesh-purpose", "licence-issue"),
            ("mesh-timeout-ms", "1500"),
            ("mesh-operator", "clerk-17"),
            ("idempotency-key", "\"k-1\""),
            ("x-road-security-server", "ir/gov/tax/server"),
            ("x-road-request-hash", "forged"),
        ],
    );
    let want = Asked {
        client: "ir/gov/licensing/desk".parse().unwrap(),
        service: "ir/gov/tax/debts/debt.v1".parse().unwrap(),
        method: Method::Post,
        path: "/people/1".into(),
        query: Some("year=1404".into()),
        purpose: Some("licence-issue".parse().unwrap()),
        granted: Some(Duration::from_millis(1500)),
        operator: Some("clerk-17".parse().unwrap()),
        idempotency_key: Some("\"k-1\"".parse().unwrap()),
        message_id: Some("m 1".into()),
        user_id: Some("EE1".into()),
        issue: Some("case-7".into()),
    };
    assert_eq!(asked, Ok(want));
}

#[test]
fn reads_paths() {
    #[rustfmt::skip]
    let cases = [
        // Request target                            Service                     Path     Query
        ("/r1/ir/gov/tax/debts/debt.v1",             "ir/gov/tax/debts/debt.v1", "/",     None),
        ("/r1/ir/gov/tax/debts/debt.v1/",            "ir/gov/tax/debts/debt.v1", "/",     None),
        ("/r1/ir/gov/tax/debts/debt.v1?a",           "ir/gov/tax/debts/debt.v1", "/", Some("a")),
        ("/r1/ir/gov/tax/debts/debt.v1/%20?",        "ir/gov/tax/debts/debt.v1", "/%20",  Some("")),
        ("/r1/ir/gov/%74ax/deb%74s/debt%2Ev1/a",     "ir/gov/tax/debts/debt.v1", "/a",    None),
        ("http://localhost/r1/ir/gov/tax/a/b.v12/c", "ir/gov/tax/a/b.v12",       "/c",    None),
    ];
    for (uri, service, path, query) in cases {
        let asked = ask("GET", uri, &[CLIENT]).expect(uri);
        assert_eq!(asked.service.to_string(), service, "{uri}");
        assert_eq!((asked.path.as_str(), asked.query.as_deref()), (path, query), "{uri}");
    }
}

#[test]
fn refuses_targets_that_name_no_service() {
    let (malformed, agency) = ("REQUEST_MALFORMED:", "agency code has");
    let in_path = format!("{malformed} in the path:");
    let long = format!("/r1/ir/gov/tax/debts/debt.v1/{}", "a".repeat(4096));
    let short = "REQUEST_MALFORMED: the path is too short";
    #[rustfmt::skip]
    let cases = [
        ("/",                                    "PATH_UNKNOWN: this agent serves /r1/".to_owned()),
        ("*",                                    "PATH_UNKNOWN: ".into()),
        ("/r1",                                  "PATH_UNKNOWN: ".into()),
        ("/r2/ir/gov/tax/debts/debt.v1",         "PATH_UNKNOWN: ".into()),
        ("/R1/ir/gov/tax/debts/debt.v1",         "PATH_UNKNOWN: ".into()),
        ("//r1/ir/gov/tax/debts/debt.v1",        "PATH_UNKNOWN: ".into()),
        ("/r1/",                                 short.into()),
        ("/r1/ir/gov/tax",                       short.into()),
        ("/r1/ir/gov/tax/debts",                 short.into()),
        ("/r1/ir/gov/tax/debts/debt",            format!("{in_path} service \"debt\" has")),
        ("/r1/ir/gov/tax/debts/debt.v0",         format!("{in_path} service")),
        ("/r1/ir/gov/Tax/debts/debt.v1",         format!("{in_path} {agency} 'T' at byte 0")),
        ("/r1/ir/gov/tax%2Fdebts/x/debt.v1",     format!("{in_path} {agency} '/' at byte 3")),
        ("/r1/ir/gov/tax/%ff/debt.v1",           format!("{malformed} an identifier is no")),
        ("/r1/ir/gov/tax/%zz/debt.v1",           format!("{in_path} system code has '%'")),
        ("/r1/ir/gov/tax/debts/debt.v1//a",      format!("{malformed} path has an empty")),
        ("/r1/ir/gov/tax/debts/debt.v1/a/",      format!("{malformed} path has an empty")),
        ("/r1/ir/gov/tax/debts/debt.v1/../a",    format!("{malformed} path has an empty or dot")),
        ("/r1/ir/gov/tax/debts/debt.v1/%2e%2e",  format!("{malformed} path has an empty or dot")),
        (&long,                                  "REQUEST_TOO_LARGE: path is longer".into()),
    ];
    for (uri, want) in cases {
        let flaw = ask("GET", uri, &[CLIENT]).expect_err(uri);
        assert!(flaw.starts_with(&want), "{uri}: {flaw:?} does not say {want:?}");
    }
}

#[test]
fn refuses_headers_that_could_mean_two_things_or_none() {
    type Headers<'h> = &'h [(&'h str, &'h str)];
    let long = "k".repeat(129);
    let missing = "CLIENT_MISSING: the header X-Road-Client is missing";
    #[rustfmt::skip]
    let cases: &[(Headers<'_>, &str)] = &[
        (&[],                                   missing),
        (&[("x-road-id", "1")],                 missing),
        (&[CLIENT, CLIENT],                     "X-Road-Client is there twice"),
        (&[("x-road-client", "")],              "X-Road-Client: system address has 1 part"),
        (&[("x-road-client", "ir/gov/tax")],    "X-Road-Client: system address has 3 part"),
        (&[("x-road-client", "IR/gov/t/d")],    "X-Road-Client: mesh id has 'I'"),
        (&[("x-road-client", "ir/gov/t%2Fd")],  "X-Road-Client: an identifier hides a slash"),
        (&[("x-road-client", "ir/gov/t/\u{62f}")], "X-Road-Client is not printable ASCII"),
        (&[CLIENT, ("x-road-id", "1"), ("x-road-id", "1")], "X-Road-Id is there twice"),
        (&[CLIENT, ("x-road-id", "\u{62f}")],   "X-Road-Id is not printable ASCII"),
        (&[CLIENT, ("x-road-userid", "1"), ("x-road-userid", "2")], "X-Road-UserId is there twice"),
        (&[CLIENT, ("x-road-issue", "a\tb")],   "X-Road-Issue is not printable ASCII"),
        (&[CLIENT, ("mesh-purpose", "Census")], "Mesh-Purpose: purpose has 'C' at byte 0"),
        (&[CLIENT, ("mesh-purpose", "")],       "Mesh-Purpose: purpose is 0 bytes long"),
        (&[CLIENT, ("mesh-purpose", "a"), ("mesh-purpose", "b")], "Mesh-Purpose is there twice"),
        (&[CLIENT, ("mesh-timeout-ms", "0")],   "Mesh-Timeout-Ms is no number from 1 to"),
        (&[CLIENT, ("mesh-timeout-ms", "+5")],  "Mesh-Timeout-Ms is no number"),
        (&[CLIENT, ("mesh-timeout-ms", "5s")],  "Mesh-Timeout-Ms is no number"),
        (&[CLIENT, ("mesh-timeout-ms", "")],    "Mesh-Timeout-Ms is no number"),
        (&[CLIENT, ("mesh-timeout-ms", "3600001")], "Mesh-Timeout-Ms is no number"),
        (&[CLIENT, ("mesh-operator", "a b")],   "Mesh-Operator: operator pseudonym is not"),
        (&[CLIENT, ("mesh-operator", "0012345679")], "Mesh-Operator: operator pseudonym has the f"),
        (&[CLIENT, ("mesh-operator", "912-345-6789")], "Mesh-Operator: operator pseudonym has the"),
        (&[CLIENT, ("idempotency-key", &long)], "Idempotency-Key: idempotency key is not"),
    ];
    for (headers, want) in cases {
        let flaw = ask("GET", URI, headers).expect_err(want);
        let said = flaw.strip_prefix("REQUEST_MALFORMED: the header ").unwrap_or(&flaw);
        assert!(said.starts_with(want), "{headers:?}: {flaw:?} does not say {want:?}");
    }
}

#[test]
fn an_empty_text_is_an_absent_one() {
    let asked = ask("GET", URI, &[CLIENT, ("x-road-id", ""), ("x-road-userid", "")]).unwrap();
    assert_eq!((asked.message_id, asked.user_id), (None, None));
}

#[test]
fn takes_the_methods_that_a_service_may_declare() {
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert!(ask(method, URI, &[CLIENT]).is_ok(), "{method}");
    }
    for method in ["TRACE", "get", "PURGE"] {
        let flaw = ask(method, URI, &[CLIENT]).expect_err(method);
        assert!(flaw.starts_with("REQUEST_MALFORMED: method is none of"), "{flaw}");
    }
}
