//! A filter that leaves out what this program says to the API server, which is no traffic of the cluster.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Own addresses beyond this number are not told apart from others in the filter.
const MOST_OWN_ADDRESSES: usize = 64;

/// The filter that leaves out what this machine says to a peer.
pub(super) fn leave_out(peer: SocketAddr, own: &BTreeSet<IpAddr>) -> Option<String> {
    let own: Vec<String> =
        own.iter().filter(|address| address.is_ipv4() == peer.is_ipv4()).map(|address| format!("host {address}")).collect();
    // Without the own address in it, the filter would leave out what pods say to the API.
    (!own.is_empty() && own.len() <= MOST_OWN_ADDRESSES)
        .then(|| format!("not (tcp port {} and host {} and ({}))", peer.port(), peer.ip(), own.join(" or ")))
}

/// The filter that was asked for, and this program's own part.
pub(super) fn join(wanted: &str, own: Option<&str>) -> String {
    match (wanted.trim(), own) {
        ("", None) => String::new(),
        ("", Some(own)) => own.to_owned(),
        (wanted, None) => wanted.to_owned(),
        (wanted, Some(own)) => format!("({wanted}) and {own}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_requests_are_left_out_and_those_of_pods_are_not() {
        let own: BTreeSet<IpAddr> = ["10.0.0.1", "fd00::1"].map(|text| text.parse().expect("an address")).into();
        let peer = "10.0.0.9:6443".parse().expect("a socket address");
        let left_out = leave_out(peer, &own).expect("a filter");
        assert_eq!(left_out, "not (tcp port 6443 and host 10.0.0.9 and (host 10.0.0.1))");
        assert_eq!(leave_out(peer, &BTreeSet::new()), None, "nothing is known to be the own");
        let rows = [
            ("", None, ""),
            ("not port 22", None, "not port 22"),
            ("  ", Some("not x"), "not x"),
            ("port 80 or port 443", Some("not x"), "(port 80 or port 443) and not x"),
        ];
        for (wanted, own, expected) in rows {
            assert_eq!(join(wanted, own), expected);
        }
    }
}
