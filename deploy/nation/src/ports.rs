//! Ports of loopback that one nation has to itself, also against other launchers on this machine.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// Below those that systems give to outgoing connections, so that nobody gets one by chance.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// Ports that are taken until this is dropped.
///
/// The programs listen on TCP, so that the launcher must let go of it before they start. What keeps
/// a port from the next launcher is the UDP port of the same number, which nobody else wants: no
/// two nations get one port, and a node finds its own free when it starts again.
#[derive(Debug, Default)]
pub(crate) struct Ports(Vec<UdpSocket>);

impl Ports {
    /// One more.
    pub(crate) fn free(&mut self) -> Result<SocketAddr, Error> {
        let mut failure = ErrorKind::AddrInUse.into();
        for _ in 0..COUNT {
            // Random, so that two launchers at once do not try the same ones in turn.
            let random = RandomState::new().build_hasher().finish();
            let port = FIRST + (random % u64::from(COUNT)) as u16;
            let address = (Ipv4Addr::LOCALHOST, port);
            match UdpSocket::bind(address).and_then(|held| TcpListener::bind(address).map(|_| held))
            {
                Ok(held) => {
                    self.0.push(held);
                    return Ok(address.into());
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_and_each_can_be_listened_on() {
        let (mut first, mut second) = (Ports::default(), Ports::default());
        let mut given = BTreeSet::new();
        for _ in 0..200 {
            for ports in [&mut first, &mut second] {
                let address = ports.free().expect("there are thousands");
                assert!(given.insert(address), "{address}");
                TcpListener::bind(address).expect("a program can take it");
            }
        }
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_left_alone() {
        let mut ports = Ports::default();
        let taken = TcpListener::bind(ports.free().expect("a port")).expect("it is free");
        drop(ports);
        let mut ports = Ports::default();
        let given: Vec<_> = (0..500).map(|_| ports.free().expect("there are thousands")).collect();
        assert!(!given.contains(&taken.local_addr().expect("it is bound")));
    }
}
