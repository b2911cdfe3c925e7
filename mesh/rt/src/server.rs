//! The mesh port's HTTP/2 settings, the same at both ends of a link.

use http::Uri;
use mesh_core::limits::{HEARTBEAT_INTERVAL, PING_DEAD, PING_INTERVAL};
use tonic::transport::{Channel, Endpoint, Server};

/// Streams that a peer may have open on one connection: each lane has a connection of its own and
/// one stream on it, and a second may begin before the first has ended.
const STREAMS_MAX: u32 = 2;

/// Bytes under way on one stream: several full batches, so that a lane fills a long line.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// Bytes under way on one connection: as much again, so that the stream alone sets the pace.
const CONNECTION_WINDOW_BYTES: u32 = 2 * STREAM_WINDOW_BYTES;

/// One HTTP/2 frame. Fewer, larger frames cost less; larger ones hold up what is urgent.
const FRAME_BYTES_MAX: u32 = 64 * 1024;

/// Headers of one request. A link is opened with a few hundred bytes of them.
pub(crate) const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;

/// A server for the mesh port, to which a program adds its link service. TCP_NODELAY is the
/// listener's affair; a stream is as long as its link, so that no request has a timeout.
pub fn mesh_server() -> Server {
    Server::builder()
        // A mesh port speaks gRPC alone.
        .accept_http1(false)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_adaptive_window(Some(false))
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        // Links ping by themselves, and know a dead lane before HTTP/2 would. A follower of the
        // directory has nothing to say: only this tells one that is slow from one that is gone.
        .http2_keepalive_interval(Some(HEARTBEAT_INTERVAL))
        .http2_keepalive_timeout(Some(PING_DEAD))
}

/// The same for the end that dials `uri`. The connector brings TCP, TLS and their timeouts.
pub fn mesh_endpoint(uri: Uri) -> Endpoint {
    Channel::builder(uri)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_adaptive_window(false)
        .max_frame_size(FRAME_BYTES_MAX)
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
}

/// As [`mesh_endpoint`], for a stream on which nothing may come for long: HTTP/2 pings know a dead
/// connection, as a link's own pings do.
pub fn feed_endpoint(uri: Uri) -> Endpoint {
    mesh_endpoint(uri)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_DEAD - PING_INTERVAL)
        .keep_alive_while_idle(true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::transport::server::TcpIncoming;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;

    #[tokio::test]
    async fn both_ends_meet_and_a_connection_takes_so_many_streams() {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let uri = format!("http://{}", incoming.local_addr().unwrap()).parse().unwrap();
        let (_reporter, health) = tonic_health::server::health_reporter();
        tokio::spawn(mesh_server().add_service(health).serve_with_incoming(incoming));

        let mut client = HealthClient::new(mesh_endpoint(uri).connect().await.unwrap());
        // The settings of the server have arrived with its first answer.
        client.check(HealthCheckRequest::default()).await.unwrap();
        let mut streams = Vec::new();
        for _ in 0..STREAMS_MAX {
            streams.push(client.watch(HealthCheckRequest::default()).await.unwrap());
        }
        let mut one_more = std::pin::pin!(client.check(HealthCheckRequest::default()));
        let waiting = tokio::time::timeout(Duration::from_millis(50), &mut one_more).await;
        assert!(waiting.is_err(), "{waiting:?}");
        streams.pop();
        one_more.await.unwrap();
    }
}
