//! Ports of loopback for one nation, which no other nation on this machine takes.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;

use crate::process::between_births;

/// All blocks are below the ports that systems give to outgoing connections: nobody takes one
/// between its choice and its use, or while its node is down.
const FIRST: u16 = 10_000;

/// The ports of a block. The first is held by whoever has the block, for as long as they live.
const BLOCK_PORTS: u16 = 200;

const BLOCKS: u16 = 100;

/// Ports that are being given out. Each is held until all are known, so that none is given twice.
#[derive(Default)]
pub(crate) struct Ports {
    blocks: Vec<TcpListener>,
    held: Vec<TcpListener>,
    left: Range<u16>,
}

/// Blocks of ports that are kept from other launchers until this is dropped.
#[derive(Debug)]
pub struct Reserved {
    _blocks: Vec<TcpListener>,
}

impl Ports {
    pub(crate) fn free(&mut self) -> Result<SocketAddr, Error> {
        loop {
            for port in self.left.by_ref() {
                if let Ok(listener) = listen(port) {
                    self.held.push(listener);
                    return Ok((Ipv4Addr::LOCALHOST, port).into());
                }
            }
            self.take_block()?;
        }
    }

    /// Releases the ports for those who will listen on them; the blocks stay.
    pub(crate) fn release(self) -> Reserved {
        let Self { blocks, held, .. } = self;
        between_births(|| drop(held));
        Reserved { _blocks: blocks }
    }

    fn take_block(&mut self) -> Result<(), Error> {
        // Random, so that two launchers at once do not try the same ones in turn.
        let random = RandomState::new().build_hasher().finish();
        let begin = (random % u64::from(BLOCKS)) as u16;
        let mut failure = ErrorKind::AddrInUse.into();
        for step in 0..BLOCKS {
            let first = FIRST + (begin + step) % BLOCKS * BLOCK_PORTS;
            match listen(first) {
                Ok(block) => {
                    self.blocks.push(block);
                    self.left = first + 1..first + BLOCK_PORTS;
                    return Ok(());
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

fn listen(port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn two_nations_never_share_a_port() {
        let give = || {
            let mut ports = Ports::default();
            let given: BTreeSet<u16> =
                (0..BLOCK_PORTS + 50).map(|_| ports.free().unwrap().port()).collect();
            (given, ports.release())
        };
        let ((one, _one_lives), (other, _other_lives)) = (give(), give());
        assert_eq!((one.len(), other.len()), (250, 250), "more than a block, and none twice");
        assert!(one.is_disjoint(&other));
        // They were released for those who will listen on them.
        let port = one.first().expect("there are some");
        listen(*port).unwrap();
    }
}
