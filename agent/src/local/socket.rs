//! A connection of an application that can end so that nobody takes its end for that of an answer,
//! and on which what hyper answers by itself gets a reason.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::own::OwnAnswer;

/// Puts a reason into an answer of hyper's own.
pub(super) type Explain = Arc<dyn Fn(&OwnAnswer) -> Bytes + Send + Sync>;

/// See the module.
pub(super) struct Socket {
    stream: TokioIo<TcpStream>,
    ending: Ending,
    explain: Explain,
    /// The last that was written, if it may be hyper's own answer.
    held: Option<OwnAnswer>,
    /// What goes out before anything else.
    owed: Bytes,
}

/// How a connection ends; shared by the socket and whoever knows. Cheap to clone.
///
/// To an application that speaks HTTP/1.0, the end of the connection is the end of an answer whose
/// length it was not told. If that answer broke off, the connection must not end like others.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending(Arc<AtomicBool>);

impl Ending {
    /// The connection is to be reset when it is dropped.
    pub(super) fn reset(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream, explain: Explain) -> (Self, Ending) {
        let ending = Ending::default();
        let (stream, owed) = (TokioIo::new(stream), Bytes::new());
        (Self { stream, ending: ending.clone(), explain, held: None, owed }, ending)
    }

    /// Writes all that is owed.
    fn poll_pay(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.owed.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.owed))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.owed.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Something follows what was held: so that was no end, and goes out as it is.
    fn let_go(&mut self) {
        if let Some(held) = self.held.take() {
            self.owed = held.unchanged();
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.ending.0.load(Ordering::Relaxed) {
            // A connection that is gone already needs no end.
            let _ = self.stream.inner().set_zero_linger();
        }
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pay(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(own) = self.held.take() {
            self.owed = (self.explain)(&own);
        }
        ready!(self.poll_pay(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.let_go();
        ready!(self.poll_pay(context))?;
        let mut filled = parts.iter().filter(|part| !part.is_empty());
        if let (Some(only), None) = (filled.next(), filled.next())
            && let Some(own) = OwnAnswer::read(only)
        {
            self.held = Some(own);
            return Poll::Ready(Ok(only.len()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}
