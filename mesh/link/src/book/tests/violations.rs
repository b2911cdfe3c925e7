//! Every rule of `link.proto`, broken by a peer.

use super::*;

/// A listener that has an exchange from the peer (1, not closed) and one of its own (2, seen by the
/// peer and not answered).
fn listener() -> Book {
    let mut book = book(End::Listener, terms(4, 1000));
    book.receive(Frame::Open { exchange: 1, open: open(1, b"", None) }).unwrap();
    book.open("a".into(), open(2, b"", None)).unwrap();
    take_all(&mut book);
    book
}

fn opens(exchange: u64) -> Frame {
    Frame::Open { exchange, open: open(exchange, b"", None) }
}

fn credit(exchange: u64, bytes: u32) -> Frame {
    Frame::Credit { exchange, bytes }
}

fn cancel(exchange: u64) -> Frame {
    Frame::Cancel { exchange, problem: problem(Reason::Cancelled) }
}

fn reply(sequence: u64) -> Frame {
    Frame::Ping { sequence, reply: true }
}

#[test]
fn each_rule_is_kept_or_costs_the_lane() {
    #[rustfmt::skip]
    let cases: &[(&str, Vec<Frame>, Option<&str>)] = &[
        // Why                        Frames                            Wrong with the last
        ("numbers rise",              vec![opens(3)],                   None),
        ("numbers may leave gaps",    vec![opens(9)],                   None),
        ("opened twice",              vec![opens(1)],                   Some("opened twice")),
        ("opened out of order",       vec![opens(5), opens(3)],         Some("out of order")),
        ("opened again after its end",vec![cancel(1), opens(1)],        Some("opened twice")),
        ("answered",                  vec![opens(2)],                   None),
        ("answered twice",            vec![opens(2), opens(2)],         Some("answered twice")),
        ("an answer to nothing",      vec![opens(4)],                   Some("never opened")),
        ("body",                      vec![data(1, 1000)],              None),
        ("body before the answer",    vec![data(2, 1)],                 Some("body before")),
        ("body after the end",        vec![close(1), data(1, 1)],       Some("after its end")),
        ("body of nothing",           vec![data(3, 1)],                 Some("never opened")),
        ("body beyond credit",        vec![data(1, 1001)],              Some("more body than")),
        ("beyond credit in parts",    vec![data(1, 999), data(1, 2)],   Some("more body than")),
        ("an end",                    vec![close(1)],                   None),
        ("an end before the answer",  vec![close(2)],                   Some("end out of order")),
        ("a second end",              vec![close(1), close(1)],         Some("end out of order")),
        ("an end of nothing",         vec![close(7)],                   Some("never opened")),
        ("a cancel",                  vec![cancel(1), cancel(2)],       None),
        ("a cancel of nothing",       vec![cancel(4)],                  Some("never opened")),
        ("body crossed a cancel",     vec![cancel(1), data(1, 9)],      None),
        ("an end crossed a cancel",   vec![cancel(1), close(1)],        None),
        ("credit crossed a cancel",   vec![cancel(1), credit(1, 1)],    None),
        ("two cancels crossed",       vec![cancel(1), cancel(1)],       None),
        ("credit beyond its start",   vec![credit(1, 1)],               Some("credit overflows")),
        ("credit beyond all numbers", vec![credit(1, u32::MAX)],        Some("credit overflows")),
        ("credit for nothing",        vec![credit(4, 1)],               Some("never opened")),
        ("a stray reply to a ping",   vec![reply(9)],                   None),
    ];
    for (why, frames, wrong) in cases {
        let mut book = listener();
        let (last, before) = frames.split_last().unwrap();
        for frame in before {
            book.receive(frame.clone()).unwrap_or_else(|found| panic!("{why}: {found}"));
        }
        match (book.receive(last.clone()), wrong) {
            (Ok(_), None) => {}
            (Err(found), Some(wrong)) => assert!(found.what.contains(wrong), "{why}: {found}"),
            (found, _) => panic!("{why}: {found:?}"),
        }
    }
}

#[test]
fn an_opening_beyond_credit_costs_the_lane() {
    let mut book = listener();
    let large = Frame::Open { exchange: 3, open: open(3, &[0; 1001], None) };
    assert!(book.receive(large).unwrap_err().what.contains("more body than credit"));
    let mut book = listener();
    let large = Frame::Open { exchange: 2, open: open(2, &[0; 1001], None) };
    assert!(book.receive(large).unwrap_err().what.contains("more body than credit"));
}

#[test]
fn a_second_hello_costs_the_lane() {
    let mesh = mesh_core::node::MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
    let me = crate::hello::Me::new(mesh, mesh_core::node::NodeName::Centre, "test");
    let hello = me.hello(mesh_proto::frame::LaneKind::Quick, [0; 16]);
    let second = listener().receive(Frame::Hello(Box::new(hello)));
    assert!(second.unwrap_err().what.contains("second hello"));
}

/// A peer that never reads makes this side queue replies: it loses the lane before memory does.
#[test]
fn replies_that_nobody_reads_are_bounded() {
    type Flood = fn(u64) -> Vec<Frame>;
    let cases: &[(&str, Flood)] = &[
        ("pings", |turn| vec![Frame::Ping { sequence: turn, reply: false }]),
        ("openings beyond the limit", |turn| vec![opens(turn * 2 + 9)]),
        ("openings that it cancels itself", |turn| vec![opens(turn * 2 + 9), cancel(turn * 2 + 9)]),
    ];
    for (why, flood) in cases {
        let mut book = listener();
        let mut floods = (0..1_000_000).flat_map(flood);
        let broken = floods.find_map(|frame| book.receive(frame).err());
        let broken = broken.unwrap_or_else(|| panic!("{why}: never ends"));
        assert!(broken.what.contains("replies"), "{why}: {broken}");
        assert!(book.theirs_held <= 2 * 4, "{why}: {} are held", book.theirs_held);
    }
}

/// Credit that was given back is as large as what was read, and no larger.
#[test]
fn credit_that_was_given_back_is_a_limit_again() {
    for (second, fits) in [(1000, true), (1001, false)] {
        let mut book = listener();
        book.receive(data(1, 1000)).unwrap();
        assert!(matches!(receive(&mut book, 1), Some(Ok(Event::Data(_)))));
        assert_eq!(take_all(&mut book), [credit(1, 1000)]);
        assert_eq!(book.receive(data(1, second)).is_ok(), fits, "{second}");
    }
}

/// What a peer says in pieces of one byte takes hardly more memory than in one.
#[test]
fn small_pieces_are_joined() {
    let mut book = book(End::Listener, terms(4, 60_000));
    book.receive(opens(1)).unwrap();
    for _ in 0..60_000 {
        book.receive(data(1, 1)).unwrap();
    }
    let slot = &book.slots[&1];
    assert_eq!(slot.inbox_bytes(), 60_000);
    assert!(slot.inbox.len() < 20, "{} events wait", slot.inbox.len());
}
