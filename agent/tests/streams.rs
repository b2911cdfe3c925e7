//! Bodies that come in parts: whole to the last byte, or visibly broken; and who goes away early.

mod nation;

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use nation::client::{Application, Body, ask, fetch, get, parts, pattern, person, read, whole};
use nation::{CONSUMER, FAULTY, IDENTITY, Nation};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

fn handshakes() -> mesh_rt::metrics::Handshakes {
    mesh_rt::metrics::Handshakes::default()
}

/// A body that begins, and never ends.
fn endless() -> Body {
    let frames = stream::unfold(0, |sent| async move {
        if 3 <= sent {
            std::future::pending::<()>().await;
        }
        Some((Ok(Frame::data(pattern(10_000))), sent + 1))
    });
    StreamBody::new(frames).boxed_unsync()
}

#[tokio::test]
async fn bodies_pass_both_ways_to_the_last_byte() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    // Around what one frame, one inline body and the credit of an exchange hold.
    for length in [0, 1, 16_384, 16_385, 65_536, 65_537, 131_072, 3_000_000] {
        let body = pattern(length);
        let request = ask("POST", IDENTITY, "/echo", whole(body.clone()));
        let answer = read(application.send(request).await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body == body, "{length} bytes came back as {}", answer.body.len());
        let told = if answer.header("content-length").is_empty() { "chunked" } else { "" };
        assert_eq!(answer.header("transfer-encoding"), told, "{length}");
    }
    for count in [0, 1, 7, 300] {
        let request = ask("POST", IDENTITY, "/echo", parts(count));
        let answer = read(application.send(request).await.unwrap()).await.unwrap();
        assert!(answer.body == pattern(count * 10_000), "{count} parts of unknown length");
    }
    nation.until_idle().await;
    let counted = nation.consumer.read(handshakes());
    assert_eq!((counted.exchanges_answered, counted.exchanges_failed), (12, 0));
}

#[tokio::test]
async fn many_bodies_pass_at_once() {
    let nation = Nation::start().await;
    let bodies = (0..20).map(|index| {
        let local = nation.local;
        tokio::spawn(async move {
            let body = pattern(100_000 + index * 7919);
            let request = ask("POST", IDENTITY, "/echo", whole(body.clone()));
            fetch(local, request).await.body == body
        })
    });
    for body in bodies.collect::<Vec<_>>() {
        assert!(body.await.unwrap());
    }
}

#[tokio::test]
async fn an_answer_begins_before_the_request_has_ended() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    let request = ask("POST", IDENTITY, "/echo", endless());
    let mut answer = application.send(request).await.unwrap();
    let mut length = 0;
    while length < 30_000 {
        let frame = timeout(Duration::from_secs(5), answer.frame()).await.expect("nothing comes");
        length += frame.unwrap().unwrap().into_data().unwrap().len();
    }
    drop(answer);
    application.leave();
    nation.until_idle().await;
}

#[tokio::test]
async fn a_service_may_answer_without_reading() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    let request = ask("POST", IDENTITY, "/persons/early", endless());
    let answer = application.send(request).await.unwrap();
    let answer = timeout(Duration::from_secs(5), read(answer)).await.expect("it waits").unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (413, &b"too much for me"[..]));
    nation.until_idle().await;
    assert_eq!(nation.consumer.read(handshakes()).exchanges_answered, 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_never_looks_whole() {
    let nation = Nation::start().await;
    for fault in ["half-stream", "half-chunk", "bad-chunk", "trickles-chunks"] {
        let mut application = Application::connect(nation.local).await;
        let request = get(FAULTY, &format!("/persons/{fault}"));
        let began = Instant::now();
        // The bad news may overtake the head on its way, and then there is a proper refusal.
        if let Ok(answer) = application.send(request).await {
            match (answer.status().as_u16(), read(answer).await) {
                (200, read) => drop(read.expect_err(fault)),
                (_, refused) => assert!(refused.unwrap().problem().starts_with("PROVIDER_")),
            }
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{fault} took {:?}", began.elapsed());
    }
    nation.until_idle().await;
    assert_eq!(nation.consumer.read(handshakes()).exchanges_failed, 4);
}

#[tokio::test]
async fn an_upload_that_breaks_off_reaches_no_service_as_whole() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    let request = ask("POST", IDENTITY, "/persons/upload", endless());
    let sending = tokio::spawn(async move { application.send(request).await.map(|_| ()) });
    sleep(Duration::from_millis(200)).await;
    assert_eq!(nation.provider.read(handshakes()).exchanges_in_flight, 1);
    // The connection goes with its task.
    sending.abort();
    nation.until_idle().await;
    assert_eq!(nation.provider.read(handshakes()).exchanges_failed, 1);

    // Had the service seen the end of that one, it would have counted it first.
    let request = ask("POST", IDENTITY, "/persons/upload", parts(10));
    let answer = fetch(nation.local, request).await;
    assert_eq!(answer.header("uploads"), "1");
}

#[tokio::test]
async fn whoever_goes_away_frees_what_it_held() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    let sending = tokio::spawn(async move {
        let _ = application.send(get(IDENTITY, "/persons/slower")).await;
    });
    sleep(Duration::from_millis(100)).await;
    assert_eq!(nation.provider.read(handshakes()).exchanges_in_flight, 1);
    sending.abort();
    let began = Instant::now();
    nation.until_idle().await;
    assert!(began.elapsed() < Duration::from_secs(2), "only the service's answer ended it");
    for counters in [&nation.consumer, &nation.provider] {
        assert_eq!(counters.read(handshakes()).exchanges_failed, 1);
    }

    // And in the middle of an answer that it does not read.
    let mut application = Application::connect(nation.local).await;
    let request = ask("POST", IDENTITY, "/echo", endless());
    let answer = application.send(request).await.unwrap();
    drop(answer);
    application.leave();
    nation.until_idle().await;
}

#[tokio::test]
async fn the_time_that_a_caller_grants_is_total() {
    let nation = Nation::start().await;
    let granted = async |mut request: http::Request<Body>| {
        request.headers_mut().insert("mesh-timeout-ms", HeaderValue::from_static("200"));
        let began = Instant::now();
        let problem = fetch(nation.local, request).await.problem();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        problem
    };
    // Which hop says so is a matter of milliseconds when so little is granted.
    let inquiry = granted(person("slower")).await;
    assert!(inquiry.starts_with("DEADLINE_EXCEEDED@") && inquiry.contains(" 504: "), "{inquiry}");
    let late = " 503: the submission may have been carried out: DEADLINE_EXCEEDED: ";
    let submission = granted(ask("POST", IDENTITY, "/persons/slower", whole("x"))).await;
    assert!(
        submission.starts_with("OUTCOME_UNKNOWN@") && submission.contains(late),
        "{submission}"
    );
    let upload = granted(ask("POST", IDENTITY, "/persons/1", endless())).await;
    assert!(upload.starts_with("OUTCOME_UNKNOWN@") && upload.contains(late), "{upload}");
    nation.until_idle().await;
}

#[tokio::test]
async fn the_time_is_over_for_a_reader_that_stops_too() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    let mut request = ask("POST", IDENTITY, "/echo", parts(3000));
    request.headers_mut().insert("mesh-timeout-ms", HeaderValue::from_static("500"));
    let answer = application.send(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    // Nothing of it is read, and neither agent holds it any longer than it was granted.
    nation.until_idle().await;
    for counters in [&nation.consumer, &nation.provider] {
        assert_eq!(counters.read(handshakes()).exchanges_failed, 1);
    }
    // The connection has freed its place, so what was on its way is all that comes.
    read(answer).await.expect_err("cut off");
}

#[tokio::test]
async fn a_submission_without_a_key_is_not_to_be_repeated() {
    let nation = Nation::start().await;
    let submit = async |key: Option<&'static str>| {
        let mut request = ask("POST", FAULTY, "/persons/aborts", whole("x"));
        if let Some(key) = key {
            request.headers_mut().insert("idempotency-key", HeaderValue::from_static(key));
        }
        let answer = fetch(nation.local, request).await;
        let says_so = String::from_utf8_lossy(&answer.body).contains("retry_after_ms");
        assert_eq!(says_so, !answer.header("retry-after").is_empty());
        (answer.problem(), answer.header("retry-after").to_owned())
    };
    let want = "OUTCOME_UNKNOWN@persons.registry.gov.economy 503: the submission may have been \
                carried out: PROVIDER_BROKE_OFF: ";
    for (key, after) in [(None, ""), (Some("k-1"), "1")] {
        let (problem, retry_after) = submit(key).await;
        assert!(problem.starts_with(want), "{problem}");
        assert_eq!(retry_after, after, "{key:?}");
    }
}

#[tokio::test]
async fn a_lost_link_is_told_at_once() {
    let nation = Nation::start().await;
    let fetching = |request| tokio::spawn(fetch(nation.local, request));
    let inquiry = fetching(person("slower"));
    let submission = fetching(ask("POST", IDENTITY, "/persons/slower", whole("x")));
    sleep(Duration::from_millis(100)).await;
    let lost = mesh_core::reason::Problem::new(
        mesh_core::reason::Reason::LinkLost,
        "hub.economy".parse().unwrap(),
        "cut on purpose",
    );
    nation.peers.lanes().iter().for_each(|lane| lane.end(lost.clone()));
    let inquiry = inquiry.await.unwrap().problem();
    assert!(inquiry.starts_with("LINK_LOST@"), "{inquiry}");
    let submission = submission.await.unwrap().problem();
    assert!(submission.starts_with("OUTCOME_UNKNOWN@"), "{submission}");
    assert!(submission.contains("may have been carried out: LINK_LOST"), "{submission}");
}

#[tokio::test]
async fn a_slow_reader_holds_little() {
    let nation = Nation::start().await;
    let mut application = Application::connect(nation.local).await;
    let answer = application.send(ask("POST", IDENTITY, "/echo", parts(3000))).await.unwrap();
    // 30 MB want to pass; what the hops and the kernel take is far less.
    sleep(Duration::from_millis(300)).await;
    let busy = nation.provider.read(handshakes()).exchanges_in_flight;
    assert_eq!(busy, 1, "all of it was taken though nobody reads");
    let whole: Bytes = read(answer).await.unwrap().body;
    assert!(whole == pattern(30_000_000));
}

/// By HTTP/1.0 the end of a connection is the end of an answer of unknown length.
#[tokio::test]
async fn a_part_does_not_look_whole_to_http_1_0_either() {
    let nation = Nation::start().await;
    for (fault, whole) in [("trickles-chunks", false), ("half-chunk", false), ("fine", true)] {
        let mut stream = TcpStream::connect(nation.local).await.unwrap();
        let ask = format!(
            "GET /r1/{FAULTY}/persons/{fault} HTTP/1.0\r\nX-Road-Client: {CONSUMER}\r\n\r\n"
        );
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        let ended = read.expect("it never ends");
        let text = String::from_utf8_lossy(&answer);
        let told = text.starts_with("HTTP/1.0 5");
        assert!(ended.is_ok() == whole || told, "{fault}: {ended:?} behind {text}");
    }
}
