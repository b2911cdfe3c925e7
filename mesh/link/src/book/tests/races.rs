//! Orders of things that once went wrong, or easily could.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_core::limits::{BATCH_WIRE_BYTES_MAX, DATA_BYTES_MAX};
use mesh_core::reason::HopName;
use mesh_proto::frame::{HopTime, write_batch};
use prost::Message;

use super::*;

fn pair(exchanges_max: u32) -> (Book, Book) {
    let terms = terms(exchanges_max, 65_536);
    (book(End::Dialler, terms), book(End::Listener, terms))
}

/// Fairness may send a later opening first; numbers rise all the same.
#[test]
fn openings_of_several_flows_arrive_in_rising_order() {
    let (mut dialler, mut listener) = pair(100);
    for flow in ["a", "a", "b", "c", "b"] {
        for body in [16_000, 10, 9_000] {
            dialler.open(flow.into(), open(7, &vec![0; body], None)).unwrap();
        }
    }
    let arrived = hand_over(&mut dialler, &mut listener);
    assert_eq!(arrived, (0..15).map(|index| 2 * index + 1).collect::<Vec<_>>());
}

/// However much one flow has under way, another finds places; and a flow that is alone has most.
#[test]
fn no_flow_takes_the_last_places_of_a_lane() {
    let (mut dialler, _) = pair(1000);
    let mut open_until_refused = |flow: &str| {
        let mut count = 0;
        loop {
            match dialler.open(flow.into(), open(1, b"", None)) {
                Ok(_) => count += 1,
                Err(refused) => {
                    assert_eq!(refused.reason, Reason::Overloaded);
                    return count;
                }
            }
        }
    };
    let flood = open_until_refused("flood");
    assert!((850..950).contains(&flood), "{flood}");
    let second = open_until_refused("second");
    assert!((50..150).contains(&second), "{second}");
    assert!(0 < open_until_refused("third"));
}

/// A peer that never saw the opening must not see its end.
#[test]
fn what_is_cancelled_before_it_left_leaves_no_trace() {
    let (mut dialler, mut listener) = pair(100);
    let first = dialler.open("a".into(), open(1, b"", None)).unwrap();
    let second = dialler.open("a".into(), open(2, b"x", Some(Close::default()))).unwrap();
    let third = dialler.open("a".into(), open(3, b"", None)).unwrap();
    dialler.cancel(first, problem(Reason::Cancelled));
    dialler.release(second);
    assert_eq!(dialler.open_count(), 1);

    let frames = take_all(&mut dialler);
    assert!(matches!(frames[..], [Frame::Open { exchange: 1, .. }]), "{frames:?}");
    assert_eq!(receive_all(&mut listener, frames), [1]);
    listener.answer(1, open(3, b"three", Some(Close::default()))).unwrap();
    hand_over(&mut listener, &mut dialler);
    let answer = receive(&mut dialler, third);
    assert!(matches!(&answer, Some(Ok(Event::Open(open))) if open.body == "three"), "{answer:?}");
}

/// As when an answer comes early: it arrives whole, and then the rest of the request is stopped.
#[test]
fn a_whole_answer_goes_out_before_its_cancel() {
    let (mut dialler, mut listener) = pair(100);
    let asked = dialler.open("a".into(), open(1, b"", None)).unwrap();
    hand_over(&mut dialler, &mut listener);
    listener.answer(1, open(1, b"an", None)).unwrap();
    assert!(send(&mut listener, 1, &mut Bytes::from_static(b"swer")).is_ready());
    listener.close(1, Close::default()).unwrap();
    listener.release(1);
    assert_eq!(listener.open_count(), 1, "it counts for as long as it takes room");

    hand_over(&mut listener, &mut dialler);
    assert!(matches!(receive(&mut dialler, asked), Some(Ok(Event::Open(_)))));
    assert!(matches!(receive(&mut dialler, asked), Some(Ok(Event::Data(_)))));
    assert!(matches!(receive(&mut dialler, asked), Some(Ok(Event::Close(_)))));
    let stopped = receive(&mut dialler, asked).unwrap().unwrap_err();
    assert_eq!(stopped.reason, Reason::Cancelled);
    assert_eq!((dialler.open_count(), listener.open_count()), (0, 0));
}

/// A peer that drains need not wait for what it has not seen.
#[test]
fn a_drain_refuses_what_has_not_left() {
    let (mut dialler, mut listener) = pair(100);
    let seen = dialler.open("a".into(), open(1, b"", None)).unwrap();
    hand_over(&mut dialler, &mut listener);
    let unseen = dialler.open("a".into(), open(2, b"", None)).unwrap();

    listener.drain(Duration::ZERO);
    let ping = listener.ping();
    assert_eq!(hand_over(&mut listener, &mut dialler), []);
    assert_eq!(receive(&mut dialler, seen), None);
    let refused = receive(&mut dialler, unseen).unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.hop.as_str()), (Reason::Draining, "hub.test"));
    let refused = dialler.open("a".into(), open(3, b"", None)).unwrap_err();
    assert_eq!(refused.reason, Reason::Draining);

    assert!(!listener.has_answered(ping));
    assert_eq!(hand_over(&mut dialler, &mut listener), [], "nothing new is on its way");
    assert!(listener.has_answered(ping));
}

/// A thousand that end at once, each with a sentence, are still messages that a peer takes.
#[test]
fn batches_fit_a_message_whatever_is_in_them() {
    let (mut dialler, _) = pair(2 * 4096);
    let mut keys = Vec::new();
    let long: HopName = "n".repeat(253).parse().unwrap();
    for _ in 0..4096 {
        let mut small = open(1, b"", None);
        small.hop.hops = vec![HopTime { hop: long.clone(), elapsed: Duration::MAX }; 6];
        keys.push(dialler.open("a".into(), small).unwrap());
    }
    let mut batches = Vec::new();
    let mut take = |dialler: &mut Book| {
        while let Poll::Ready(batch) = dialler.poll_take(&Context::from_waker(Waker::noop())) {
            batches.push(write_batch(batch.unwrap()).encoded_len());
        }
    };
    take(&mut dialler);
    for key in keys {
        let detail = "d".repeat(512);
        dialler.cancel(key, Problem::new(Reason::ProtocolViolation, long.clone(), detail));
    }
    take(&mut dialler);
    assert!(batches.iter().all(|bytes| *bytes <= BATCH_WIRE_BYTES_MAX), "{batches:?}");
}

/// Whoever opens and cancels without end while nothing leaves holds no memory by it.
#[test]
fn cancelled_exchanges_leave_nothing_in_the_outbox() {
    let (mut dialler, mut listener) = pair(4);
    for turn in 0..10_000 {
        let close = (turn % 2 == 0).then(Close::default);
        let key = dialler.open("a".into(), open(turn, b"body", close)).unwrap();
        dialler.release(key);
        assert!(dialler.is_empty(), "{turn}");
    }
    dialler.open("a".into(), open(1, b"", None)).unwrap();
    hand_over(&mut dialler, &mut listener);
    listener.receive(Frame::Cancel { exchange: 1, problem: problem(Reason::Cancelled) }).unwrap();
    listener.release(1);
    assert!(listener.is_empty());
}

/// What this side's own limits refuse costs it that exchange alone, not the lane.
#[test]
fn openings_beyond_the_limits_are_refused_here() {
    let (mut dialler, _) = pair(4);
    let hop = HopTime { hop: "hub.test".parse().unwrap(), elapsed: Duration::ZERO };
    let large = |length: usize| Bytes::from(vec![0; length]);
    let good = open(1, b"", None);
    let cases = [
        ("no header", Open { header: Bytes::new(), ..good.clone() }),
        ("header", Open { header: large(8193), ..good.clone() }),
        ("head", Open { head: large(32_769), ..good.clone() }),
        ("body", Open { body: large(DATA_BYTES_MAX + 1), ..good.clone() }),
        ("hops", Open { hop: Hop { hops: vec![hop; 7], ..Hop::default() }, ..good.clone() }),
        ("tail", open(1, b"", Some(Close { tail: large(8193), ..Close::default() }))),
    ];
    for (why, bad) in cases {
        let refused = dialler.open("a".into(), bad).unwrap_err();
        assert_eq!(refused.reason, Reason::Internal, "{why}");
        assert!(dialler.is_empty() && dialler.open_count() == 0, "{why}");
    }
    let key = dialler.open("a".into(), good).unwrap();
    assert!(dialler.close(key, Close { tail: large(8193), ..Close::default() }).is_err());
    dialler.close(key, Close::default()).unwrap();
}

/// With many exchanges of endless data, each gets its turn.
#[test]
fn no_exchange_starves() {
    const EXCHANGES: u64 = 200;
    let (mut dialler, mut listener) = pair(2 * EXCHANGES as u32);
    let flow = |index: u64| if index < EXCHANGES - 2 { "many" } else { "few" };
    let mut begin = |index| dialler.open(flow(index).into(), open(index, b"", None)).unwrap();
    let keys: Vec<u64> = (0..EXCHANGES).map(&mut begin).collect();
    let mut numbers = Vec::new();
    for frame in take_all(&mut dialler) {
        let arrived = listener.receive(frame).unwrap().unwrap();
        let index = u64::from_be_bytes(arrived.open.header[..].try_into().unwrap());
        numbers.push((arrived.number, index));
    }
    let body = Bytes::from(vec![0; 1 << 20]);
    let mut got: BTreeMap<u64, usize> = BTreeMap::new();
    // A batch carries seven full frames, half of them of `many`: each of its exchanges has a turn
    // in 57 batches.
    for _ in 0..60 {
        for key in &keys {
            assert!(send(&mut dialler, *key, &mut body.clone()).is_pending(), "data is endless");
        }
        let taken = dialler.poll_take(&Context::from_waker(Waker::noop()));
        let Poll::Ready(Some(batch)) = taken else { panic!("nothing to send") };
        receive_all(&mut listener, batch);
        for (number, index) in numbers.iter().copied() {
            while let Some(Ok(Event::Data(body))) = receive(&mut listener, number) {
                *got.entry(index).or_default() += body.len();
            }
        }
        hand_over(&mut listener, &mut dialler);
    }
    assert_eq!(got.len() as u64, EXCHANGES, "each got something");
    let (least, most) = (got.values().min().unwrap(), got.values().max().unwrap());
    assert!(DATA_BYTES_MAX <= *least, "{least} of {most}");
    let few: usize = got.values().rev().take(2).sum();
    let all: usize = got.values().sum();
    assert!(all / 3 <= few, "flows share evenly: {few} of {all}");
}
