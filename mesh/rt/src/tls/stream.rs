//! A TLS connection together with who is at its other end.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tonic::transport::server::Connected;

use super::peer::PeerIdentity;

/// A connection that a peer opened.
pub type Accepted<IO> = Secured<tokio_rustls::server::TlsStream<IO>>;

/// A connection that we opened.
pub type Dialled<IO> = Secured<tokio_rustls::client::TlsStream<IO>>;

/// A TLS stream after its handshake. tonic puts the [`PeerIdentity`] into the extensions of every
/// request that comes over it.
pub struct Secured<S> {
    stream: S,
    peer: PeerIdentity,
    /// Completes when the peer may no longer be spoken to.
    cut: Option<Cut>,
    /// The peer's first byte, read ahead to learn that it let us in.
    ahead: Option<u8>,
    /// The listener's count of connections goes down when this is dropped.
    _permit: Option<OwnedSemaphorePermit>,
}

/// What a connection waits for beside its bytes.
type Cut = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Says when a connection that has just been secured must be broken off: a handshake asks for the
/// peer's key only once, and the key may be removed later.
#[derive(Clone)]
pub struct UntilCut(pub Arc<dyn Fn(&PeerIdentity) -> Cut + Send + Sync>);

impl<S> Secured<S> {
    pub(super) fn new(stream: S, peer: PeerIdentity) -> Self {
        Self { stream, peer, cut: None, ahead: None, _permit: None }
    }

    /// The same, broken off when `until` says. Whoever uses it always reads, and so learns it.
    pub(super) fn until_cut(self, until: &UntilCut) -> Self {
        let cut = Some((until.0)(&self.peer));
        Self { cut, ..self }
    }

    pub(super) fn counted(self, permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Some(permit), ..self }
    }

    /// Waits for the peer's first byte, which is still there to be read. An HTTP/2 server speaks
    /// first (RFC 9113 §3.4), and in TLS 1.3 its refusal of our certificate comes in that place.
    pub(super) async fn let_in(mut self) -> io::Result<Self>
    where
        S: AsyncRead + Unpin,
    {
        self.ahead = Some(self.stream.read_u8().await?);
        Ok(self)
    }

    pub fn peer(&self) -> &PeerIdentity {
        &self.peer
    }

    /// The TLS stream, for what this type does not show, such as the negotiated key exchange.
    pub fn tls(&self) -> &S {
        &self.stream
    }
}

impl<S> Connected for Secured<S> {
    type ConnectInfo = PeerIdentity;

    fn connect_info(&self) -> PeerIdentity {
        self.peer.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(cut) = &mut self.cut
            && cut.as_mut().poll(context).is_ready()
        {
            // It stays ready, and a future that has completed must not be asked again.
            self.cut = Some(Box::pin(std::future::ready(())));
            let why = "the key of the peer is no longer active in the directory";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, why)));
        }
        if 0 < buffer.remaining()
            && let Some(first) = self.ahead.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: fmt::Debug> fmt::Debug for Secured<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, peer, .. } = self;
        f.debug_struct("Secured")
            .field("stream", stream)
            .field("peer", peer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UntilCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCut").finish_non_exhaustive()
    }
}
