//! A way to one member that can lose answers and connections, as a network does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Listens on loopback and passes bytes on, both ways. Ends with its value.
#[derive(Debug)]
pub struct Detour {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    loses_answers: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Detour {
    pub fn to(member: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::<Shared>::default();
        let accepted = Arc::clone(&shared);
        let accepting = Some(thread::spawn(move || accept(&listener, member, &accepted)));
        Self { address, shared, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the member hears its clients, and they do not hear it.
    pub fn lose_answers(&self) {
        self.shared.loses_answers.store(true, Ordering::SeqCst);
    }

    /// Breaks all connections. New ones work in both directions.
    pub fn cut(&self) {
        let mut open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.loses_answers.store(false, Ordering::SeqCst);
        for stream in open.drain(..) {
            // It may have been closed by its own ends before.
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _woken = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
        self.cut();
    }
}

fn accept(listener: &TcpListener, member: SocketAddr, shared: &Arc<Shared>) {
    while let Ok((client, _)) = listener.accept() {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        // A member that does not listen is, for the client, a connection that closes.
        if let Ok(server) = TcpStream::connect(member) {
            join(client, server, shared);
        }
    }
}

fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let clones = (client.try_clone(), server.try_clone());
    let (Ok(client_too), Ok(server_too)) = clones else { return };
    let kept = [client.try_clone(), server.try_clone()].into_iter().flatten();
    shared.open.lock().unwrap_or_else(PoisonError::into_inner).extend(kept);
    let (up, down) = (Arc::clone(shared), Arc::clone(shared));
    thread::spawn(move || pass(client, server, || up.is_over.load(Ordering::SeqCst)));
    thread::spawn(move || {
        pass(server_too, client_too, || down.loses_answers.load(Ordering::SeqCst));
    });
}

/// Copies until one end closes, then closes the other. What is read while `loses` is dropped.
fn pass(mut from: TcpStream, mut to: TcpStream, loses: impl Fn() -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !loses() && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
