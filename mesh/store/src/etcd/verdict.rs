//! What a failed call means: try again, or say why not.

use std::error::Error;
use std::fmt::Write as _;

use tonic::{Code, Status};

use super::dial::DialError;
use crate::error::StoreError;

/// etcd has more to say than a status code can; its sentences are part of its interface.
const NO_SPACE: &str = "database space exceeded";
const REQUEST_TOO_LARGE: &str = "request is too large";
const MESSAGE_TOO_LARGE: &str = "message larger than max";
const COMPACTED: &str = "required revision has been compacted";
const FUTURE: &str = "required revision is a future revision";
const LEASE_EXISTS: &str = "lease already exists";
const CORRUPT: &str = "corrupt cluster";

/// Causes that are told to an operator, at most.
const CAUSES_MAX: usize = 5;

/// What is to be done about a call that failed.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing reached a member: it was not carried out, and another may answer.
    NotSent(String),
    /// It may have been carried out. Another try may be answered.
    Doubtful(String),
    /// Another try would be answered alike.
    Refused(Refusal),
}

/// An answer that is none of those that were hoped for.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A request asks about one revision or one lease, so the caller knows which.
    Compacted,
    Future,
    LeaseUnknown,
    LeaseExists,
    /// The answer would be larger than we take.
    AnswerTooLarge,
    /// Space is short. etcd may say so of a write that it carried out.
    NoSpace,
    Store(StoreError),
}

/// Reads what became of a call.
pub(super) fn verdict(status: &Status) -> Verdict {
    let message = status.message();
    let says = |words: &str| message.contains(words);
    Verdict::Refused(match status.code() {
        _ if was_not_sent(status) => return Verdict::NotSent(chain(status)),
        Code::OutOfRange if says(COMPACTED) => Refusal::Compacted,
        Code::OutOfRange if says(FUTURE) => Refusal::Future,
        // Each sentence of etcd's begins so, and tonic itself has this code for one thing.
        Code::OutOfRange if !message.starts_with("etcdserver") => Refusal::AnswerTooLarge,
        Code::ResourceExhausted if says(NO_SPACE) => Refusal::NoSpace,
        Code::ResourceExhausted if says(MESSAGE_TOO_LARGE) => too_large(message),
        Code::InvalidArgument if says(REQUEST_TOO_LARGE) => too_large(message),
        Code::NotFound => Refusal::LeaseUnknown,
        Code::FailedPrecondition if says(LEASE_EXISTS) => Refusal::LeaseExists,
        Code::DataLoss => Refusal::Store(StoreError::Corrupt { check: message.into() }),
        _ if says(CORRUPT) => Refusal::Store(StoreError::Corrupt { check: message.into() }),
        Code::PermissionDenied | Code::Unauthenticated => denied(message),
        Code::InvalidArgument | Code::FailedPrecondition | Code::Unimplemented => denied(message),
        _ => return Verdict::Doubtful(chain(status)),
    })
}

impl Refusal {
    /// For callers that expect no such answer, or have nothing to add.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::NoSpace => {
                let check = "etcd has used its --quota-backend-bytes; \
                    compact, defragment, then disarm the alarm NOSPACE";
                StoreError::Full { check: check.into() }
            }
            Self::AnswerTooLarge => {
                StoreError::TooLarge { check: "an answer of etcd is larger than we take".into() }
            }
            other => StoreError::Foreign { check: format!("etcd answered {other:?}, unasked") },
        }
    }
}

fn too_large(message: &str) -> Refusal {
    let check = format!("etcd's --max-request-bytes must be at least 1572864 ({message})");
    Refusal::Store(StoreError::TooLarge { check })
}

/// Also what we should not have asked: an operator sees etcd's own sentence.
pub(super) fn denied(message: &str) -> Refusal {
    Refusal::Store(StoreError::Denied { check: format!("etcd answered: {message}") })
}

/// Whether the call failed while a connection was made, before anything could be sent.
fn was_not_sent(status: &Status) -> bool {
    causes(status).any(|cause| cause.is::<DialError>())
}

/// An error and what it came from, in one line that says what to check.
fn chain(status: &Status) -> String {
    let mut text = String::new();
    for cause in causes(status).take(CAUSES_MAX) {
        let said = cause.to_string();
        // Wrappers repeat what they wrap, or say nothing.
        if said == "transport error" || text.contains(&said) {
            continue;
        }
        let colon = if text.is_empty() { "" } else { ": " };
        let _infallible = write!(text, "{colon}{said}");
    }
    if text.is_empty() { format!("etcd answered: {}", status.message()) } else { text }
}

/// The causes of a status, without itself: its own text is for debugging.
fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |error| below(*error))
}

/// An I/O error shows what it wraps, but does not call it its source.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match wrapped {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etcds_own_sentences_become_reasons() {
        let of = |code, message: &str| match verdict(&Status::new(code, message)) {
            Verdict::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        };
        let compacted = "etcdserver: mvcc: required revision has been compacted";
        assert!(matches!(of(Code::OutOfRange, compacted), Refusal::Compacted));
        let future = "etcdserver: mvcc: required revision is a future revision";
        assert!(matches!(of(Code::OutOfRange, future), Refusal::Future));
        let long = "Error, decoded message length too large: found 9 bytes, the limit is: 8 bytes";
        assert!(matches!(of(Code::OutOfRange, long), Refusal::AnswerTooLarge));
        let full = "etcdserver: mvcc: database space exceeded";
        assert!(matches!(of(Code::ResourceExhausted, full), Refusal::NoSpace));
        let lease = "etcdserver: requested lease not found";
        assert!(matches!(of(Code::NotFound, lease), Refusal::LeaseUnknown));
    }

    #[test]
    fn what_cannot_be_mended_by_another_try_says_what_to_check() {
        let of = |code, message: &str| match verdict(&Status::new(code, message)) {
            Verdict::Refused(refusal) => refusal.into_error(),
            other => panic!("{other:?}"),
        };
        let large = of(Code::InvalidArgument, "etcdserver: request is too large");
        assert!(large.to_string().contains("--max-request-bytes"), "{large}");
        let denied = of(Code::PermissionDenied, "etcdserver: permission denied");
        assert!(matches!(denied, StoreError::Denied { .. }));
        let corrupt = of(Code::DataLoss, "etcdserver: corrupt cluster");
        assert!(matches!(corrupt, StoreError::Corrupt { .. }));
    }

    #[test]
    fn a_broken_connection_leaves_doubt() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: leader changed"),
            (Code::Unknown, "raft proposal dropped"),
            (Code::DeadlineExceeded, ""),
            (Code::Cancelled, "operation was canceled"),
        ] {
            let verdict = verdict(&Status::new(code, message));
            assert!(matches!(verdict, Verdict::Doubtful(_)), "{code}: {verdict:?}");
        }
    }
}
