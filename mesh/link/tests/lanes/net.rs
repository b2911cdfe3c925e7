//! A network in memory: lines that a test can silence, as a partition does, or break.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use hyper_util::rt::TokioIo;
use mesh_core::node::NodeName;
use mesh_link::dial::Connect;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint};

/// What a line holds in each direction, as a socket's buffers do.
const LINE_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    #[default]
    Up,
    /// Nothing passes, and nobody is told.
    Silent,
    Broken,
}

/// The state of all lines that were dialled through one [`Road`].
#[derive(Debug, Default)]
struct Line {
    state: Mutex<State>,
    waiting: Mutex<Vec<Waker>>,
}

impl Line {
    fn set(&self, state: State) {
        *self.state.lock().unwrap() = state;
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// May bytes pass? Remembers who asks, so that a change wakes him.
    fn poll(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let mut waiting = self.waiting.lock().unwrap();
        waiting.retain(|waker| !waker.will_wake(context.waker()));
        waiting.push(context.waker().clone());
        match *self.state.lock().unwrap() {
            State::Up => Poll::Ready(Ok(())),
            State::Silent => Poll::Pending,
            State::Broken => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

/// One end of a connection; the listening one knows who dialled.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: DuplexStream,
    line: Arc<Line>,
    from: Option<NodeName>,
}

/// Whom a connection proved to be at its other end.
#[derive(Clone, Debug)]
pub(crate) struct From(pub(crate) NodeName);

impl Connected for Socket {
    type ConnectInfo = From;

    fn connect_info(&self) -> From {
        From(self.from.clone().expect("only listening ends are asked"))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(self.line.poll(context))?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.line.poll(context))?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The way from one node to whoever listens at its end.
#[derive(Debug)]
pub(crate) struct Road {
    from: NodeName,
    state: Mutex<RoadState>,
}

#[derive(Debug)]
struct RoadState {
    door: mpsc::Sender<Socket>,
    line: Arc<Line>,
    /// When somebody dialled.
    dialled: Vec<Instant>,
}

/// Where sockets arrive.
pub(crate) type Door = mpsc::Sender<Socket>;

impl Road {
    pub(crate) fn new(from: NodeName, door: Door) -> Arc<Self> {
        let state = RoadState { door, line: Arc::default(), dialled: Vec::new() };
        Arc::new(Self { from, state: Mutex::new(state) })
    }

    /// From now on nothing passes, on what stands as on what will be dialled.
    pub(crate) fn silence(&self) {
        self.state.lock().unwrap().line.set(State::Silent);
    }

    /// Breaks what stands; what is dialled later is sound.
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        let broken = std::mem::take(&mut state.line);
        broken.set(State::Broken);
    }

    /// What is dialled from now on arrives at another door.
    pub(crate) fn lead_to(&self, door: Door) {
        self.state.lock().unwrap().door = door;
    }

    pub(crate) fn dialled(&self) -> Vec<Instant> {
        self.state.lock().unwrap().dialled.clone()
    }

    fn socket(&self) -> io::Result<Socket> {
        let (near, far) = duplex(LINE_BYTES);
        let mut state = self.state.lock().unwrap();
        state.dialled.push(Instant::now());
        let line = Arc::clone(&state.line);
        let far = Socket { stream: far, line: Arc::clone(&line), from: Some(self.from.clone()) };
        state.door.try_send(far).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Socket { stream: near, line, from: None })
    }
}

/// A [`Road`] as a node takes it.
#[derive(Debug)]
pub(crate) struct Traveller(pub(crate) Arc<Road>);

#[tonic::async_trait]
impl Connect for Traveller {
    async fn connect(&self) -> Result<Channel, Box<dyn Error + Send + Sync>> {
        let road = Arc::clone(&self.0);
        let connector = tower::service_fn(move |_| {
            let socket = road.socket();
            async { socket.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://upper.test");
        Ok(endpoint.connect_with_connector(connector).await?)
    }

    fn explain(&self, error: &(dyn Error + 'static)) -> String {
        error.to_string()
    }
}
