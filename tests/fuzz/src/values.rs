//! Valid values of everything that travels, with a liking for the limits.

mod directory;
mod frames;
mod heads;
mod identifiers;
mod names;
mod registry;
mod services;

pub use directory::{Snapshot, check_snapshot, read_snapshot, snapshot, write_snapshot};
pub use frames::{batch, check_batch, problem, read_batch, write_batch};
pub use heads::{
    answer_head, answer_header, check_answer_header, check_fields, check_request_header,
    request_head, request_header, trailers,
};
pub use identifiers::{
    foreign_national_id, iban, legal_id, mobile, national_id, postal_code, service_card_code, typed,
};
pub use names::{
    digest, exchange_id, hop, method, node, path, reason, service, system, template, text,
};
pub use registry::{
    body, check_body, check_entry, entry, heads, heartbeat, page, scope_snapshot, signature,
};
