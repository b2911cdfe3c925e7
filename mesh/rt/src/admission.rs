//! A bound on the requests that one server has in hand, over all of its connections.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use http_body_util::BodyExt as _;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::status::write_status;
use tokio::sync::Semaphore;
use tonic::body::Body;
use tower::{Layer, Service};

/// Wraps a service so that at most `limit` requests are in flight, over all of its clones. One
/// too many is refused at once with `OVERLOADED`.
///
/// A request counts until its response *body* ends. A limit on response heads alone would let any
/// number of server streams run at once.
#[derive(Clone, Debug)]
pub struct AdmissionLayer {
    hop: HopName,
    limit: usize,
    permits: Arc<Semaphore>,
}

impl AdmissionLayer {
    /// `hop` is the node's name in refusals.
    pub fn new(hop: HopName, limit: usize) -> Self {
        assert!(0 < limit, "a limit of zero would refuse everything");
        Self { hop, limit, permits: Arc::new(Semaphore::new(limit)) }
    }

    fn overloaded(&self) -> Response<Body> {
        let detail = format!("{} requests are in flight, which is the limit", self.limit);
        let problem = Problem::new(Reason::Overloaded, self.hop.clone(), detail);
        write_status(&problem, None).into_http()
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Admission { inner, rule: self.clone() }
    }
}

/// See [`AdmissionLayer`].
#[derive(Clone, Debug)]
pub struct Admission<S> {
    inner: S,
    rule: AdmissionLayer,
}

impl<S, In, Out> Service<Request<In>> for Admission<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
    S::Future: Send + 'static,
    Out: HttpBody<Data = Bytes> + Send + 'static,
    Out::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.rule.permits).try_acquire_owned() else {
            let refused = self.rule.overloaded();
            return Box::pin(async { Ok(refused) });
        };
        let response = self.inner.call(request);
        Box::pin(async move {
            Ok(response.await?.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    // The closure has the permit because of this line, and goes with the body.
                    let _held_until_the_body_drops = &permit;
                    frame
                }))
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::Full;
    use mesh_proto::status::read_status;
    use tonic::Status;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    #[tokio::test]
    async fn a_request_counts_until_its_body_is_dropped() {
        let answer = |_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"answer"))))
        };
        let service =
            AdmissionLayer::new("hub.centre".parse().unwrap(), 2).layer(service_fn(answer));
        let ask = || service.clone().oneshot(Request::new(()));
        let problem = |response: &Response<Body>| {
            Status::from_header_map(response.headers()).and_then(|status| read_status(&status))
        };

        let first = ask().await.unwrap();
        let second = ask().await.unwrap();
        assert_eq!((problem(&first), problem(&second)), (None, None));
        let refused = problem(&ask().await.unwrap()).expect("the third is refused");
        assert_eq!(refused.reason, Reason::Overloaded);
        assert_eq!(&*refused.detail, "2 requests are in flight, which is the limit");
        drop(first);
        assert_eq!(problem(&ask().await.unwrap()), None, "a place is free again");
    }
}
