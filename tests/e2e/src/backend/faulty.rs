//! A service that writes bytes as its path asks: what no HTTP server would send.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Serves for as long as the test's runtime lives, and counts what it is asked in `requests`.
pub(super) async fn serve(listener: TcpListener, requests: Arc<AtomicU64>) {
    while let Ok((socket, _)) = listener.accept().await {
        let requests = Arc::clone(&requests);
        tokio::spawn(async move {
            // It fails when the agent has left.
            let _ = misbehave(socket, &requests).await;
        });
    }
}

async fn misbehave(socket: TcpStream, requests: &AtomicU64) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut first = String::new();
    // Whoever only looks whether somebody listens has asked nothing.
    if socket.read_line(&mut first).await? == 0 {
        return Ok(());
    }
    let mut line = String::new();
    while 2 < socket.read_line(&mut line).await? {
        line.clear();
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let path = first.split(' ').nth(1).unwrap_or_default();
    socket.write_all(bytes(path.trim_start_matches('/')).as_bytes()).await
}

fn bytes(how: &str) -> String {
    let ok = "HTTP/1.1 200 OK\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    match how {
        "nothing" => String::new(),
        "half" => format!("{ok}Content-Length: 10\r\n\r\n12345"),
        "bad-chunk" => format!("{ok}{chunked}\r\n5\r\n12345\r\nzz\r\n"),
        "two-lengths" => format!("{ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
        "both-lengths" => format!("{ok}Content-Length: 2\r\n{chunked}\r\n2\r\nab\r\n0\r\n\r\n"),
        "large-head" => format!("{ok}X-Own: {}\r\n\r\n", "x".repeat(100_000)),
        "status-999" => "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n".into(),
        "status-101" => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".into(),
        _ => "this is no HTTP\r\n\r\n".into(),
    }
}
