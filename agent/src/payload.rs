//! Bodies of HTTP messages: whole ones, and ones that come in parts and may break off.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use tokio::sync::mpsc;

/// What both HTTP sides of an agent send.
pub(crate) type Payload = UnsyncBoxBody<Bytes, Broken>;

/// A body that will never be whole. Whoever writes it to a connection breaks that off, so that
/// nobody takes a part for the whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct Broken;

/// Is an error of hyper about what came, and not about the connection that it came on?
pub(crate) fn is_unreadable(error: &(dyn Error + 'static)) -> bool {
    // A body whose chunks cannot be read is an error of I/O by its kind.
    let invalid =
        |io: &io::Error| matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput);
    cause::<io::Error>(error).is_some_and(invalid)
        || cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
}

/// The error of type `E` among `error` and its causes.
pub(crate) fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

pub(crate) fn whole(body: Bytes) -> Payload {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// The writing end of a body in parts. Dropped without [`Feed::end`], the body is broken.
#[derive(Debug)]
pub(crate) struct Feed(mpsc::Sender<Part>);

#[derive(Debug)]
enum Part {
    Data(Bytes),
    End,
}

/// Nobody reads the body any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Unread;

/// A body that is written in parts, each when the one before it was taken. `length` is what it will
/// have in all, if that is known.
pub(crate) fn in_parts(length: Option<u64>) -> (Feed, Payload) {
    let (feed, parts) = mpsc::channel(1);
    (Feed(feed), Pipe { parts, left: length, ended: false }.boxed_unsync())
}

impl Feed {
    pub(crate) async fn data(&self, data: Bytes) -> Result<(), Unread> {
        self.0.send(Part::Data(data)).await.map_err(|_| Unread)
    }

    /// The body is whole.
    pub(crate) async fn end(self) -> Result<(), Unread> {
        self.0.send(Part::End).await.map_err(|_| Unread)
    }
}

/// The reading end.
#[derive(Debug)]
struct Pipe {
    parts: mpsc::Receiver<Part>,
    left: Option<u64>,
    ended: bool,
}

impl Body for Pipe {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let part = ready!(self.parts.poll_recv(context));
        Poll::Ready(match part {
            Some(Part::Data(data)) => {
                let length = data.len() as u64;
                self.left = self.left.map(|left| left.saturating_sub(length));
                Some(Ok(Frame::data(data)))
            }
            Some(Part::End) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(Broken))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_was_ended_is_whole() {
        let (feed, body) = in_parts(Some(3));
        assert_eq!(body.size_hint().exact(), Some(3));
        let write = async {
            feed.data(Bytes::from_static(b"ab")).await?;
            feed.data(Bytes::from_static(b"c")).await?;
            feed.end().await
        };
        let (written, read) = tokio::join!(write, body.collect());
        assert_eq!((written, read.unwrap().to_bytes()), (Ok(()), Bytes::from_static(b"abc")));
    }

    #[tokio::test]
    async fn a_body_whose_writer_went_away_is_broken() {
        let (feed, body) = in_parts(None);
        let write = async {
            feed.data(Bytes::from_static(b"ab")).await.unwrap();
            drop(feed);
        };
        let ((), read) = tokio::join!(write, body.collect());
        assert_eq!(read.unwrap_err(), Broken);
    }

    #[tokio::test]
    async fn a_writer_learns_that_nobody_reads() {
        let (feed, body) = in_parts(None);
        drop(body);
        assert_eq!(feed.data(Bytes::from_static(b"ab")).await, Err(Unread));
    }
}
