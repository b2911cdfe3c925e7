//! A problem as a gRPC status: `google.rpc.ErrorInfo` with reason, hop and who can mend it, and
//! `google.rpc.RetryInfo` where trying again can help (google/rpc/error_details.proto).

use std::collections::HashMap;

use mesh_core::exchange::ExchangeId;
use mesh_core::reason::{HopName, Kind, Problem};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The `domain` of every error that the mesh itself makes.
pub const ERROR_DOMAIN: &str = "mesh";

/// The gRPC code of a kind of trouble.
pub fn code(kind: Kind) -> Code {
    match kind {
        Kind::Malformed => Code::InvalidArgument,
        Kind::TooLarge | Kind::Overload => Code::ResourceExhausted,
        Kind::NotFound => Code::NotFound,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::Conflict => Code::Aborted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Deadline => Code::DeadlineExceeded,
        Kind::BadAnswer | Kind::Internal => Code::Internal,
        Kind::Cancelled => Code::Cancelled,
    }
}

/// The status that tells `problem`; with the exchange it belongs to, where there is one.
pub fn write_status(problem: &Problem, exchange: Option<ExchangeId>) -> Status {
    let reason = problem.reason;
    let mut metadata = HashMap::from([
        ("hop".to_owned(), problem.hop.to_string()),
        ("mender".to_owned(), reason.mender().name().to_owned()),
    ]);
    metadata.extend(exchange.map(|id| ("exchange_id".to_owned(), id.to_string())));
    let mut details = ErrorDetails::with_error_info(reason.name(), ERROR_DOMAIN, metadata);
    if let Some(delay) = problem.retry_after() {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code(reason.kind()), problem.detail.to_string(), details)
}

/// The problem that a status of a mesh node tells; `None` for any other status.
pub fn read_status(status: &Status) -> Option<Problem> {
    let info = status.get_details_error_info().filter(|info| info.domain == ERROR_DOMAIN)?;
    let hop: HopName = info.metadata.get("hop")?.parse().ok()?;
    let problem = Problem::new(info.reason.parse().ok()?, hop, status.message());
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    // What the reason says anyway needs no saying.
    let delay = delay.filter(|delay| Some(*delay) != problem.reason.retry_after());
    Some(match delay {
        Some(delay) => problem.wait(delay),
        None => problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_core::reason::Reason;

    #[test]
    fn a_status_tells_every_reason() {
        let exchange = ExchangeId::new(1, [1; 10]);
        for reason in Reason::ALL {
            let problem = Problem::new(*reason, "hub.centre".parse().unwrap(), "because");
            let status = write_status(&problem, Some(exchange));
            assert_eq!(read_status(&status), Some(problem));
            let retry = status.get_details_retry_info().and_then(|info| info.retry_delay);
            assert_eq!(retry, reason.retry_after(), "{reason}");
            let info = status.get_details_error_info().unwrap();
            assert_eq!(info.metadata["exchange_id"], exchange.to_string());
        }
        assert_eq!(read_status(&Status::internal("other")), None);
    }

    #[test]
    fn a_status_tells_how_long_to_wait() {
        let hop = "hub.centre".parse().unwrap();
        let away = Problem::new(Reason::ServiceMaintenance, hop, "back at eight");
        let away = away.wait(std::time::Duration::from_secs(7200));
        assert_eq!(read_status(&write_status(&away, None)), Some(away));
    }
}
