//! Looks now and then whether the system's own services take connections, so that operators see a
//! service that is away before anybody asks for it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::uri::Authority;
use mesh_core::address::ServiceAddress;
use mesh_node::operators::ServicesAway;
use mesh_proto::wire::admin::v1::ServiceAway;
use mesh_rt::clock::Clock;
use mesh_rt::drain::Drain;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::config::Backend;

/// Between two looks. Each costs a service one connection, which closes at once.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long a service may take to accept; less than what an exchange grants it.
const LOOK_TIME_MAX: Duration = Duration::from_secs(2);

/// What `Authority` leaves out when it is the one of HTTP.
const HTTP_PORT: u16 = 80;

/// What was seen last. Cheap to clone; every clone sees the same.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    services: Arc<Vec<(ServiceAddress, Authority)>>,
    away: Arc<Mutex<BTreeMap<ServiceAddress, Away>>>,
    clock: Arc<dyn Clock>,
}

/// A service that took no connection.
#[derive(Clone, Copy, Debug)]
struct Away {
    why: &'static str,
    since_unix_ms: u64,
}

impl Pulse {
    pub(crate) fn new<'b>(
        backends: impl IntoIterator<Item = &'b Backend>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let service =
            |backend: &Backend| (backend.service.clone(), backend.url.authority().clone());
        let services = backends.into_iter().map(service).collect();
        Self { services: Arc::new(services), away: Arc::default(), clock }
    }

    /// Looks until `drain` begins.
    pub(crate) async fn watch(self, drain: Drain) {
        if self.services.is_empty() {
            return;
        }
        loop {
            let round = async {
                self.look().await;
                sleep(LOOK_EVERY).await;
            };
            tokio::select! {
                () = drain.begun() => return,
                () = round => {}
            }
        }
    }

    /// What operators are told.
    pub(crate) fn services_away(&self) -> ServicesAway {
        let pulse = self.clone();
        ServicesAway(Arc::new(move || pulse.told()))
    }

    fn told(&self) -> Vec<ServiceAway> {
        let told = |(service, away): (&ServiceAddress, &Away)| ServiceAway {
            service: service.to_string(),
            why: away.why.into(),
            since_unix_ms: away.since_unix_ms,
        };
        self.away().iter().map(told).collect()
    }

    /// One look at each service, one after the other: they are few, and nobody waits.
    async fn look(&self) {
        for (service, authority) in self.services.iter() {
            let why = refuses(authority).await;
            let now_ms = self.clock.unix_ms();
            let mut away = self.away();
            match (why, away.contains_key(service)) {
                (Some(why), false) => {
                    warn!(%service, backend = %authority, why, "service is away");
                    away.insert(service.clone(), Away { why, since_unix_ms: now_ms });
                }
                (None, true) => {
                    info!(%service, backend = %authority, "service is back");
                    away.remove(service);
                }
                _ => {}
            }
        }
    }

    fn away(&self) -> MutexGuard<'_, BTreeMap<ServiceAddress, Away>> {
        // Each change is one insertion or removal, so a panic leaves nothing half done.
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why `authority` takes no connection now; `None` if it does.
async fn refuses(authority: &Authority) -> Option<&'static str> {
    let address = (authority.host(), authority.port_u16().unwrap_or(HTTP_PORT));
    match timeout(LOOK_TIME_MAX, TcpStream::connect(address)).await {
        Ok(Ok(_)) => None,
        Err(_) => Some("takes no connection in time"),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            Some("refuses connections")
        }
        Ok(Err(_)) => Some("cannot be connected to"),
    }
}

#[cfg(test)]
mod tests {
    use mesh_rt::clock::SystemClock;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_service_that_goes_and_comes_back_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let backend = Backend {
            service: "ir/gov/tax/debts/debt.v1".parse().unwrap(),
            url: format!("http://{address}").try_into().unwrap(),
            timeout_ms: None,
        };
        let pulse = Pulse::new([&backend], Arc::new(SystemClock));
        let seen = (pulse.services_away()).0;
        pulse.look().await;
        assert_eq!(seen(), []);

        drop(listener);
        pulse.look().await;
        let [away] = &seen()[..] else { panic!("{:?}", seen()) };
        assert_eq!(away.service, "ir/gov/tax/debts/debt.v1");
        assert_eq!(away.why, "refuses connections");
        let since_ms = away.since_unix_ms;
        pulse.look().await;
        assert_eq!(seen()[0].since_unix_ms, since_ms, "since it went, not since the last look");

        // Takes the port back: it is one of this process.
        let back = TcpListener::bind(address).await.unwrap();
        pulse.look().await;
        assert_eq!(seen(), []);
        drop(back);
    }
}
