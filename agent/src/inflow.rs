//! A body as it comes out of the mesh, held against what its header says of it.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::{Bytes, BytesMut};
use mesh_core::exchange::Digest;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_link::exchange::{Event, Exchange};
use mesh_proto::frame::Close;

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut value = Digest([0; 32]);
    value.0.copy_from_slice(digest(&SHA256, bytes).as_ref());
    value
}

/// See the module. Nothing of it may be passed on as whole before [`Inflow::is_whole`].
#[derive(Debug)]
pub(crate) struct Inflow {
    exchange: Arc<Exchange>,
    hop: HopName,
    /// What came inside the `Open`.
    first: Bytes,
    closed: Option<Close>,
    tally: Tally,
}

/// Counts a streamed body against what it should have.
#[derive(Debug)]
struct Tally {
    declared: Option<u64>,
    received: u64,
    /// The last part of a body whose length was declared waits here for its `Close`: its reader
    /// takes that length for the end.
    held: Option<Bytes>,
    whole: bool,
}

impl Inflow {
    /// The body that began with `first` and `closed` at this end, the node `hop`.
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        hop: HopName,
        (first, closed): (Bytes, Option<Close>),
    ) -> Self {
        let tally = Tally { declared: None, received: 0, held: None, whole: false };
        Self { exchange, hop, first, closed, tally }
    }

    /// All of an inline body, if it is the one with this digest and length.
    pub(crate) async fn collect(&mut self, length: u32, want: Digest) -> Result<Bytes, Problem> {
        let length = length as usize;
        let mut body = Bytes::new();
        let mut parts = BytesMut::new();
        while let Some(part) = self.part().await? {
            if length < parts.len() + body.len() + part.len() {
                return Err(self.corrupt(format!("the body is longer than {length} bytes")));
            }
            // Most bodies come in one part, and need no copy.
            if body.is_empty() && parts.is_empty() {
                body = part;
                continue;
            }
            parts.extend_from_slice(&std::mem::take(&mut body));
            parts.extend_from_slice(&part);
        }
        let body = if parts.is_empty() { body } else { parts.freeze() };
        if body.len() != length {
            let found = body.len();
            return Err(self.corrupt(format!("the body has {found} bytes instead of {length}")));
        }
        if sha256(&body) != want {
            return Err(self.corrupt("the body has another digest than its header says"));
        }
        Ok(body)
    }

    /// Says what a streamed body should have in all, if its header does.
    pub(crate) fn expect(mut self, declared: Option<u64>) -> Self {
        self.tally.declared = declared;
        self
    }

    /// Holds a streamed body that came whole inside its opening against what its header says. If it
    /// is wrong, it is refused as a whole and not begun.
    pub(crate) fn check_opening(&self) -> Result<(), Problem> {
        let Some(close) = &self.closed else { return Ok(()) };
        let mut tally = Tally { held: None, ..self.tally };
        let taken = tally.take(self.first.clone());
        taken.and_then(|_| tally.end(close.length)).map_err(|why| self.corrupt(why))?;
        Ok(())
    }

    /// The next part of a streamed body; `None` behind its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        while !self.tally.whole {
            let taken = match self.event().await? {
                Event::Data(part) => self.tally.take(part),
                Event::Close(close) => return self.end(&close),
                Event::Open(_) => return Err(self.out_of_order()),
            };
            if let Some(part) = taken.map_err(|why| self.corrupt(why))? {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// Has all of a streamed body been given out, and was it what it should be?
    pub(crate) fn is_whole(&self) -> bool {
        self.tally.whole
    }

    /// Completes when the exchange breaks. Whatever else comes is thrown away: nobody wants it.
    pub(crate) async fn broken(&mut self) -> Problem {
        loop {
            if let Err(problem) = self.exchange.receive().await {
                return problem;
            }
        }
    }

    fn end(&mut self, close: &Close) -> Result<Option<Bytes>, Problem> {
        self.tally.end(close.length).map_err(|why| self.corrupt(why))
    }

    async fn part(&mut self) -> Result<Option<Bytes>, Problem> {
        match self.event().await? {
            Event::Data(part) => Ok(Some(part)),
            Event::Close(_) => Ok(None),
            Event::Open(_) => Err(self.out_of_order()),
        }
    }

    async fn event(&mut self) -> Result<Event, Problem> {
        if !self.first.is_empty() {
            return Ok(Event::Data(std::mem::take(&mut self.first)));
        }
        match self.closed.take() {
            Some(close) => Ok(Event::Close(close)),
            None => self.exchange.receive().await,
        }
    }

    fn corrupt(&self, detail: impl Into<String>) -> Problem {
        Problem::new(Reason::BodyCorrupt, self.hop.clone(), detail)
    }

    fn out_of_order(&self) -> Problem {
        Problem::new(Reason::Internal, self.hop.clone(), "an opening in the middle of a body")
    }
}

impl Tally {
    /// Counts `part`, and gives it out unless it must wait.
    fn take(&mut self, part: Bytes) -> Result<Option<Bytes>, String> {
        self.received += part.len() as u64;
        match self.declared {
            Some(declared) if declared < self.received => {
                Err(format!("the body is longer than {declared} bytes"))
            }
            Some(declared) if declared == self.received => {
                self.held = Some(part);
                Ok(None)
            }
            _ => Ok(Some(part)),
        }
    }

    /// Holds the end of the body against what came, and gives out what had to wait.
    fn end(&mut self, length: Option<u64>) -> Result<Option<Bytes>, String> {
        let Self { declared, received, .. } = *self;
        let says = |length: Option<u64>| length.map_or("nothing".into(), |n| n.to_string());
        if length != Some(received) || declared.is_some_and(|declared| declared != received) {
            let (header, end) = (says(declared), says(length));
            return Err(format!(
                "{received} body bytes came, header and end say {header} and {end}"
            ));
        }
        self.whole = true;
        Ok(self.held.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(declared: Option<u64>) -> Tally {
        Tally { declared, received: 0, held: None, whole: false }
    }

    #[test]
    fn the_last_part_of_a_known_length_waits_for_its_end() {
        let mut tally = tally(Some(3));
        let (ab, c) = (Bytes::from_static(b"ab"), Bytes::from_static(b"c"));
        assert_eq!(tally.take(ab.clone()), Ok(Some(ab)));
        assert_eq!(tally.take(c.clone()), Ok(None));
        assert!(!tally.whole);
        assert_eq!(tally.end(Some(3)), Ok(Some(c)));
        assert!(tally.whole);
    }

    #[test]
    fn a_body_is_what_its_header_and_its_end_say() {
        let came = "2 body bytes came, header and end say";
        #[rustfmt::skip]
        let cases = [
            // Declared  Received  At the end  Want
            (None,       2,        Some(2),    String::new()),
            (Some(2),    2,        Some(2),    String::new()),
            (None,       0,        Some(0),    String::new()),
            (None,       2,        None,       format!("{came} nothing and nothing")),
            (None,       2,        Some(3),    format!("{came} nothing and 3")),
            (Some(3),    2,        Some(2),    format!("{came} 3 and 2")),
            (Some(2),    2,        Some(3),    format!("{came} 2 and 3")),
            (Some(1),    2,        Some(2),    "the body is longer than 1 bytes".into()),
        ];
        for (declared, received, length, want) in cases {
            let mut tally = tally(declared);
            let taken = tally.take(Bytes::from(vec![0; received]));
            let said = taken.and_then(|_| tally.end(length)).err().unwrap_or_default();
            assert_eq!(said, want, "{declared:?} {received} {length:?}");
        }
    }

    #[test]
    fn digests_are_sha_256() {
        // FIPS 180-4, "abc".
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc").to_string(), want);
    }
}
