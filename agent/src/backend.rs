//! The provider's own services: where they answer, how they are called, and what goes wrong there.

use std::collections::HashMap;
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use http::header::HeaderValue;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mesh_core::address::ServiceAddress;
use mesh_core::exchange::RequestHeader;
use mesh_core::limits::{HEAD_BYTES_MAX, INLINE_BODY_BYTES_MAX};
use mesh_core::reason::Reason;
use mesh_proto::head::{FIELDS_MAX, RequestHead};
use mesh_rt::exit::sentence;
use tower::ServiceExt as _;
use tower::util::MapErr;
use tracing::{debug, error};

use crate::config;
use crate::fields;
use crate::payload::{Payload, cause, is_unreadable};
use crate::problem::ascii;
use crate::r1::{self, Flaw};

/// How long a service may take to accept a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// How long an unused connection is kept; less than servers commonly do, so that the agent closes
/// first and no request meets a connection that is just being closed.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// Unused connections to one service.
const IDLE_MAX: usize = 64;

/// Bytes of an answer that are read ahead; a head must fit.
const READ_BYTES_MAX: usize =
    if HEAD_BYTES_MAX < INLINE_BODY_BYTES_MAX { INLINE_BODY_BYTES_MAX } else { HEAD_BYTES_MAX };

/// Looks up the host names of backends, and says so when one is not known.
type Names = MapErr<GaiResolver, fn(std::io::Error) -> UnknownHost>;

/// A host name without an address.
#[derive(Debug, thiserror::Error)]
#[error("the host's name has no address")]
struct UnknownHost(#[source] std::io::Error);

/// All backends of an agent.
#[derive(Debug)]
pub struct Backends {
    client: Client<HttpConnector<Names>, Payload>,
    by_service: HashMap<ServiceAddress, config::Backend>,
}

impl Backends {
    pub fn new(backends: impl IntoIterator<Item = config::Backend>) -> Self {
        let names: Names = GaiResolver::new().map_err(UnknownHost);
        let mut connector = HttpConnector::new_with_resolver(names);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIME_MAX));
        // The tasks of its connections belong to the client, and end with it: an unused connection
        // must not hold up a drain.
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME_MAX)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(READ_BYTES_MAX)
            .http1_max_headers(FIELDS_MAX)
            .build(connector);
        let by_service = backends.into_iter().map(|backend| (backend.service.clone(), backend));
        Self { client, by_service: by_service.collect() }
    }

    /// What answers for `service`.
    pub(crate) fn find(&self, service: &ServiceAddress) -> Option<&config::Backend> {
        self.by_service.get(service)
    }

    /// The services that something answers for.
    pub(crate) fn services(&self) -> impl Iterator<Item = &ServiceAddress> {
        self.by_service.keys()
    }

    /// What answers for each of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &config::Backend> {
        self.by_service.values()
    }

    /// Calls a service once. A redirect is an answer like any other.
    pub(crate) async fn call(&self, request: Request<Payload>) -> Result<Response<Incoming>, Flaw> {
        let authority = request.uri().authority().cloned();
        self.client.request(request).await.map_err(|error| {
            let backend = authority.as_ref().map(|authority| authority.as_str());
            debug!(backend, error = sentence(&error), "backend failed");
            if error.is_connect() { unreachable(&error) } else { broken(&error) }
        })
    }
}

/// The request as the service gets it.
pub(crate) fn request(
    backend: &config::Backend,
    header: &RequestHeader,
    (head, body): (RequestHead, Payload),
) -> Result<Request<Payload>, Flaw> {
    let target = target(backend.url.base(), &head);
    let internal = |why: http::Error| {
        let (exchange, service) = (header.exchange, &header.service);
        error!(%exchange, %service, error = sentence(&why), "request for a backend not written");
        Flaw::new(Reason::Internal, "the request for the service could not be written")
    };
    let target = PathAndQuery::try_from(target).map_err(|why| internal(why.into()))?;
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(backend.url.authority().clone())
        .path_and_query(target)
        .build()
        .map_err(internal)?;
    let mut request =
        Request::builder().method(head.method.name()).uri(uri).body(body).map_err(internal)?;
    let headers = request.headers_mut();
    fields::add(headers, head.fields);
    let exchange = ascii(header.exchange.to_string());
    headers.insert(r1::CLIENT, ascii(header.consumer.to_string()));
    headers.insert(r1::SERVICE, ascii(header.service.to_string()));
    headers.insert(r1::MESSAGE_ID, head.message_id.map_or_else(|| exchange.clone(), ascii));
    headers.insert(r1::REQUEST_ID, exchange);
    let mut optional = |name, value: Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    optional(r1::USER_ID, head.user_id.map(ascii));
    optional(r1::ISSUE, head.issue.map(ascii));
    Ok(request)
}

/// Base, path and query of a request.
fn target(base: &str, head: &RequestHead) -> String {
    let path = if head.path == "/" && !base.is_empty() { "" } else { &head.path };
    match &head.query {
        Some(query) => format!("{base}{path}?{query}"),
        None => format!("{base}{path}"),
    }
}

/// No connection came about.
fn unreachable(error: &(dyn Error + 'static)) -> Flaw {
    if cause::<UnknownHost>(error).is_some() {
        let detail = "nobody knows the name of the service's host: check the host of its backend";
        return Flaw::new(Reason::ProviderUnreachable, detail);
    }
    let io = cause::<std::io::Error>(error).map(std::io::Error::kind);
    let why = match io {
        Some(ErrorKind::ConnectionRefused) => "the service refuses connections",
        Some(ErrorKind::TimedOut) => "the service took no connection in time",
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
            "there is no way to the service's host"
        }
        _ => "the service cannot be connected to: check the host and port of its backend",
    };
    Flaw::new(Reason::ProviderUnreachable, why)
}

/// A connection that there was gave no whole answer.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> Flaw {
    let hyper = cause::<hyper::Error>(error);
    if hyper.is_some_and(hyper::Error::is_parse_too_large) {
        return Flaw::new(
            Reason::ProviderMalformed,
            "the head of the service's answer is too large",
        );
    }
    if is_unreadable(error) {
        let detail = "the service's answer is not well-formed HTTP/1.1";
        return Flaw::new(Reason::ProviderMalformed, detail);
    }
    let detail = "the service broke the connection off before its answer was whole";
    Flaw::new(Reason::ProviderBrokeOff, detail)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mesh_core::agreement::AgreementId;
    use mesh_core::exchange::{BodyDescriptor, Digest, DirectoryPosition, ExchangeId};
    use mesh_core::operation::{Method, OperationKind};

    use super::*;
    use crate::payload;

    #[test]
    fn what_failed_inside_is_not_told() {
        let url = "http://127.0.0.1:1".to_owned().try_into().unwrap();
        let service: ServiceAddress = "ir/gov/tax/debts/debt.v1".parse().unwrap();
        let backend = config::Backend { service: service.clone(), url, timeout_ms: None };
        let header = RequestHeader {
            exchange: ExchangeId::new(1, [7; 10]),
            consumer: "ir/gov/tax/desk".parse().unwrap(),
            service,
            operation: "getDebt".parse().unwrap(),
            kind: OperationKind::Inquiry,
            agreement: AgreementId(Digest([1; 32])),
            purpose: "census".parse().unwrap(),
            deadline: Duration::from_secs(1),
            issued_at_unix_ms: 1,
            body: BodyDescriptor::Inline { digest: Digest([0; 32]), length: 0 },
            head_digest: Digest([0; 32]),
            operator: None,
            idempotency_key: None,
            retry_of: None,
            directory: DirectoryPosition::default(),
        };
        // Nothing that was read from the mesh has such a path.
        let body = payload::whole(Bytes::new());
        let flaw = request(&backend, &header, (head("/a b", None), body)).unwrap_err();
        let want = "INTERNAL: the request for the service could not be written";
        assert_eq!(flaw.to_string(), want);
    }

    #[tokio::test]
    async fn a_host_that_nobody_knows_is_said_to_be_that() {
        // No name begins with a hyphen, so that no name server need be asked.
        let uri = "http://-nowhere.invalid:80/";
        let request = Request::builder().uri(uri).body(payload::whole(Bytes::new())).unwrap();
        let flaw = Backends::new([]).call(request).await.unwrap_err();
        let want = "PROVIDER_UNREACHABLE: nobody knows the name of the service's host: check the \
                    host of its backend";
        assert_eq!(flaw.to_string(), want);
    }

    fn head(path: &str, query: Option<&str>) -> RequestHead {
        RequestHead {
            method: Method::Get,
            path: path.into(),
            query: query.map(str::to_owned),
            fields: Vec::new(),
            message_id: None,
            user_id: None,
            issue: None,
        }
    }

    #[test]
    fn a_base_stands_before_every_path() {
        #[rustfmt::skip]
        let cases = [
            // Base    Path    Query       Target
            ("",      "/",    None,       "/"),
            ("",      "/a/b", Some("c"),  "/a/b?c"),
            ("/base", "/",    None,       "/base"),
            ("/base", "/",    Some(""),   "/base?"),
            ("/base", "/a",   None,       "/base/a"),
        ];
        for (base, path, query, want) in cases {
            assert_eq!(target(base, &head(path, query)), want);
        }
    }
}
