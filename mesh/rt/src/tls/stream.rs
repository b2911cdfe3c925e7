//! A TLS connection together with who is at its other end.

use std::io::{self, IoSlice};
use std::pin::Pin;
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
#[derive(Debug)]
pub struct Secured<S> {
    stream: S,
    peer: PeerIdentity,
    /// The peer's first byte, read ahead to learn that it let us in.
    ahead: Option<u8>,
    /// The listener's count of connections goes down when this is dropped.
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Secured<S> {
    pub(super) fn new(stream: S, peer: PeerIdentity) -> Self {
        Self { stream, peer, ahead: None, _permit: None }
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
