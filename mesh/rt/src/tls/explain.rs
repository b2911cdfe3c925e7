//! What a failed handshake means, in one sentence that says what to check.
//!
//! In TLS 1.3 the dialling side is done before its certificate is judged, so that a refusal comes
//! up as a broken read, deep below the error of an RPC, and some layers keep only its text.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, OtherError};

use super::rules::Rule;

/// The sentence for the TLS error in the chain of `error`; `None` if there is none.
pub fn explain(error: &(dyn Error + 'static)) -> Option<String> {
    let chain = || std::iter::successors(Some(error), |&error| error.source());
    let typed = chain().find_map(tls_error).map(sentence);
    // HTTP/2 turns an error of the connection below it into text.
    typed.or_else(|| chain().find_map(|error| told_by_text(&error.to_string())))
}

/// The rule of the mesh for which our verifier gave `error`.
pub(super) fn broken_rule(error: &rustls::Error) -> Option<&Rule> {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
            error.downcast_ref()
        }
        _ => None,
    }
}

/// webpki's error as rustls would give it, since the alert for the peer is made from that.
pub(super) fn from_webpki(error: webpki::Error) -> rustls::Error {
    match error {
        webpki::Error::BadDer | webpki::Error::BadDerTime | webpki::Error::TrailingData(_) => {
            CertificateError::BadEncoding
        }
        webpki::Error::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }
        }
        webpki::Error::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        webpki::Error::InvalidCertValidity => CertificateError::Expired,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(std::sync::Arc::new(other))),
    }
    .into()
}

fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    // `source()` of an I/O error passes over the error that it wraps.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match wrapped {
        Some(inner) => tls_error(inner),
        None => error.downcast_ref(),
    }
}

fn told_by_text(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("received fatal alert: ")?;
    let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    let alert = ALERTS.iter().find(|alert| name == format!("{alert:?}"));
    Some(alert.map_or_else(|| format!("the peer ended TLS: {name}"), |alert| refused(*alert)))
}

fn sentence(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => refused(*alert),
        rustls::Error::InvalidCertificate(reason) => refusing(reason),
        rustls::Error::NoCertificatesPresented => {
            "the peer showed no certificate; check that it is a node of the mesh".into()
        }
        rustls::Error::InvalidMessage(_) => {
            "the peer does not speak TLS; check that this is the right port".into()
        }
        rustls::Error::PeerIncompatible(_) => {
            format!("the peer does not speak TLS as the mesh does, version 1.3 alone: {error}")
        }
        other => format!("TLS failed: {other}"),
    }
}

/// Alerts by which a peer refuses us, known by text too.
const ALERTS: [AlertDescription; 13] = [
    AlertDescription::AccessDenied,
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRequired,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateUnknown,
    AlertDescription::DecodeError,
    AlertDescription::DecryptError,
    AlertDescription::HandshakeFailure,
    AlertDescription::NoApplicationProtocol,
    AlertDescription::ProtocolVersion,
    AlertDescription::UnknownCA,
    AlertDescription::UnsupportedCertificate,
];

/// Why the peer refused us.
fn refused(alert: AlertDescription) -> String {
    let (what, check) = match alert {
        AlertDescription::UnknownCA => (
            "our certificate: unknown CA",
            "that it was issued for this part of the mesh, and that the address is the right one",
        ),
        AlertDescription::CertificateExpired => {
            ("our certificate: not valid at this time", "its dates and the clocks of both nodes")
        }
        AlertDescription::CertificateRevoked => {
            ("our certificate: its key is not active", "our node's entry in the directory")
        }
        AlertDescription::CertificateUnknown | AlertDescription::AccessDenied => (
            "our certificate: it breaks a rule, or our node may not dial there",
            "the log of the peer, which says which rule",
        ),
        AlertDescription::UnsupportedCertificate => {
            ("our certificate: not for this use", "that it was issued for a node that dials")
        }
        AlertDescription::BadCertificate | AlertDescription::DecryptError => {
            ("our certificate: not sound", "that the chain file has what the authority issued")
        }
        AlertDescription::CertificateRequired => {
            ("to go on without a certificate", "that ours is loaded")
        }
        AlertDescription::NoApplicationProtocol => {
            ("HTTP/2", "that the address is that of a mesh port")
        }
        AlertDescription::ProtocolVersion => ("TLS 1.3", "that the address is that of a mesh port"),
        other => return format!("the peer ended TLS with alert {other:?}; check its log"),
    };
    format!("the peer refused {what}; check {check}")
}

/// Why we refuse the peer.
fn refusing(reason: &CertificateError) -> String {
    let because = match reason {
        CertificateError::UnknownIssuer => {
            "its issuer is not in our trust file; check that file and the address"
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "not valid at this time; check its dates and the clocks of both nodes"
        }
        CertificateError::InvalidPurpose => {
            "its extended key usage is not for this; check that it was issued for such a node"
        }
        CertificateError::Revoked => "its key is not active in the directory",
        CertificateError::Other(OtherError(error)) => {
            return format!("we refused the peer's certificate: {error}");
        }
        other => return format!("we refused the peer's certificate: {other}"),
    };
    format!("we refused the peer's certificate: {because}")
}
