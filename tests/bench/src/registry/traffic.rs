//! What upper nodes have sent down their links, as the kernel counts it.
//!
//! `ss` of iproute2 tells the bytes that each TCP connection has sent, TLS and all. Where it is
//! missing, nothing is told.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use nation::layout::Layout;

/// The links of one nation, by the ports where neighbours from below dial.
pub(super) struct Traffic<'l> {
    layout: &'l Layout,
}

impl<'l> Traffic<'l> {
    pub(super) fn of(layout: &'l Layout) -> Self {
        Self { layout }
    }

    /// Bytes sent downwards so far, on all links together.
    pub(super) fn down_bytes(&self) -> Option<u64> {
        let ports = self.layout.nodes.iter().filter_map(|node| node.mesh);
        let ports: BTreeSet<u16> = ports.map(|address| address.port()).collect();
        let output = Command::new("ss")
            .args(["-tinHO", "state", "established"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then(|| sent(&String::from_utf8_lossy(&output.stdout), &ports))
    }
}

/// Bytes sent by the ends of connections that have one of `ports`. A line is of one connection:
/// two queues, the local and the peer's address, then what is known of it.
fn sent(text: &str, ports: &BTreeSet<u16>) -> u64 {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let (_, port) = words.nth(2)?.rsplit_once(':')?;
        if !ports.contains(&port.parse().ok()?) {
            return None;
        }
        words.find_map(|word| word.strip_prefix("bytes_sent:"))?.parse::<u64>().ok()
    };
    text.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_upper_end_of_a_link_is_counted() {
        let text = "\
0 0 127.0.0.1:7000 127.0.0.1:50000 cubic rto:204 bytes_sent:1200 bytes_acked:1200\n\
0 0 127.0.0.1:50000 127.0.0.1:7000 cubic rto:204 bytes_sent:70 bytes_acked:70\n\
0 0 127.0.0.1:7001 127.0.0.1:50001 cubic rto:204 bytes_sent:34 bytes_retrans:0\n\
0 0 127.0.0.1:7001 127.0.0.1:50002 cubic rto:204\n";
        assert_eq!(sent(text, &[7000, 7001].into()), 1234);
        assert_eq!(sent("", &[7000].into()), 0);
    }
}
