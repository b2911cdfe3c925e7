//! Random schedules from a seed: two honest books, whatever the order of things, against a model.

use std::collections::VecDeque;
use std::fmt::Debug;

use mesh_core::limits::{BATCH_BYTES_MAX, BATCH_FRAMES_MAX, DATA_BYTES_MAX};

use super::*;
use crate::book::QUEUED_BYTES_MAX;
use crate::outbox::cost_bytes;

const SEEDS: u64 = 300;
const SEEDS_LONG: u64 = 30_000;
const STEPS: usize = 500;

#[test]
fn honest_ends_keep_every_promise_in_any_order() {
    let seeds = match std::env::var("MESH_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("MESH_SEED is a number");
            seed..seed + 1
        }
        Err(_) if std::env::var_os("MESH_LONG").is_some() => 0..SEEDS_LONG,
        Err(_) => 0..SEEDS,
    };
    for seed in seeds {
        let said = std::panic::catch_unwind(|| World::new(seed).run());
        assert!(said.is_ok(), "failed with MESH_SEED={seed}");
    }
}

/// A small generator whose stream depends on its seed alone (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

struct World {
    random: Random,
    terms: Terms,
    /// How often it drains, in 1 of so many steps.
    drain_chances: usize,
    books: [Book; 2],
    /// What side 0, or side 1, has sent and the other has not received.
    wires: [VecDeque<Frame>; 2],
    writers: [Option<Arc<Bell>>; 2],
    talks: Vec<Talk>,
}

/// One exchange in the model.
struct Talk {
    asker: usize,
    /// Of side 0, and of side 1.
    ends: [Part; 2],
}

/// What one side of an exchange did and saw.
#[derive(Debug, Default)]
struct Part {
    /// Set while somebody holds it.
    key: Option<u64>,
    opened: bool,
    closed: bool,
    /// Body bytes given to the book, and got from the other.
    sent: usize,
    received: usize,
    saw_open: bool,
    saw_close: bool,
    /// This side broke it off, or let it go.
    left: bool,
    /// The direction was whole when this side left.
    left_whole: bool,
    broken: Option<Reason>,
    receiver: Option<Arc<Bell>>,
    sender: Option<Arc<Bell>>,
}

/// The byte at `offset` of what `side` says in `talk`.
fn byte(talk: usize, side: usize, offset: usize) -> u8 {
    (offset.wrapping_mul(31) ^ (offset >> 8) ^ talk.wrapping_mul(7) ^ (side << 7)) as u8
}

fn body(talk: usize, side: usize, range: std::ops::Range<usize>) -> Bytes {
    range.map(|offset| byte(talk, side, offset)).collect()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let credit = random.pick(&[1, 7, 300, 5_000, 16_384, 65_536]);
        let terms = terms(random.pick(&[1, 2, 3, 8, 64]), credit);
        Self {
            drain_chances: random.pick(&[50, 1_000, usize::MAX]),
            random,
            terms,
            books: [book(End::Dialler, terms), book(End::Listener, terms)],
            wires: Default::default(),
            writers: Default::default(),
            talks: Vec::new(),
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            self.step();
            self.check();
        }
        if self.random.one_in(2) {
            self.finish();
        }
        self.let_go();
    }

    fn step(&mut self) {
        let side = self.random.below(2);
        if self.random.one_in(self.drain_chances) {
            self.books[side].drain(std::time::Duration::ZERO);
        }
        match self.random.below(16) {
            0..2 => self.open(side),
            2..5 => {
                self.take(side);
            }
            5..9 => {
                let count = self.random.below(12);
                self.deliver(side, count);
            }
            _ => self.act(side),
        }
    }

    /// Something with one of the exchanges that `side` holds.
    fn act(&mut self, side: usize) {
        let held: Vec<usize> =
            (0..self.talks.len()).filter(|talk| self.part(*talk, side).key.is_some()).collect();
        if held.is_empty() {
            return;
        }
        let talk = self.random.pick(&held);
        match self.random.below(24) {
            0..7 => self.receive(talk, side),
            7..12 => {
                let length = 1 + self.random.below(40_000);
                self.send(talk, side, length);
            }
            12..16 => self.answer(talk, side),
            16..20 => self.close(talk, side),
            20 => self.cancel(talk, side),
            21 => self.let_go_of(talk, side),
            _ => {
                self.books[side].ping();
            }
        }
    }

    fn part(&mut self, talk: usize, side: usize) -> &mut Part {
        &mut self.talks[talk].ends[side]
    }

    /// An opening with some of a body, and perhaps its end.
    fn beginning(&mut self, talk: usize, side: usize) -> Open {
        let most = DATA_BYTES_MAX.min(self.terms.send_bytes as usize);
        let length = if self.random.one_in(2) { 0 } else { self.random.below(most + 1) };
        let whole = self.random.one_in(3);
        let end = Close { length: Some(length as u64), ..Close::default() };
        let begin = open(talk as u64, &body(talk, side, 0..length), whole.then_some(end));
        let part = self.part(talk, side);
        (part.opened, part.closed, part.sent) = (true, whole, length);
        begin
    }

    fn open(&mut self, side: usize) {
        let talk = self.talks.len();
        self.talks.push(Talk { asker: side, ends: Default::default() });
        let begin = self.beginning(talk, side);
        let flow = self.random.pick(&["a", "b", "c"]).into();
        match self.books[side].open(flow, begin) {
            Ok(key) => self.part(talk, side).key = Some(key),
            Err(problem) => {
                self.talks.pop();
                match problem.reason {
                    Reason::Overloaded => {
                        assert_eq!(self.books[side].ours_open, self.terms.ours_max);
                    }
                    Reason::Draining => assert!(self.books[side].draining_there),
                    other => panic!("cannot open: {other}"),
                }
            }
        }
    }

    fn answer(&mut self, talk: usize, side: usize) {
        if self.talks[talk].asker == side || self.part(talk, side).opened {
            return;
        }
        let Some(key) = self.part(talk, side).key else { return };
        let begin = self.beginning(talk, side);
        let result = self.books[side].answer(key, begin);
        if let Some(problem) = self.allowed(talk, side, result) {
            let part = self.part(talk, side);
            (part.closed, part.sent, part.broken) = (false, 0, Some(problem));
        }
    }

    fn send(&mut self, talk: usize, side: usize, length: usize) {
        let part = self.part(talk, side);
        let Some(key) = part.key.filter(|_| part.opened && !part.closed) else { return };
        let mut unsent = body(talk, side, part.sent..part.sent + length);
        part.sent += length;
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let sent = self.books[side].poll_send(key, &mut unsent, &Context::from_waker(&waker));
        let part = self.part(talk, side);
        part.sent -= unsent.len();
        part.sender = sent.is_pending().then_some(bell);
        if let Poll::Ready(result) = sent {
            self.allowed(talk, side, result);
        }
    }

    fn close(&mut self, talk: usize, side: usize) {
        let part = self.part(talk, side);
        let Some(key) = part.key.filter(|_| part.opened && !part.closed) else { return };
        part.sender = None;
        let end = Close { length: Some(part.sent as u64), ..Close::default() };
        part.closed = true;
        let result = self.books[side].close(key, end);
        if self.allowed(talk, side, result).is_some() {
            self.part(talk, side).closed = false;
        }
    }

    fn cancel(&mut self, talk: usize, side: usize) {
        let part = self.part(talk, side);
        let Some(key) = part.key else { return };
        if !part.left {
            (part.left, part.left_whole) = (true, part.closed);
        }
        self.books[side].cancel(key, problem(Reason::Cancelled));
    }

    fn let_go_of(&mut self, talk: usize, side: usize) {
        let part = self.part(talk, side);
        let Some(key) = part.key.take() else { return };
        if !part.left {
            (part.left, part.left_whole) = (true, part.closed);
        }
        (part.receiver, part.sender) = (None, None);
        self.books[side].release(key);
    }

    /// What went wrong, if it is what may go wrong between honest ends.
    fn allowed<T: Debug>(
        &mut self,
        talk: usize,
        side: usize,
        result: Result<T, Problem>,
    ) -> Option<Reason> {
        let reason = result.err()?.reason;
        let ours = self.talks[talk].asker == side;
        let other_left = self.part(talk, 1 - side).left;
        let left = self.part(talk, side).left;
        match reason {
            Reason::Cancelled => assert!(left || other_left, "talk {talk}: nobody left"),
            Reason::Draining => assert!(ours && (other_left || self.books[side].draining_there)),
            // Checked where the other side refuses it.
            Reason::Overloaded => assert!(ours),
            other => panic!("talk {talk} broke with {other}"),
        }
        self.part(talk, side).broken = Some(reason);
        Some(reason)
    }

    fn receive(&mut self, talk: usize, side: usize) {
        let Some(key) = self.part(talk, side).key else { return };
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let event = self.books[side].poll_receive(key, &Context::from_waker(&waker));
        self.part(talk, side).receiver = event.is_pending().then_some(bell);
        match event {
            Poll::Pending => {}
            Poll::Ready(Ok(Event::Open(open))) => {
                let part = self.part(talk, side);
                assert!(!std::mem::replace(&mut part.saw_open, true), "answered twice");
                self.got(talk, side, &open.body);
                self.got_close(talk, side, open.close);
            }
            Poll::Ready(Ok(Event::Data(body))) => {
                assert!(self.part(talk, side).saw_open && !self.part(talk, side).saw_close);
                self.got(talk, side, &body);
            }
            Poll::Ready(Ok(Event::Close(end))) => self.got_close(talk, side, Some(end)),
            Poll::Ready(Err(problem)) => {
                let asks = self.talks[talk].asker == side;
                let [here, there] = [side, 1 - side].map(|side| &self.talks[talk].ends[side]);
                let promised = there.closed && (!there.left || (asks && there.left_whole));
                let got_it = here.left || here.saw_close;
                assert!(got_it || !promised, "talk {talk}: a whole answer was lost");
                self.allowed::<()>(talk, side, Err(problem));
            }
        }
    }

    fn got(&mut self, talk: usize, side: usize, got: &[u8]) {
        let from = self.part(talk, side).received;
        let want = body(talk, 1 - side, from..from + got.len());
        assert_eq!(got, want, "talk {talk}: byte {from} and on");
        self.part(talk, side).received += got.len();
        let sent = self.part(talk, 1 - side).sent;
        assert!(self.part(talk, side).received <= sent, "talk {talk}: more than was sent");
    }

    fn got_close(&mut self, talk: usize, side: usize, close: Option<Close>) {
        let Some(close) = close else { return };
        let part = self.part(talk, side);
        assert!(!std::mem::replace(&mut part.saw_close, true), "closed twice");
        assert_eq!(close.length, Some(part.received as u64), "talk {talk}: cut short");
    }

    fn take(&mut self, side: usize) -> bool {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let Poll::Ready(batch) = self.books[side].poll_take(&Context::from_waker(&waker)) else {
            self.writers[side] = Some(bell);
            return false;
        };
        self.writers[side] = None;
        let batch = batch.expect("the lane has not ended");
        assert!((1..=BATCH_FRAMES_MAX).contains(&batch.len()));
        assert!(batch.iter().map(cost_bytes).sum::<usize>() <= BATCH_BYTES_MAX);
        self.wires[side].extend(batch);
        true
    }

    /// The other side receives at most `count` frames of what `side` sent.
    fn deliver(&mut self, side: usize, count: usize) -> bool {
        let count = count.min(self.wires[side].len());
        for frame in self.wires[side].drain(..count).collect::<Vec<_>>() {
            let to = &mut self.books[1 - side];
            let opens = matches!(&frame, Frame::Open { exchange, .. } if !to.is_ours(*exchange));
            let arrived = to.receive(frame).unwrap_or_else(|why| panic!("a violation: {why}"));
            if let Some(arrived) = arrived {
                let header = arrived.open.header[..].try_into().expect("eight bytes");
                let talk = u64::from_be_bytes(header) as usize;
                let part = self.part(talk, 1 - side);
                (part.key, part.saw_open) = (Some(arrived.number), true);
                self.got(talk, 1 - side, &arrived.open.body);
                self.got_close(talk, 1 - side, arrived.open.close);
                self.books[1 - side].read(arrived.number, arrived.open.body.len());
            } else if opens {
                // Its opener is below the limit, or it would not have opened.
                assert!(2 * self.terms.theirs_max <= to.theirs_held, "refused without need");
            }
        }
        0 < count
    }

    /// What must hold at any time.
    fn check(&mut self) {
        for book in &mut self.books {
            std::mem::take(&mut book.wakes).into_iter().for_each(Waker::wake);
        }
        for (book, writer) in self.books.iter().zip(&self.writers) {
            let waits = writer.as_ref().is_some_and(|bell| !bell.has_rung());
            assert!(!waits || book.outbox.is_empty(), "the writer sleeps");
            self.check_counts(book);
        }
        for (index, talk) in self.talks.iter().enumerate() {
            for (part, book) in talk.ends.iter().zip(&self.books) {
                check_wakes(index, part, book);
            }
        }
    }

    fn check_counts(&self, book: &Book) {
        let count = |of: &dyn Fn(&super::super::Slot) -> bool| {
            book.slots.values().filter(|slot| of(slot)).count() as u32
        };
        assert_eq!(book.ours_open, count(&|slot| slot.ours && slot.counted));
        assert_eq!(book.theirs_open, count(&|slot| !slot.ours && slot.counted));
        assert_eq!(book.theirs_held, count(&|slot| !slot.ours));
        assert!(book.ours_open <= self.terms.ours_max);
        assert!(book.theirs_open <= self.terms.theirs_max);
        let queued_max = QUEUED_BYTES_MAX + 2 * DATA_BYTES_MAX;
        for slot in book.slots.values() {
            let given = slot.receive_left as usize + slot.receive_owed as usize;
            assert!(given + slot.inbox_bytes() <= self.terms.receive_bytes as usize);
            assert!(slot.inbox.len() <= 3 + slot.inbox_bytes() / 1024, "not joined");
            assert!(slot.queued_bytes <= queued_max);
        }
        let each = self.terms.receive_bytes as usize + queued_max;
        assert!(book.waiting_bytes() <= book.slots.len() * each);
    }

    /// Everybody does what is left to do; what nobody left must arrive whole at both ends.
    fn finish(&mut self) {
        for round in 0.. {
            assert!(round < 100_000, "it does not come to an end");
            let before = self.progress();
            for talk in 0..self.talks.len() {
                for side in 0..2 {
                    self.answer(talk, side);
                    if self.part(talk, side).sender.is_some() {
                        self.send(talk, side, 1);
                    } else {
                        self.close(talk, side);
                    }
                    self.receive(talk, side);
                }
            }
            let moved = self.pass_on();
            self.check();
            if !moved && self.progress() == before {
                break;
            }
        }
        for (index, talk) in self.talks.iter().enumerate() {
            let undisturbed = |part: &Part| !part.left && part.broken.is_none();
            if talk.ends.iter().all(undisturbed) {
                let [one, other] = &talk.ends;
                assert!(one.saw_close && other.saw_close, "talk {index}: {:?}", talk.ends);
                assert_eq!((one.sent, one.received), (other.received, other.sent));
            }
        }
    }

    fn progress(&self) -> usize {
        let parts = self.talks.iter().flat_map(|talk| &talk.ends);
        let seen = |part: &Part| usize::from(part.saw_open) + usize::from(part.saw_close);
        parts.map(|part| part.sent + part.received + seen(part)).sum()
    }

    fn pass_on(&mut self) -> bool {
        (0..2).fold(false, |moved, side| {
            let taken = self.take(side);
            self.deliver(side, usize::MAX) || taken || moved
        })
    }

    /// When all is let go and everything has arrived, nothing is left.
    fn let_go(mut self) {
        for talk in 0..self.talks.len() {
            for side in 0..2 {
                self.let_go_of(talk, side);
                self.check();
            }
        }
        while self.pass_on() {
            // What had not arrived before is let go when it does.
            for talk in 0..self.talks.len() {
                (0..2).for_each(|side| self.let_go_of(talk, side));
            }
        }
        for book in &self.books {
            assert!(book.is_empty(), "something is left: {book:?}");
            assert_eq!((book.open_count(), book.theirs_held), (0, 0));
        }
    }
}

/// Whoever waits and was not woken has a reason to wait.
fn check_wakes(talk: usize, part: &Part, book: &Book) {
    let Some(slot) = part.key.and_then(|key| book.slots.get(&key)) else { return };
    let sleeps = |bell: &Option<Arc<Bell>>| bell.as_ref().is_some_and(|bell| !bell.has_rung());
    if sleeps(&part.receiver) {
        assert!(slot.inbox.is_empty() && slot.broken.is_none(), "talk {talk}: a reader sleeps");
    }
    if sleeps(&part.sender) {
        let full = slot.send_left == 0 || QUEUED_BYTES_MAX <= slot.queued_bytes;
        assert!(full && slot.broken.is_none(), "talk {talk}: a sender sleeps");
    }
}
