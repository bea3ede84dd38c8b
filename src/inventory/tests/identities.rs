//! Who an address was.

use super::*;

/// A pod as a snapshot shows it.
fn pod(name: &str, uid: &str, ip: &str, start: &str, more: &str) -> String {
    format!(
        "kind: Pod\nmetadata: {{name: {name}, namespace: prod, uid: {uid}, labels: {{app: {name}}}{more}}}\n\
         spec: {{nodeName: worker-1}}\nstatus: {{podIP: '{ip}', phase: Running, startTime: '2026-03-01T{start}Z'}}\n---\n"
    )
}

const NODE: &str = "kind: Node\nmetadata: {name: worker-1}\nspec: {podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24, 'fd00:1::/64']}\n\
                    status: {addresses: [{type: InternalIP, address: 172.18.0.3}, {type: Hostname, address: worker-1}]}\n---\n";

#[test]
fn addresses_with_a_fixed_meaning_come_before_the_cluster() {
    let inventory = inventory(&[&format!(
        "{NODE}{}kind: Service\nmetadata: {{name: api, namespace: prod}}\nspec: {{clusterIP: 10.96.0.7, externalIPs: [203.0.113.9]}}\n",
        pod("web", "1", "10.244.1.5", "10:00:00", "")
    )]);
    let rows = [
        ("127.0.0.1", "Loopback"),
        ("0.0.0.0", "Loopback"),
        ("::1", "Loopback"),
        ("::ffff:127.0.0.1", "Loopback"),
        ("224.0.0.251", "Multicast"),
        ("ff02::fb", "Multicast"),
        ("255.255.255.255", "Multicast"),
        ("169.254.169.254", "Metadata"),
        ("169.254.170.2", "Metadata"),
        ("169.254.170.23", "Metadata"),
        ("100.100.100.200", "Metadata"),
        ("fd00:ec2::254", "Metadata"),
        ("fd00:ec2::23", "Metadata"),
        ("fd20:ce::254", "Metadata"),
        ("169.254.20.10", "LinkLocal"),
        ("fe80::1", "LinkLocal"),
        ("10.244.1.5", "web"),
        ("::ffff:10.244.1.5", "web"),
        ("172.18.0.3", "node worker-1"),
        ("10.244.1.0", "node worker-1"),
        ("10.244.1.1", "node worker-1"),
        ("fd00:1::1", "node worker-1"),
        ("10.96.0.7", "service api"),
        ("203.0.113.9", "service api"),
        ("10.244.1.77", "UnknownInCluster"),
        ("10.96.0.77", "UnknownInCluster"),
        ("fd00:1::77", "UnknownInCluster"),
        ("10.244.2.1", "Outside"),
        ("8.8.8.8", "Outside"),
        ("192.168.5.10", "Outside"),
        ("2001:db8::1", "Outside"),
    ];
    for (address, expected) in rows {
        assert_eq!(who(&inventory, address, "10:30:00"), expected, "{address}");
    }
    assert!(inventory.has_ipv6());
}

#[test]
fn an_address_belongs_to_its_owner_at_the_time() {
    // The old pod was seen running in an early snapshot; in the late one it is gone and another workload has its address.
    let early = pod("old", "1", "10.244.1.5", "10:00:00", "");
    let late = pod("new", "2", "10.244.1.5", "10:10:00", "");
    // The same, but the late snapshot still shows the old pod going.
    let going =
        pod("old", "1", "10.244.1.5", "10:00:00", ", deletionTimestamp: '2026-03-01T10:09:30Z', resourceVersion: '9'") + &late;
    let rows: &[(&str, &str, &str, &str)] = &[
        ("long before anyone", "09:59:00", "UnknownInCluster", "UnknownInCluster"),
        ("just before the start: clocks differ", "09:59:58.5", "old", "old"),
        ("at the start", "10:00:00", "old", "old"),
        ("in its life", "10:05:00", "old", "old"),
        ("just after its end: closing connections", "10:09:35", "old", "old"),
        ("after its end, before the next", "10:09:50", "old", "UnknownInCluster"),
        ("the last packet before the next", "10:09:59.999", "old", "new"),
        ("from the start of the next, which has its address some time after it", "10:10:00", "UnknownInCluster", "new"),
        ("in the moments after", "10:10:02.9", "UnknownInCluster", "new"),
        ("in the next's life", "10:10:03", "new", "new"),
        ("long after", "23:00:00", "new", "new"),
    ];
    let silent = inventory(&[&format!("{NODE}{early}"), &late]);
    let told = inventory(&[&format!("{NODE}{early}"), &going]);
    for (message, time, without_end, with_end) in rows {
        assert_eq!(who(&silent, "10.244.1.5", time), *without_end, "{message}, end unknown");
        assert_eq!(who(&told, "10.244.1.5", time), *with_end, "{message}, end known");
    }
    assert_eq!(silent.pods()[1].name.name, "old");
    assert_eq!(silent.pods()[1].until, at("10:10:00"), "the newer pod's start ended the older pod");
    assert_eq!(silent.pods()[0].until, Timestamp::MAX);
}

#[test]
fn an_address_that_two_workloads_have_at_once_is_nobodys() {
    /// What it shows, the snapshots, who the address is at 10:05, 10:20 and 12:30, whether there is a finding.
    type Row<'a> = (&'a str, Vec<String>, [&'a str; 3], bool);
    let web = pod("web", "1", "10.244.1.5", "10:00:00", "");
    let going = pod("web", "1", "10.244.1.5", "10:00:00", ", deletionTimestamp: '2026-03-01T10:10:30Z'");
    let over = web.replace("Running", "Succeeded");
    let evil = pod("evil", "2", "10.244.1.5", "10:10:00", "");
    let twin = pod("twin", "2", "10.244.1.5", "10:10:00", "");
    let owned = |text: &str| text.replace("labels", "ownerReferences: [{kind: StatefulSet, name: s, controller: true}], labels");
    let untimed =
        |text: &str| text.replace(", startTime: '2026-03-01T10:00:00Z'", "").replace(", startTime: '2026-03-01T10:10:00Z'", "");
    let later = pod("later", "3", "10.244.1.5", "12:00:00", "");
    let unknown = "UnknownInCluster";
    let rows: Vec<Row> = vec![
        ("both run in one snapshot", vec![web.clone() + &evil], ["web", unknown, unknown], true),
        (
            "both run in one snapshot, then one of them alone",
            vec![web.clone() + &evil, evil.clone()],
            ["web", unknown, unknown],
            true,
        ),
        ("both, and then a third", vec![web.clone() + &evil, later], ["web", unknown, "later"], true),
        ("one snapshot without times", vec![untimed(&web) + &untimed(&evil)], [unknown; 3], true),
        ("two snapshots without times", vec![untimed(&web), untimed(&evil)], [unknown; 3], true),
        ("one after the other", vec![web.clone(), evil.clone()], ["web", "evil", "evil"], false),
        ("the older is being deleted", vec![going + &evil], ["web", "evil", "evil"], false),
        ("the older has ended", vec![over.clone() + &evil], ["web", "evil", "evil"], false),
        ("the older has ended, without times", vec![untimed(&over) + &untimed(&evil)], ["evil"; 3], false),
        ("replicas of one workload", vec![owned(&web) + &owned(&twin)], ["web", "twin", "twin"], false),
    ];
    for (message, snapshots, expected, is_found) in rows {
        let snapshots: Vec<String> = snapshots.iter().map(|text| format!("{NODE}{text}")).collect();
        let inventory = inventory(&snapshots.iter().map(String::as_str).collect::<Vec<_>>());
        let owners = ["10:05:00", "10:20:00", "12:30:00"].map(|time| who(&inventory, "10.244.1.5", time));
        assert_eq!(owners, expected, "{message}");
        let found: Vec<String> = found(&inventory)
            .into_iter()
            .filter(|(code, _)| *code == Code::AddressClaimedTwice)
            .map(|(_, subject)| subject)
            .collect();
        assert_eq!(found, if is_found { vec!["10.244.1.5"] } else { vec![] }, "{message}");
    }
}

#[test]
fn a_finished_job_leaves_its_address_when_its_last_container_ended() {
    let text = format!(
        "{NODE}kind: Pod
metadata: {{name: job, namespace: prod, uid: a, deletionTimestamp: '2026-03-01T11:00:00Z'}}
status:
  podIP: 10.244.1.5
  phase: Succeeded
  startTime: '2026-03-01T10:00:00Z'
  containerStatuses:
  - state: {{terminated: {{finishedAt: '2026-03-01T10:01:00Z'}}}}
  - state: {{terminated: {{finishedAt: '2026-03-01T10:02:00Z'}}}}
---
kind: Pod
metadata: {{name: evicted, namespace: prod, uid: b}}
status:
  podIP: 10.244.1.6
  phase: Failed
  startTime: '2026-03-01T10:00:00Z'
  conditions: [{{type: Ready, status: 'False', lastTransitionTime: '2026-03-01T10:03:00Z'}}]
"
    );
    let inventory = inventory(&[&text]);
    let rows = [
        ("10.244.1.5", "10:01:30", "job"),
        ("10.244.1.5", "10:02:05", "job"),
        ("10.244.1.5", "10:02:30", "UnknownInCluster"),
        ("10.244.1.6", "10:02:30", "evicted"),
        ("10.244.1.6", "10:04:00", "UnknownInCluster"),
    ];
    for (address, time, expected) in rows {
        assert_eq!(who(&inventory, address, time), expected, "{address} at {time}");
    }
}

#[test]
fn states_of_one_pod_are_merged() {
    let pending = "kind: Pod\nmetadata: {name: a, namespace: prod, uid: '1', resourceVersion: '9', labels: {app: old}}\n\
                   status: {phase: Pending}\n";
    let running = "kind: Pod\nmetadata: {name: a, namespace: prod, uid: '1', resourceVersion: '10', labels: {app: new}}\n\
                   status: {podIPs: [{ip: 10.244.1.5}], startTime: '2026-03-01T10:00:00Z'}\n";
    let moved = "kind: Pod\nmetadata: {name: a, namespace: prod, uid: '1', resourceVersion: '11', labels: {app: new}}\n\
                 status: {podIPs: [{ip: 10.244.1.6}], startTime: '2026-03-01T10:00:00Z'}\n";
    let inventory = inventory(&[moved, pending, NODE, running]);
    let [pod] = inventory.pods() else { panic!("one pod, not {}", inventory.pods().len()) };
    assert_eq!(pod.labels["app"], "new", "10 is newer than 9, though `10` < `9`");
    assert_eq!(pod.addresses, [address("10.244.1.5"), address("10.244.1.6")].into());
    assert_eq!(pod.from, at("10:00:00"));
}

#[test]
fn a_name_that_comes_again_is_another_pod() {
    let first = pod("db-0", "1", "10.244.1.5", "10:00:00", "");
    let second = pod("db-0", "2", "10.244.1.6", "11:00:00", "");
    let inventory = inventory(&[&first, &second]);
    assert_eq!(inventory.pods().len(), 2);
    assert_eq!(inventory.workloads().len(), 1, "but the same workload");
}

#[test]
fn pods_on_the_host_network_own_no_address() {
    let text = "kind: Pod
metadata: {name: exporter, namespace: prod}
spec: {hostNetwork: true, nodeName: worker-9, containers: [{name: a, ports: [{containerPort: 9100, hostPort: 9100}]}]}
status: {podIP: 172.18.0.9, hostIP: 172.18.0.9, startTime: '2026-03-01T10:00:00Z'}
";
    let inventory = inventory(&[text]);
    assert_eq!(who(&inventory, "172.18.0.9", "10:30:00"), "node worker-9", "a node known from its pods alone");
    assert!(inventory.pods()[0].is_on_host_network);
    assert!(inventory.declares(address("172.18.0.9"), Protocol::Tcp, 9100, at("10:30:00")), "in its life");
    assert!(!inventory.declares(address("172.18.0.9"), Protocol::Tcp, 9100, at("09:30:00")), "before it");
    assert!(inventory.exposed_ports(WorkloadId(0)).is_empty(), "no pod port is open: it is the node's");
}

#[test]
fn a_pod_without_times_was_there_from_the_beginning() {
    let text = "kind: Pod\nmetadata: {name: a, namespace: prod}\nstatus: {podIP: 10.0.0.1}\n---\n\
                kind: Pod\nmetadata: {name: b, namespace: prod}\nstatus: {podIPs: [{ip: 10.0.0.2}, {ip: 'fd00::2'}]}\n";
    let inventory = inventory(&[text]);
    assert_eq!(inventory.identify(address("10.0.0.1"), Timestamp::MIN), Identity::Pod(PodId(0)));
    assert_eq!(inventory.identify(address("fd00::2"), Timestamp::MAX), Identity::Pod(PodId(1)));
}

#[test]
fn addresses_of_tunnel_devices_are_the_nodes() {
    let text = "kind: Node
metadata:
  name: n
  annotations:
    projectcalico.org/IPv4Address: 172.18.0.5/16
    projectcalico.org/IPv4VXLANTunnelAddr: 192.168.7.64
    flannel.alpha.coreos.com/public-ip: 172.18.0.6
spec: {podCIDR: 10.9.0.0/24}
---
kind: Pod
metadata: {name: first, namespace: prod}
status: {podIP: 10.9.0.1}
";
    let inventory = inventory(&[text]);
    for own in ["172.18.0.5", "192.168.7.64", "172.18.0.6", "10.9.0.0"] {
        assert_eq!(who(&inventory, own, "10:00:00"), "node n", "{own}");
    }
    assert_eq!(who(&inventory, "10.9.0.1", "10:00:00"), "first", "unless a pod has it");
}

#[test]
fn nodes_have_the_addresses_that_their_plug_in_gives_them() {
    let node = |annotations: &str, spec: &str| {
        format!("kind: Node\nmetadata: {{name: n, annotations: {{{annotations}}}}}\nspec: {{{spec}}}\nstatus: {{}}\n---\n")
    };
    let pod = |address: &str| {
        format!("kind: Pod\nmetadata: {{name: p, namespace: a}}\nspec: {{nodeName: n}}\nstatus: {{podIP: {address}}}\n---\n")
    };
    // Objects, an address, whose it is, why.
    let rows = [
        (node("", "podCIDR: 10.244.0.0/24"), "10.244.0.0", "node n", "flannel.1"),
        (node("", "podCIDR: 10.244.0.0/24"), "10.244.0.1", "node n", "cni0"),
        (node("", "podCIDR: 10.244.0.0/24") + &pod("10.1.7.9"), "10.244.0.1", "UnknownInCluster", "the plug-in does not use podCIDRs"),
        (node("k3s.io/node-args: '[\"server\",\"--cluster-cidr\",\"10.52.0.0/16\"]'", ""), "10.52.3.1", "UnknownInCluster", "k3s"),
        (node("rke2.io/internal-ip: '10.0.0.4,fd00::4'", ""), "fd00::4", "node n", "RKE2"),
        (node("network.cilium.io/ipv4-cilium-host: 10.0.1.12", "podCIDR: 10.9.0.0/24"), "10.0.1.12", "node n", "cilium_host"),
        (node("network.cilium.io/ipv4-cilium-host: 10.0.1.12", "podCIDR: 10.9.0.0/24"), "10.9.0.1", "UnknownInCluster", "Cilium's first address is a pod's"),
        (node("k8s.ovn.org/node-subnets: '{\"default\":[\"10.129.0.0/23\",\"fd01:0:0:2::/64\"]}'", ""), "10.129.0.2", "node n", "management port"),
        (node("k8s.ovn.org/node-subnets: '{\"default\":[\"10.129.0.0/23\",\"fd01:0:0:2::/64\"]}'", ""), "fd01:0:0:2::3", "node n", "hybrid overlay"),
        (node("k8s.ovn.org/node-subnets: '{\"default\":\"10.129.0.0/23\"}'", ""), "10.129.0.4", "UnknownInCluster", "the first pod"),
        (node("k8s.ovn.org/node-gateway-router-lrp-ifaddrs: '{\"default\":{\"ipv4\":\"100.64.0.4/16\"}}'", ""), "100.64.0.4", "node n", "join"),
        (node("k8s.ovn.org/host-cidrs: '[\"10.0.0.7/24\",\"169.254.0.2/17\"]'", ""), "10.0.0.7", "node n", "host-cidrs"),
        (node("ovn.kubernetes.io/ip_address: 100.64.0.2", ""), "100.64.0.2", "node n", "Kube-OVN"),
        (node("node.antrea.io/transport-addresses: '10.0.0.8,fd00::8'", ""), "10.0.0.8", "node n", "Antrea"),
        (node("kube-router.io/pod-cidrs: '10.5.1.0/24,fd05:1::/64'", ""), "fd05:1::1", "node n", "kube-bridge"),
        (node("", "") + "kind: CiliumNode\nmetadata: {name: n}\nspec: {addresses: [{type: CiliumInternalIP, ip: 10.0.1.7}]}", "10.0.1.7", "node n", "CiliumNode"),
        (node("", "") + "kind: CiliumNode\nmetadata: {name: n}\nspec: {health: {ipv4: 10.0.1.8}}", "10.0.1.8", "node n", "health"),
        (node("", "") + "kind: CiliumNode\nmetadata: {name: n}\nspec: {ipam: {podCIDRs: [10.0.1.0/24]}}", "10.0.1.9", "UnknownInCluster", "pods"),
        ("kind: IPAMBlock\nmetadata: {name: b}\nspec: {cidr: 10.3.4.0/26, allocations: [null, 0], attributes: [{handle_id: vxlan-tunnel-addr-n}]}".into(), "10.3.4.1", "node n", "IPAMBlock"),
        (node("", "") + "kind: FelixConfiguration\nmetadata: {name: default}\nspec: {deviceRouteSourceAddress: 10.7.7.7}", "10.7.7.7", "node n", "every node"),
        ("kind: Subnet\nmetadata: {name: ovn-default}\nspec: {cidrBlock: '10.16.0.0/16,fd00:10:16::/112'}".into(), "10.16.0.9", "UnknownInCluster", "Kube-OVN"),
        ("kind: Subnet\nmetadata: {name: join}\nspec: {cidrBlock: 100.64.0.0/16}".into(), "100.64.0.9", "Outside", "nodes' own"),
        ("apiVersion: config.openshift.io/v1\nkind: Network\nmetadata: {name: cluster}\nstatus: {clusterNetwork: [{cidr: 10.128.0.0/14}], serviceNetwork: [172.30.0.0/16]}".into(), "172.30.9.9", "UnknownInCluster", "OpenShift"),
        ("kind: NodeNetworkConfig\nmetadata: {name: n}\nstatus: {networkContainers: [{type: overlay, primaryIP: 10.244.1.0/24}]}".into(), "10.244.1.9", "UnknownInCluster", "AKS"),
    ];
    for (objects, own, expected, why) in rows {
        assert_eq!(who(&inventory(&[&objects]), own, "10:00:00"), expected, "{why}: {objects}");
    }
}
