//! Every bound of the protocol, written down once, with its unit in its name.

use std::time::Duration;

/// Bytes of frames that one `Batch` carries at most, by [`FRAME_BYTES_OVERHEAD`]'s reckoning.
pub const BATCH_BYTES_MAX: usize = 128 * 1024;

/// What a receiver takes as one gRPC message: a full batch and its envelope.
pub const BATCH_WIRE_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

/// Frames that one `Batch` carries at most, so that empty frames cannot make it endless.
pub const BATCH_FRAMES_MAX: usize = 4096;

/// What a frame counts beside its bytes: numbers, tags, the hop section.
pub const FRAME_BYTES_OVERHEAD: usize = 64;

/// Body bytes in one `Data` frame, or in one `Open`.
pub const DATA_BYTES_MAX: usize = 16 * 1024;

/// The clear, signed header of a request or an answer.
pub const HEADER_BYTES_MAX: usize = 8 * 1024;

/// The head between the two agents: method, path, query, HTTP headers; or status and headers.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// The trailers between the two agents, at the end of a body.
pub const TAIL_BYTES_MAX: usize = 8 * 1024;

/// HTTP fields in a head, or in trailers.
pub const FIELDS_MAX: usize = 128;

/// The signed bytes of the `End` of a streamed body: ids, a digest and a few numbers.
pub const END_BYTES_MAX: usize = 256;

/// A body up to this many bytes travels inline, with its digest in the header, on the quick lane.
pub const INLINE_BODY_BYTES_MAX: usize = 64 * 1024;

/// Body bytes that a sender may have under way in one exchange and direction. Equals
/// [`INLINE_BODY_BYTES_MAX`], so that an inline body never waits for credit.
pub const CREDIT_BYTES: u32 = 64 * 1024;

/// Exchanges that a peer may have open at once on one lane.
pub const EXCHANGES_MAX: u32 = 4096;

/// Nodes that one exchange may pass: two agents, two cluster hubs, the centre, and one to spare.
pub const HOPS_MAX: usize = 6;

/// A sentence of an error, as a peer may send it: room for a notice in two languages.
pub const DETAIL_BYTES_MAX: usize = 1024;

/// The name of a reason, as a peer may send it.
pub const REASON_BYTES_MAX: usize = 64;

/// Program and version of a peer, in its `Hello`.
pub const SOFTWARE_BYTES_MAX: usize = 128;

/// Between two pings on a lane.
pub const PING_INTERVAL: Duration = Duration::from_secs(1);

/// A lane on which nothing came for so long is dead. A partition sends no reset.
pub const PING_DEAD: Duration = Duration::from_secs(3);

/// From an accepted connection to a finished TLS handshake, and from there to a `Hello`.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Longest time that one exchange may take.
pub const DEADLINE_MAX: Duration = Duration::from_secs(3600);

/// What an exchange may take where neither caller nor service says.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(30);

/// Life of an exchange id beyond its deadline, by which replicas size their replay caches.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(5);

/// Between two heartbeats of the directory, from the centre to every node.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How soon after a commit a heartbeat says so; commits that are closer share one.
pub const HEARTBEAT_AFTER_COMMIT: Duration = Duration::from_millis(100);

/// How long a node goes on by itself without a heartbeat, where its configuration does not say.
pub const ISLAND_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The same for services marked sensitive.
pub const ISLAND_LIFE_SENSITIVE: Duration = Duration::from_secs(15 * 60);

/// The longest that a configuration may say.
pub const ISLAND_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
