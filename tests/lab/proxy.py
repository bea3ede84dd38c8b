"""Service addresses: the translation kube-proxy would write, as nftables rules of one node.

In: the Services with their ready backends. Out: one ruleset, put in place atomically.
ClusterIP, NodePort and load-balancer addresses are rewritten to a backend in turn (DNAT). A NodePort or load-balancer call of a
Service with externalTrafficPolicy Cluster leaves with the node's address (SNAT); with Local it goes to this node's backends and
keeps its source. What pods send out of the cluster leaves with the node's address too.
"""

from topology import family_of

MARK = "0x4000"


def ruleset(cluster, node_name, node_addresses, pod_ranges):
    """The nft script for one node. `pod_ranges` are those of the whole cluster."""
    parts = []
    for family in sorted({family_of(a) for a in node_addresses}):
        word = "ip" if family == 4 else "ip6"
        own = [a for a in node_addresses if family_of(a) == family]
        ranges = [r for r in pod_ranges if (":" in r) == (family == 6)]
        translate = []
        for service in cluster.services:
            for port in service.ports:
                every = cluster.backends(service, port, family)
                here = cluster.backends(service, port, family, node=node_name)
                ways = [([a for a in service.cluster_ips if family_of(a) == family], port.port, every, False)]
                local = service.traffic_policy == "Local"
                outer = here if local else every
                if port.node_port:
                    ways.append((own, port.node_port, outer, not local))
                ways.append(([a for a in service.balancer_ips if family_of(a) == family], port.port, outer, not local))
                for addresses, number, backends, masked in ways:
                    for address in addresses:
                        translate += rule(word, family, address, port.protocol.lower(), number, backends, masked)
        cluster_wide = ", ".join([*ranges, "224.0.0.0/4" if family == 4 else "ff00::/8"])
        body = "\n".join(f"    {line}" for line in translate)
        parts.append(f"""
table {word} services {{}}
delete table {word} services
table {word} services {{
  chain translate {{
{body}
  }}
  chain prerouting {{ type nat hook prerouting priority dstnat; jump translate; }}
  chain output {{ type nat hook output priority -100; jump translate; }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    meta mark {MARK} snat to {own[0]}
    {word} saddr {{ {", ".join(ranges)} }} {word} daddr != {{ {cluster_wide} }} oifname "eth0" snat to {own[0]}
  }}
}}
""")
    return "".join(parts)


def rule(word, family, address, protocol, number, backends, masked):
    match = f"{word} daddr {address} {protocol} dport {number}"
    if not backends:
        return []
    mark = f"meta mark set {MARK} " if masked else ""
    if len(backends) == 1:
        host, port = backends[0]
        target = f"{host}:{port}" if family == 4 else f"[{host}]:{port}"
        return [f"{match} {mark}dnat to {target}"]
    choice = ", ".join(f"{n} : {host} . {port}" for n, (host, port) in enumerate(backends))
    return [f"{match} {mark}dnat {word} to numgen inc mod {len(backends)} map {{ {choice} }}"]
