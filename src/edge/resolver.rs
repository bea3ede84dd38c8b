//! Who may give a pod names.

use std::net::IpAddr;

use crate::inventory::{Identity, Inventory, PodId};
use crate::model::{Exchange, Timestamp};

/// The port at which a resolver's Service is called, and from which a cloud's or a node's resolver answers.
const DNS: u16 = 53;

/// Who answered a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answerer {
    /// A resolver of the cluster, or the pod's own.
    Resolver,
    /// Anyone else; nothing where that is not known.
    Stranger(Option<IpAddr>),
}

/// Who answered a question of this pod: a resolver if it is one of the cluster or in the pod's `dnsConfig`, or whoever it asked where
/// its `dnsPolicy` is `Default`. Where address translation comes between, both who was asked and who answered must be one.
///
/// Wrong for a resolver that a program has in its own settings: its answers name nothing.
pub(super) fn answerer(pod: PodId, exchange: Option<&Exchange>, at: Timestamp, inventory: &Inventory) -> Answerer {
    let Some(Exchange { protocol, server, asked, .. }) = exchange.copied() else { return Answerer::Stranger(None) };
    let dns = &inventory.pod(pod).dns;
    let is_behind = |service: IpAddr, server: IpAddr| {
        let call = inventory.service_call(service, protocol, DNS);
        call.is_some_and(|call| inventory.backends(call, at).iter().any(|backend| backend.address == server))
    };
    let is_own = |server: IpAddr| {
        dns.nameservers.contains(&server) || dns.nameservers.iter().any(|nameserver| is_behind(*nameserver, server))
    };
    let may_answer = |server: IpAddr| is_of_cluster(server, at, inventory) || is_own(server);
    let is_resolver = if asked == server {
        may_answer(server) || dns.is_as_of_node
    } else {
        may_answer(asked) && (may_answer(server) || is_behind(asked, server)) || dns.is_as_of_node && is_behind(asked, server)
    };
    if is_resolver { Answerer::Resolver } else { Answerer::Stranger(Some(server)) }
}

/// Whether a resolver of the cluster has this address: the Service, a pod behind it, a cache on the node, or what the node or the cloud
/// puts there. No pod on the pod network can take an address of the latter.
fn is_of_cluster(address: IpAddr, at: Timestamp, inventory: &Inventory) -> bool {
    match inventory.identify(address, at) {
        Identity::Service(service) => inventory.is_resolver(service),
        Identity::Pod(pod) => inventory.is_cache(pod) || inventory.resolvers().contains_key(&inventory.pod(pod).workload),
        Identity::Node(_) | Identity::OwnNode | Identity::Metadata => true,
        // NodeLocal DNS has 169.254.20.10 by default. Each pod has an IPv6 one of its own.
        Identity::LinkLocal => address.is_ipv4(),
        Identity::UnknownInCluster => inventory.is_resolver_of_nodes(address),
        Identity::Secondary(_) | Identity::Hairpin | Identity::Loopback | Identity::Multicast | Identity::Outside => false,
    }
}
